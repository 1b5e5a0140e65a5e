//! What needs something of the machine: control groups, mount namespaces, page faults served by a process. Where the machine
//! refuses, the test says what it would need.

use std::path::{Path, PathBuf};
use std::process::Command;

use model::crash::Note;
use model::{Exit, Signal};
use shim::cgroup::{Group as Existing, Home, Version};
use shim::protocol::FromShim;

use crate::support::{Run, exe, program, programs, sh, wait_until, write_script};

#[test]
fn a_capture_that_waits_for_ever_is_ended() {
    // held before its fatal signal, and at its exit
    for arguments in [&[][..], &["often"]] {
        let mut run = Run::start(program("stuck", arguments), true);
        let first =
            run.wait_for(|message| matches!(message, FromShim::Crashing { .. } | FromShim::Ended { .. }));
        if matches!(first, FromShim::Ended { crash: false, .. }) {
            eprintln!("skipped: userfaultfd is not permitted (root, or vm.unprivileged_userfaultfd = 1)");
            return;
        }
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)), "the signal that it was dying of");
        assert!(crashed.audit.is_none());
        let is_said = |note: &Note| matches!(note, Note::CaptureFailed { error } if error.starts_with("the process's memory could not be read"));
        assert!(crashed.findings.notes.iter().any(is_said), "{:?}", crashed.findings);
        run.acknowledge();
    }
}

#[test]
fn symbols_come_from_the_file_system_that_the_worker_saw() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = folder.path().join("only-there");
    std::fs::create_dir(&mounted).unwrap();
    let can_mount = Command::new("unshare").args(["-m", "true"]).stderr(std::process::Stdio::null()).status();
    if !can_mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: mount namespaces are not permitted (root)");
        return;
    }
    let (own, program) = (mounted.display(), programs().join("crash"));
    let script =
        format!("mount -t tmpfs none {own} && cp {} {own}/ && exec {own}/crash null", program.display());
    let mut run = Run::start(["unshare", "-m", "sh", "-c", &script].map(str::to_owned).to_vec(), true);
    let crashed = run.wait_for_crash();
    assert!(!mounted.join("crash").exists(), "the file was only in the worker's own mounts");
    assert_eq!(crashed.audit.as_ref().expect("a dump").result, "analysed");
    assert!(crashed.top_function("crash").starts_with("read_order"), "{:#?}", crashed.findings);
}

/// A control group of this test's own with a memory limit.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Self> {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let controlled = |line: &&str| {
            line.split(':').nth(1).is_some_and(|list| list.split(',').any(|one| one == "memory"))
        };
        let (mount, limit, line) = match groups.lines().find(controlled) {
            Some(line) => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", line),
            None => ("/sys/fs/cgroup", "memory.max", groups.lines().find(|line| line.starts_with("0::"))?),
        };
        let path = line.splitn(3, ':').nth(2)?.trim_start_matches('/');
        let group = Self(Path::new(mount).join(path).join(format!("medic-test-{}", std::process::id())));
        std::fs::create_dir(&group.0).ok()?;
        std::fs::write(group.0.join(limit), "67108864").ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_kill_for_want_of_memory_is_told_from_another_kill() {
    let Some(group) = Group::new() else {
        eprintln!("skipped: no memory control group can be made (root, with the memory controller)");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("shim");
    let enter =
        format!("#!/bin/sh\necho $$ > {}/cgroup.procs\nexec {} \"$@\"\n", group.0.display(), exe().display());
    write_script(&wrapper, &enter);
    let greedy = format!("exec {}/threads 1 500 watch", programs().display());
    for (script, expected) in [("kill -KILL $$", false), (&greedy, true)] {
        let mut run = Run::start_by(&wrapper, sh(script), false, |_| {});
        let end = run.wait_for_end();
        let FromShim::Ended { exit, oom_killed, crash: true, .. } = end else { panic!("{script}: {end:?}") };
        assert_eq!((exit, oom_killed), (Exit::Signal(Signal::KILL), expected), "{script}");
        run.wait_for(|message| matches!(message, FromShim::Analysed { .. }));
        run.acknowledge();
    }
}

/// What both wait for before they do anything.
fn when_told(command: &str) -> Vec<String> {
    sh(&format!("until [ -e go ]; do sleep 0.01; done; {command}"))
}

#[test]
fn a_worker_with_a_group_of_its_own_does_not_answer_for_its_neighbour() {
    let home = match Home::open() {
        Ok(home) => home,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let start = |index, command: &str| {
        Run::start_with(when_told(command), false, |spec| {
            spec.worker.instance = index;
            spec.cgroup = Some(home.group_of(&spec.worker));
        })
    };
    let mut greedy = start(60_001, &format!("exec {}/threads 1 500 watch", programs().display()));
    let mut modest = start(60_002, "kill -KILL $$");
    let folder = greedy.spec.cgroup.clone().unwrap();
    let group = Existing::of_memory(greedy.pid).unwrap();
    assert!(group.is_a_workers_own() && group.processes().contains(&greedy.pid));
    assert!(!Existing::of_memory(greedy.shim_pid).unwrap().is_a_workers_own());
    let limit = if group.version() == Version::One { "memory.limit_in_bytes" } else { "memory.max" };
    std::fs::write(folder.join(limit), "67108864").unwrap();
    assert_eq!(group.memory_limit_bytes(), Some(64 << 20));
    for (run, expected) in [(&mut greedy, true), (&mut modest, false)] {
        std::fs::write(run.folder().join("go"), "").unwrap();
        let end = run.wait_for_end();
        let FromShim::Ended { exit, oom_killed, crash: true, .. } = end else { panic!("{end:?}") };
        assert_eq!((exit, oom_killed), (Exit::Signal(Signal::KILL), expected));
        run.wait_for(|message| matches!(message, FromShim::Analysed { .. }));
        run.acknowledge();
        // the shim closes the connection a moment before it ends
        wait_until("removed", || !run.spec.cgroup.as_ref().unwrap().exists());
    }
}

#[test]
fn a_worker_that_gets_no_group_runs_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start_with(sh("exit 3"), false, |spec| {
        spec.cgroup = Some(folder.path().join("no-hierarchy/worker.shop.0.1"));
    });
    let FromShim::Ended { exit, .. } = run.wait_for_end() else { unreachable!() };
    assert_eq!(exit, Exit::Code(3));
}
