//! What a worker leaves behind ends with it, however it or its shim ended.

use model::crash::Note;
use model::{Exit, Signal};
use shim::protocol::{FromShim, ToShim};

use crate::support::{Run, has_ended, programs, sh, wait_until, write_script};

/// Ten children in sessions of their own, each second one an orphan already, and each with a child; then `rest`.
fn with_children(rest: &str) -> Vec<String> {
    let child = "setsid sh -c 'echo $$ >> children; sleep 1000 & echo $! >> children; wait'";
    let script = format!(
        "for one in 1 2 3 4 5; do {child} & ({child} &) ; done
         until [ \"$(cat children 2>/dev/null | wc -l)\" = 20 ]; do sleep 0.01; done
         echo ready; {rest}"
    );
    sh(&script)
}

fn children(run: &Run) -> Vec<u32> {
    let text = std::fs::read_to_string(run.folder().join("children")).unwrap();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn assert_gone(what: &str, children: &[u32]) {
    assert_eq!(children.len(), 20);
    wait_until(what, || children.iter().all(|child| has_ended(*child)));
}

#[test]
fn what_a_crashed_worker_leaves_ends_with_it() {
    for arm in [false, true] {
        let mut run = Run::start(with_children("kill -SEGV $$"), arm);
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
        assert_gone("gone after the crash", &children(&run));
        let is_left = |note: &Note| matches!(note, Note::ProcessLeft { .. });
        assert!(!crashed.findings.notes.iter().any(is_left), "{:?}", crashed.findings);
        run.acknowledge();
    }
}

#[test]
fn what_a_worker_leaves_that_was_asked_to_end_ends_with_it() {
    let mut run = Run::start(with_children("exec sleep 1000"), false);
    run.wait_for_line("ready");
    run.send(&ToShim::Signal { signal: libc::SIGTERM });
    assert!(matches!(run.wait_for_end(), FromShim::Ended { asked: true, crash: false, .. }));
    assert_gone("gone after the stop", &children(&run));
    run.acknowledge();
}

#[test]
fn what_a_worker_leaves_whose_shim_is_killed_ends_too() {
    let mut run = Run::start(with_children("exec sleep 1000"), true);
    run.wait_for_line("ready");
    let reaper = guard_of(run.shim_pid);
    run.kill_shim();
    assert_gone("gone after the shim", &children(&run));
    wait_until("gone, the worker", || has_ended(run.pid));
    wait_until("gone, the reaper", || has_ended(reaper));
}

fn guard_of(shim: u32) -> u32 {
    crate::support::status_field(shim, "PPid").parse().unwrap()
}

#[test]
fn the_guard_is_no_second_shim_and_ends_with_it() {
    let mut run = Run::start(sh("exit 3"), false);
    let reaper = guard_of(run.shim_pid);
    assert_eq!(crate::support::status_field(reaper, "Name"), "medic-reaper");
    let line = std::fs::read(format!("/proc/{reaper}/cmdline")).unwrap();
    let line = String::from_utf8_lossy(&line);
    assert_eq!(line.trim_end_matches('\0'), "medic\0reaper");
    run.wait_for_crash();
    run.acknowledge();
    wait_until("gone, the reaper", || has_ended(reaper));
}

#[test]
fn a_shim_started_with_every_signal_ignored_works_as_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("shim");
    let exe = crate::support::exe().display();
    let script = format!("#!/bin/sh\nexec {}/inherit {exe} \"$@\"\n", programs().display());
    write_script(&wrapper, &script);
    for arm in [false, true] {
        let mut run = Run::start_by(
            &wrapper,
            sh("grep -E 'Sig(Blk|Ign)' /proc/self/status; kill -SEGV $$"),
            arm,
            |_| {},
        );
        let crashed = run.wait_for_crash();
        assert_eq!((crashed.exit, crashed.audit.is_some()), (Exit::Signal(Signal(libc::SIGSEGV)), arm));
        assert!(crashed.findings.notes.is_empty(), "{:?}", crashed.findings.notes);
        let printed = run.output();
        assert!(printed.contains("SigIgn:\t0000000000000000\n"), "{printed}");
        run.acknowledge();
    }
}

/// What a core of this process would hold.
fn own_filter() -> String {
    std::fs::read_to_string("/proc/self/coredump_filter").unwrap().trim().to_owned()
}

#[test]
fn no_core_holds_what_a_worker_had_in_memory_unless_its_owner_wants_it() {
    let show = "cat /proc/self/coredump_filter";
    let script = format!("cat /proc/$$/coredump_filter; setsid {show}; ulimit -c");
    let limit = std::process::Command::new("sh").args(["-c", "ulimit -c"]).output().unwrap().stdout;
    let limit = String::from_utf8(limit).unwrap();
    assert_ne!(own_filter(), "00000000", "nothing to be told apart");
    for (core_dumps, expected) in [(false, ["00000000", "0"]), (true, [&own_filter(), limit.trim()])] {
        let mut run = Run::start_with(sh(&script), false, |spec| spec.core_dumps = core_dumps);
        run.wait_for_end();
        let [filter, limit] = expected;
        assert_eq!(run.output(), format!("{filter}\n{filter}\n{limit}\n"), "{core_dumps}");
        let shims = std::fs::read_to_string(format!("/proc/{}/coredump_filter", run.shim_pid)).unwrap();
        assert_eq!(shims.trim(), "00000000");
    }
}
