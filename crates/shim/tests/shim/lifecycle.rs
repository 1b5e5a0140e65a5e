//! Start, end, taking over, and what is left behind.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use model::{Exit, Signal};
use shim::protocol::{FromShim, ToShim, WorkerSpec};
use shim::{ForkServer, LaunchError};

use crate::support::{Run, exe, has_ended, kill, program, sh, spec, status_field, wait_until, write_script};

/// What a launch that fails says; nothing of it may be left.
fn refusal(command: Vec<String>, directory: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec(folder.path(), command, false);
    spec.directory = Some(folder.path().join(directory));
    write_script(&folder.path().join("text"), "hello");
    std::fs::write(folder.path().join("closed"), "#!/bin/sh\n").unwrap();
    write_script(&folder.path().join("lost"), "#!/no/such/interpreter\n");
    let run_dir = folder.path().join("run");
    let error = shim::launch(&ForkServer::new(exe()), &run_dir, &spec).unwrap_err();
    assert!(!run_dir.exists());
    let LaunchError::Refused(reason) = error else { panic!("{error}") };
    reason
}

#[test]
fn a_command_that_cannot_be_run_is_refused_with_the_reason() {
    let cases = [
        (vec![], "", "the command is empty"),
        (vec!["no-such-program"], "", "`no-such-program` is in none of the folders of PATH"),
        (vec!["./nothing"], "", "is the path right"),
        (vec!["./closed"], "", "make the file executable"),
        (vec!["./text"], "", "it is neither a program nor a script"),
        (vec!["./lost"], "", "is the interpreter of a script's first line there"),
        (vec!["sh"], "missing", "the directory `"),
        (vec!["sh"], "text", "cannot be entered"),
        (vec!["sh", "a\0b"], "", "holds a NUL byte"),
    ];
    for (command, directory, expected) in cases {
        let reason = refusal(command.into_iter().map(str::to_owned).collect(), directory);
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn a_run_directory_is_never_used_twice() {
    let run = Run::start(sh("exec sleep 1000"), false);
    let error = shim::launch(&ForkServer::new(exe()), &run.run_dir(), &run.spec).unwrap_err();
    assert!(matches!(error, LaunchError::RunDirectory { .. }), "{error}");
    assert!(run.run_dir().exists());
}

#[test]
fn a_shim_that_cannot_be_run_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(folder.path(), sh("true"), false);
    let launch =
        |exe: &Path| shim::launch(&ForkServer::new(exe), &folder.path().join("run"), &spec).unwrap_err();
    let error = launch(&folder.path().join("none"));
    assert!(matches!(error, LaunchError::Shim { .. }), "{error}");
    let error = launch(Path::new("/bin/true"));
    assert!(matches!(error, LaunchError::Lost(_)), "{error}");
}

#[test]
fn the_worker_gets_its_environment_and_nothing_of_the_shims() {
    // read by the shell itself: while it starts a program, it has all signals blocked for a moment
    let masks =
        "while read -r line; do case $line in Sig[BI]*) echo \"$line\";; esac; done < /proc/self/status";
    let script = format!("env | sort; ulimit -c; echo /proc/$$/fd/*; {masks}; pwd -P");
    let mut run = Run::start_with(sh(&script), false, |spec| {
        spec.environment.insert("PORT".to_owned(), "4711".to_owned());
    });
    run.wait_for_end();
    let printed = run.output();
    assert!(printed.contains("PORT=4711\n"), "{printed}");
    assert!(!printed.contains("CARGO"), "{printed}");
    assert!(printed.contains("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"), "{printed}");
    // a core limit below one block; descriptors 0 to 2, and 3 while the shell reads the folder
    let fd = format!("/proc/{}/fd", run.pid);
    assert!(printed.contains(&format!("\n0\n{fd}/0 {fd}/1 {fd}/2 {fd}/3\n")), "{printed}");
    let folder = run.folder().canonicalize().unwrap();
    assert!(printed.ends_with(&format!("{}\n", folder.display())), "{printed}");
    assert_eq!(std::fs::metadata(run.run_dir()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_end_that_was_asked_for_is_no_crash() {
    for (signal, arm) in
        [(libc::SIGTERM, false), (libc::SIGKILL, true), (libc::SIGABRT, true), (libc::SIGUSR2, true)]
    {
        let mut run = Run::start(sh("echo ready; exec sleep 1000"), arm);
        run.wait_for_line("ready");
        run.send(&ToShim::Signal { signal });
        let end = run.next();
        let FromShim::Ended { exit, asked: true, crash: false, oom_killed: false, .. } = end else {
            panic!("{end:?}")
        };
        assert_eq!(exit, Exit::Signal(Signal(signal)));
        run.acknowledge();
    }
}

#[test]
fn a_signal_that_the_worker_handles_does_not_make_a_later_crash_asked() {
    let script =
        "trap 'echo got it' USR1; echo ready; while :; do sleep 0.01; test -e go && kill -SEGV $$; done";
    let mut run = Run::start(sh(script), false);
    run.wait_for_line("ready");
    run.send(&ToShim::Signal { signal: libc::SIGUSR1 });
    run.wait_for_line("got it");
    std::fs::write(run.folder().join("go"), "").unwrap();
    assert_eq!(run.wait_for_crash().exit, Exit::Signal(Signal(libc::SIGSEGV)));
}

#[test]
fn a_client_that_was_killed_misses_nothing() {
    let mut run = Run::start(program("crash", &["throw"]), true);
    let crashed = run.wait_for_crash();
    for _ in 0..2 {
        let state = run.reconnect();
        assert!(matches!(state, FromShim::State { .. }));
        assert!(matches!(run.next(), FromShim::Crashing { signal: libc::SIGABRT, .. }));
        let again = run.wait_for_crash();
        assert_eq!(
            (again.exit, &again.findings, &again.audit),
            (crashed.exit, &crashed.findings, &crashed.audit)
        );
    }
    run.acknowledge();
}

#[test]
fn an_acknowledgement_that_comes_too_early_loses_nothing() {
    let mut run = Run::start(sh("echo ready; exec sleep 1000"), false);
    run.wait_for_line("ready");
    run.send(&ToShim::Acknowledge);
    run.tail(1);
    assert!(run.run_dir().exists());
}

#[test]
fn a_worker_does_not_outlive_its_shim() {
    let mut run = Run::start(sh("echo ready; exec sleep 1000"), false);
    run.wait_for_line("ready");
    run.kill_shim();
    wait_until("gone", || has_ended(run.pid));
}

#[test]
fn a_shim_that_is_asked_to_end_ends_its_worker_first() {
    let mut run =
        Run::start(sh("trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.01; done"), false);
    run.wait_for_line("ready");
    kill("TERM", run.shim_pid);
    let end = run.wait_for_end();
    assert!(matches!(end, FromShim::Ended { exit: Exit::Code(0), asked: true, .. }), "{end:?}");
    assert!(run.is_closed());
    assert!(!run.run_dir().exists());
    assert!(run.output().ends_with("bye\n"));
}

#[test]
fn what_the_worker_leaves_in_its_group_ends_with_it() {
    let mut run = Run::start(sh("sleep 1000 & echo $!; exit 5"), false);
    run.wait_for_crash();
    let child: u32 = run.output().trim().parse().unwrap();
    wait_until("gone", || has_ended(child));
}

#[test]
fn a_child_that_holds_the_pipes_open_does_not_delay_the_end() {
    let mut run = Run::start(sh("setsid sleep 1000 & echo $! > child; echo last words >&2; exit 6"), false);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.exit, Exit::Code(6));
    assert!(run.output().contains("last words\n"));
    let child = std::fs::read_to_string(run.folder().join("child")).unwrap().trim().parse().unwrap();
    wait_until("gone", || has_ended(child));
}

#[test]
fn a_fault_after_the_worker_was_asked_to_end_is_a_crash() {
    let script = "trap 'kill -SEGV $$' TERM; echo ready; while :; do sleep 0.01; done";
    for arm in [false, true] {
        let mut run = Run::start(sh(script), arm);
        run.wait_for_line("ready");
        run.send(&ToShim::Signal { signal: libc::SIGTERM });
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
        assert_eq!(crashed.audit.is_some(), arm);
        run.acknowledge();
    }
}

#[test]
fn a_worker_that_asks_for_a_debugger_by_itself_runs_on() {
    let mut run = Run::start(program("traceme", &[]), false);
    run.wait_for_line("handled");
    run.wait_for_line("ready");
    assert_eq!(status_field(run.pid, "TracerPid"), "0");
    run.send(&ToShim::Signal { signal: libc::SIGUSR1 });
    run.wait_for_line("handled");
    run.arm();
    kill("USR2", run.pid);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
    assert_eq!(crashed.audit.expect("a dump").result, "analysed");
}

/// A thread that is made while the debugger leaves is the debugger's without its knowing, and stops for it.
#[test]
fn no_thread_is_left_standing_when_the_debugger_leaves() {
    let mut run = Run::start(program("churn", &[]), false);
    run.wait_for_line("ready");
    for _ in 0..30 {
        run.arm();
        run.send(&ToShim::Disarm);
        run.wait_for(|message| *message == FromShim::Disarmed);
    }
    let is_free = || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", run.pid)).unwrap();
        threads.flatten().all(|thread| {
            let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            !status.contains("State:\tt")
        })
    };
    wait_until("free", is_free);
    kill("USR2", run.pid);
    assert_eq!(run.wait_for_crash().exit, Exit::Signal(Signal(libc::SIGSEGV)));
}

#[test]
fn a_stopped_worker_stays_stopped_under_the_debugger() {
    let mut run = Run::start(program("crash", &["wait_null"]), true);
    run.wait_for_line("ready");
    run.send(&ToShim::Signal { signal: libc::SIGSTOP });
    wait_until("stopped", || status_field(run.pid, "State").starts_with(['t', 'T']));
    run.send(&ToShim::Signal { signal: libc::SIGUSR1 });
    run.send(&ToShim::Signal { signal: libc::SIGCONT });
    assert!(run.wait_for_crash().audit.is_some());
}

#[test]
fn a_worker_that_is_debugged_already_is_not_armed() {
    let mut run = Run::start(sh("echo ready; exec sleep 1000"), false);
    run.wait_for_line("ready");
    let Ok(mut debugger) = std::process::Command::new("gdb")
        .args(["-q", "-nx", "-p", &run.pid.to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
    else {
        eprintln!("skipped: there is no gdb to be in the way (apt install gdb)");
        return;
    };
    wait_until("debugged", || status_field(run.pid, "TracerPid") != "0");
    run.send(&ToShim::Arm);
    let FromShim::ArmRefused { reason } = run.next() else { panic!("armed beside a debugger") };
    assert!(reason.contains("is being debugged by `gdb`"), "{reason}");
    debugger.kill().unwrap();
    debugger.wait().unwrap();
    run.arm();
}

/// What the kernel says of a limit: soft and hard.
fn open_files_of(pid: u32) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap_or(u64::MAX));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn a_worker_may_have_as_many_files_open_as_it_is_given() {
    let own = open_files_of(std::process::id());
    let start = |open_files| {
        let run = Run::start_with(sh("exec sleep 1000"), false, |spec: &mut WorkerSpec| {
            spec.open_files = open_files;
        });
        open_files_of(run.pid)
    };
    assert_eq!(start(None), own);
    assert_eq!(start(Some(200)), (200, own.1));
    assert_eq!(start(Some(u64::MAX)), (own.1, own.1), "no more than it may have");
}

#[test]
fn a_specification_without_the_limit_is_an_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut older = serde_json::to_value(spec(folder.path(), sh("true"), false)).unwrap();
    older.as_object_mut().unwrap().remove("open_files").unwrap();
    assert_eq!(serde_json::from_value::<WorkerSpec>(older).unwrap().open_files, None);
}
