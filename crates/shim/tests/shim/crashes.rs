//! Each way to crash, with the debugger attached and without.

use model::crash::Runtime;
use model::{Exit, Signal};
use shim::protocol::{FromShim, ToShim};

use crate::support::{Crashed, Run, kill, program, sh};

/// Mode, what the kernel says, what the type begins with, and the innermost function of the program.
const FATAL: [(&str, i32, &str, &str); 24] = [
    ("null", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("thread_null", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("abort", libc::SIGABRT, "SIGABRT", "abort_now"),
    ("double_free", libc::SIGABRT, "", "free_twice"),
    ("fpe", libc::SIGFPE, "SIGFPE", "divide_by"),
    ("thread_bus", libc::SIGBUS, "SIGBUS", "write_behind_the_file"),
    ("ill", libc::SIGILL, "SIGILL", "illegal_instruction"),
    ("trap", libc::SIGTRAP, "SIGTRAP", "breakpoint"),
    ("sys", libc::SIGSYS, "SIGSYS", "forbidden_call"),
    ("overflow", libc::SIGSEGV, "", "recurse"),
    ("thread_overflow", libc::SIGSEGV, "", "recurse"),
    ("thread_overflow_alternate", libc::SIGSEGV, "", "recurse"),
    ("throw", libc::SIGABRT, "std::runtime_error", "throw_order"),
    ("reset_and_return", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("reset_and_raise", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("thread_reset_and_raise_info", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("reset_and_raise_alternate", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("thread_reset_and_raise_info_alternate", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("abort_in_handler", libc::SIGABRT, "SIG", "read_order"),
    ("abort_in_handler_info", libc::SIGABRT, "SIG", "read_order"),
    ("abort_in_handler_alternate", libc::SIGABRT, "SIG", "read_order"),
    ("one_shot", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("recover_then_die", libc::SIGSEGV, "SIGSEGV", "read_order"),
    ("recover_then_abort", libc::SIGABRT, "SIGABRT", "abort_now"),
];

fn assert_captured(mode: &str, crashed: &Crashed, signal: i32, kind: &str, function: &str) {
    assert_eq!(crashed.exit, Exit::Signal(Signal(signal)), "{mode}");
    let findings = &crashed.findings;
    let audit = crashed.audit.as_ref().unwrap_or_else(|| panic!("{mode}: no audit: {findings:?}"));
    assert_eq!(audit.result, "analysed", "{mode}");
    assert!(
        audit.size_bytes > 10_000 && audit.stopped_us > 0 && audit.sha256.len() == 64,
        "{mode}: {audit:?}"
    );
    assert!(audit.captured_at <= audit.dropped_at, "{mode}: {audit:?}");
    assert!(findings.exception_type.starts_with(kind), "{mode}: {}", findings.exception_type);
    let top = crashed.top_function("crash");
    assert!(top.starts_with(function), "{mode}: `{top}` {:#?}", findings.crashing_thread);
}

#[test]
fn each_fatal_signal_is_captured_with_its_place() {
    for (mode, signal, kind, function) in FATAL {
        let mut run = Run::start(program("crash", &[mode]), true);
        assert_captured(mode, &run.wait_for_crash(), signal, kind, function);
        run.acknowledge();
    }
}

/// The debugger does not ask any more whether a fault is handled.
#[test]
fn after_many_handled_faults_each_fatal_signal_is_captured_with_its_place() {
    for (mode, signal, kind, function) in FATAL {
        let mode = format!("often_{mode}");
        let mut run = Run::start(program("crash", &[&mode]), true);
        assert_captured(&mode, &run.wait_for_crash(), signal, kind, function);
        run.acknowledge();
    }
}

#[test]
fn blocked_and_ignored_faults_are_fatal_all_the_same() {
    for mode in ["blocked", "ignored", "often_blocked", "often_ignored"] {
        let mut run = Run::start(program("crash", &[mode]), true);
        assert_captured(mode, &run.wait_for_crash(), libc::SIGSEGV, "SIGSEGV", "read_order");
    }
}

#[test]
fn a_crash_before_main_is_caught() {
    let mut run = Run::start(program("crash", &["first"]), true);
    assert_captured("first", &run.wait_for_crash(), libc::SIGSEGV, "SIGSEGV", "read_order");
}

#[test]
fn a_worker_that_runs_already_can_be_armed() {
    let mut run = Run::start(program("crash", &["wait_thread_null"]), false);
    assert!(!run.armed);
    run.wait_for_line("ready");
    run.arm();
    assert!(matches!(run.reconnect(), FromShim::State { armed: true, .. }));
    run.send(&ToShim::Signal { signal: libc::SIGUSR1 });
    let crashing = run.wait_for(|message| matches!(message, FromShim::Crashing { .. }));
    assert!(matches!(crashing, FromShim::Crashing { signal: libc::SIGSEGV, .. }));
    let crashed = run.wait_for_crash();
    assert_captured("armed later", &crashed, libc::SIGSEGV, "SIGSEGV", "read_order");
    assert_eq!(crashed.findings.crashing_thread.name.as_deref(), Some("crasher"));
}

#[test]
fn a_disarmed_worker_dies_without_a_dump() {
    let mut run = Run::start(program("crash", &["wait_null"]), true);
    run.wait_for_line("ready");
    run.send(&ToShim::Disarm);
    run.wait_for(|message| *message == FromShim::Disarmed);
    assert!(matches!(run.reconnect(), FromShim::State { armed: false, .. }));
    assert_eq!(crate::support::status_field(run.pid, "TracerPid"), "0");
    run.arm();
    run.send(&ToShim::Disarm);
    run.send(&ToShim::Signal { signal: libc::SIGUSR1 });
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
    assert!(crashed.audit.is_none());
}

#[test]
fn without_the_debugger_a_crash_is_recorded_with_what_is_known() {
    let cases = [
        ("null", Exit::Signal(Signal(libc::SIGSEGV)), "SIGSEGV"),
        ("throw", Exit::Signal(Signal(libc::SIGABRT)), "std::runtime_error"),
        ("exit3", Exit::Code(3), ""),
        ("kill", Exit::Signal(Signal::KILL), "SIGKILL"),
    ];
    for (mode, exit, kind) in cases {
        let mut run = Run::start(program("crash", &[mode]), false);
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.exit, exit, "{mode}");
        assert!(crashed.audit.is_none(), "{mode}");
        assert!(crashed.findings.exception_type.starts_with(kind), "{mode}: {:?}", crashed.findings);
        assert!(!crashed.findings.signature.is_empty(), "{mode}");
    }
}

#[test]
fn last_words_on_standard_output_are_read_too() {
    let say = "echo '# A fatal error has been detected by the Java Runtime Environment:'; echo '#  SIGABRT (0x6) at pc=0x0'";
    let mut run = Run::start(sh(&format!("echo served; {say}; echo a warning >&2; kill -ABRT $$")), false);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.findings.runtime, Runtime::Java);
    let mut run = Run::start(sh("echo starting >&2; echo 'KeyError: 1'; exit 1"), false);
    assert_eq!(run.wait_for_crash().findings.exception_type, "exit status 1");
}

#[test]
fn the_message_is_in_the_crash_log_alone() {
    let mut run = Run::start(program("crash", &["throw"]), true);
    let crashed = run.wait_for_crash();
    let said = serde_json::to_string(&crashed.findings).unwrap();
    assert!(!said.contains("order 42"), "{said}");
    let mut files = std::fs::read_dir(&run.spec.crash_log_dir).unwrap();
    let text = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    assert!(text.contains("order 42 not found"), "{text}");
    assert!(files.next().is_none());
}

#[test]
fn what_a_handler_deals_with_is_no_fatal_signal() {
    let mut run = Run::start(program("crash", &["recover"]), true);
    let end = run.next();
    assert!(matches!(end, FromShim::Ended { exit: Exit::Code(0), crash: false, .. }), "{end:?}");
    run.acknowledge();

    // a crash by its exit, but nothing to dump
    let mut run = Run::start(program("crash", &["exit_in_handler"]), true);
    let end = run.next();
    assert!(matches!(end, FromShim::Ended { exit: Exit::Code(3), crash: true, .. }), "{end:?}");
    let analysed = run.next();
    assert!(matches!(analysed, FromShim::Analysed { audit: None, .. }), "{analysed:?}");
}

#[test]
fn fifty_thousand_handled_faults_give_no_dump() {
    for arguments in [&["50000"][..], &["50000", "thread"]] {
        let mut run = Run::start(program("signals", arguments), true);
        let end = run.next();
        assert!(matches!(end, FromShim::Ended { exit: Exit::Code(0), crash: false, .. }), "{end:?}");
        assert_eq!(run.tail(1), ["handled 50000"]);
        run.acknowledge();
    }
}

#[test]
fn a_worker_that_handles_signals_without_end_keeps_nobody_waiting() {
    let mut run = Run::start(program("signals", &["2000000000"]), true);
    for _ in 0..20 {
        assert!(run.tail(1).is_empty());
    }
    run.send(&ToShim::Disarm);
    run.wait_for(|message| *message == FromShim::Disarmed);
    run.arm();
    run.send(&ToShim::Signal { signal: libc::SIGKILL });
    let end = run.wait_for_end();
    assert!(matches!(end, FromShim::Ended { asked: true, crash: false, .. }), "{end:?}");
}

#[test]
fn crashing_children_are_not_the_workers_crash() {
    for arm in [false, true] {
        let mut run = Run::start(program("clones", &[]), arm);
        let end = run.next();
        assert!(matches!(end, FromShim::Ended { exit: Exit::Code(0), crash: false, .. }), "{end:?}");
        assert_eq!(run.tail(9), ["fork crashed", "vfork crashed", "clone crashed", "clone_vm crashed"]);
    }
}

#[test]
fn threads_that_come_and_go_do_not_disturb_a_capture() {
    for _ in 0..10 {
        let mut run = Run::start(program("churn", &[]), false);
        run.wait_for_line("ready");
        run.arm();
        kill("USR2", run.pid);
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
        let audit = crashed.audit.as_ref().expect("a dump");
        assert_eq!(audit.result, "analysed");
        assert_eq!(crashed.top_function("churn"), "crash_here", "{:#?}", crashed.findings);
    }
}

#[test]
fn a_hundred_crashes_give_a_hundred_right_answers() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if number >= 100 {
                return;
            }
            let (mode, signal, kind, function) = FATAL[number % FATAL.len()];
            let mut run = Run::start(program("crash", &[mode]), true);
            assert_captured(mode, &run.wait_for_crash(), signal, kind, function);
            run.acknowledge();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}
