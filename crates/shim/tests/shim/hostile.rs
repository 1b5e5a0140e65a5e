//! Analysers that fail, and names that are long.

use std::path::Path;

use model::crash::{NotAnalysed, Note};
use model::{Exit, Signal};
use shim::ForkServer;

use crate::support::{Crashed, Run, copy_program, program, sh};

/// What comes of a captured crash when this script is the analyser.
fn analysed_by(script: &str) -> Crashed {
    let mut run = Run::start_with(program("crash", &["null"]), true, |spec| spec.analyser = sh(script));
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
    // the kernel's word is there whatever becomes of the analysis
    assert_eq!(crashed.findings.exception_type, "SIGSEGV");
    assert_eq!(crashed.findings.signature, "SIGSEGV | crash");
    run.acknowledge();
    crashed
}

#[test]
fn an_analysis_that_fails_is_said_and_the_dump_is_gone_all_the_same() {
    let cases = [
        ("exit 7", "exit code 7", "Ended { exit: Code(7), memory_limit_mib: 512 }"),
        ("kill -SEGV $$", "SIGSEGV", "Ended { exit: Signal("),
        ("echo nonsense", "could not be read", "Unreadable {"),
        ("head -c 9000000 /dev/zero", "could not be read", "Unreadable {"),
        ("while :; do :; done", "longer than 10 s", "TookTooLong { limit_s: 10 }"),
    ];
    std::thread::scope(|scope| {
        for (script, reason, note) in cases {
            scope.spawn(move || {
                let crashed = analysed_by(script);
                let audit = crashed.audit.unwrap();
                assert!(audit.result.contains(reason), "{script}: {}", audit.result);
                let notes = format!("{:?}", crashed.findings.notes);
                assert!(notes.contains(&format!("NotAnalysed {{ why: {note}")), "{notes}");
            });
        }
    });
}

#[test]
fn the_last_words_are_told_where_the_analysis_of_the_dump_failed() {
    let analyse = format!("exec {} analyse", crate::support::exe().display());
    let cases = [
        ("kill -SEGV $$", "SIGSEGV"),
        ("exit 7", "exit code 7"),
        ("ulimit -v 100; exec cat", "may have reached its limit of 512 MiB"),
        ("while :; do :; done", "longer than 10 s"),
    ];
    std::thread::scope(|scope| {
        for (failure, reason) in cases {
            // only the first try has the dump
            let script = format!("case $(readlink /proc/$$/fd/3) in *memfd*) {failure};; esac; {analyse}");
            scope.spawn(move || {
                let mut run =
                    Run::start_with(program("crash", &["throw"]), true, |spec| spec.analyser = sh(&script));
                let crashed = run.wait_for_crash();
                assert_eq!(crashed.findings.exception_type, "std::runtime_error", "{failure}");
                let audit = crashed.audit.unwrap();
                assert!(audit.result.contains(reason), "{failure}: {}", audit.result);
                let mut files = std::fs::read_dir(&run.spec.crash_log_dir).unwrap();
                let text = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
                assert!(text.contains("order 42 not found"), "{failure}: {text}");
                run.acknowledge();
            });
        }
    });
}

#[test]
fn an_analyser_that_does_not_exist_is_said() {
    let mut run =
        Run::start_with(sh("exit 9"), false, |spec| spec.analyser = vec!["/no/analyser".to_owned()]);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.findings.exception_type, "exit status 9");
    let notes = &crashed.findings.notes;
    assert!(matches!(notes[0], Note::NotAnalysed { why: NotAnalysed::NotStarted { .. } }), "{notes:?}");
}

#[test]
fn the_analyser_is_limited() {
    let script = "ulimit -v; ulimit -t; ulimit -c; ulimit -f; ls -l /proc/$$/fd; env; exit 1";
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    // a limit of file sizes of 0 leaves a pipe to speak through
    std::process::Command::new("mkfifo").arg(&report).status().unwrap();
    let path = report.to_str().unwrap().to_owned();
    let reader = std::thread::spawn(move || std::fs::read_to_string(report).unwrap());
    let mut run = Run::start_with(program("crash", &["null"]), true, |spec| {
        spec.environment.insert("SECRET".to_owned(), "4711".to_owned());
        spec.analyser = sh(&format!("({script}) > {path}"));
    });
    run.wait_for_crash();
    let printed = reader.join().unwrap();
    assert!(printed.starts_with("524288\n10\n0\n0\n"), "{printed}");
    assert!(printed.contains("/memfd:medic") && !printed.contains("shim.sock"), "{printed}");
    assert!(!printed.contains("SECRET"), "{printed}");
}

/// What begins the reports of each runtime, alone and with what makes its reader look further ahead.
const HEADINGS: [&str; 40] = [
    "/a:1\n^\n",
    "a.js:1\n\n^\n\nUncaught:\n",
    "Uncaught Error: x\nFROM\n",
    "Error: x\n    at f (a.js:1:1)\n",
    "TypeError: x {\n  [cause]: Error: y\n",
    "FATAL ERROR: x\n",
    "----- Native stack trace -----\n 1: 0x1 f [a]\n",
    "#  Assertion failed: x\n",
    "Traceback (most recent call last):\n",
    "Traceback (most recent call last):\n  File \"a\", line 1, in f\n",
    "Traceback (most recent call last):\nE\nThe above exception was the direct cause of the following exception:\n",
    "  + Exception Group Traceback (most recent call last):\n",
    "  + Exception Group Traceback (most recent call last):\n  | E\n  +-+---------------- 1 ----------------\n",
    "Fatal Python error: x\n",
    "Current thread 0x1\n  File \"a\", line 1 in f\n",
    "  File \"a\", line 1\n",
    "Exception in thread \"a\" a.B\n",
    "Exception in thread \"a\" a.B\n\tat a(b)\n",
    "Caused by: a.B\n\tat a(b)\n\t... 1\n",
    "\tat a(b)\n",
    "# A fatal error has been detected by the Java Runtime Environment\n",
    "Unhandled exception. A.B: x\n",
    "Unhandled exception. A.B: x\n ---> C: y\n   at a()\n   --- End of inner exception stack trace ---\n",
    "Stack overflow.\n   at a()\n",
    "Process terminated. x\n",
    "panic: x\n",
    "panic: x\n\ngoroutine 1 [running]:\nf()\n\t/a:1\n",
    "goroutine 1 [running]:\n",
    "fatal error: x\n",
    "SIGSEGV: x\nPC=1\n",
    "thread 'a' panicked at a:1:\nx\n",
    "thread 'a' panicked at 'x', a:1\nstack backtrace:\n   1: f\n",
    "Error: a\n\nCaused by:\n",
    "PHP Fatal error:  Uncaught A: x in a:1\nStack trace:\n#0 a(1): f()\n\nNext B: y\n",
    "PHP Fatal error:  Uncaught A\n",
    "a:1:in 'f': x (A)\n\tfrom a:1:in 'g'\n",
    "a:1: [BUG] x\n-- Ruby level backtrace information\na:1:in 'f'\n",
    "terminate called after throwing an instance of 'a'\n  what():  x\n",
    "==1==ERROR: AddressSanitizer: x\n#0 0x1 in f a:1\n",
    "free(): invalid pointer\na: a:1: f: Assertion `x' failed.\n",
];

#[test]
fn headings_that_are_repeated_over_everything_kept_are_read_within_the_limits() {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = || {
        while let Some(heading) = HEADINGS.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("words");
            std::fs::write(&file, heading.repeat((64 << 10) / heading.len() + 1)).unwrap();
            let script = format!("cat {0} >&2; cat {0}; exit 1", file.display());
            let mut run = Run::start(sh(&script), false);
            let notes = run.wait_for_crash().findings.notes;
            let is_missing = |note: &Note| matches!(note, Note::NotAnalysed { .. });
            assert!(!notes.iter().any(is_missing), "{heading:?}: {notes:?}");
            run.acknowledge();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
}

#[test]
fn the_analyser_is_the_shims_own_program_whatever_became_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    for deleted in [true, false] {
        let exe = folder.path().join("shim");
        let _first = std::fs::remove_file(&exe);
        copy_program(crate::support::exe(), &exe);
        let mut run =
            Run::start_by(&exe, program("crash", &["wait_null"]), true, |spec| spec.analyser = vec![]);
        run.wait_for_line("ready");
        std::fs::remove_file(&exe).unwrap();
        if !deleted {
            std::fs::copy("/bin/false", &exe).unwrap();
        }
        crate::support::kill("USR1", run.pid);
        let crashed = run.wait_for_crash();
        assert_eq!(crashed.audit.as_ref().expect("a dump").result, "analysed");
        assert!(crashed.top_function("crash").starts_with("read_order"), "{:#?}", crashed.findings);
        run.acknowledge();
    }
}

#[test]
fn a_run_directory_may_have_a_long_name() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("d".repeat(120)).join("e".repeat(120));
    let spec = crate::support::spec(folder.path(), sh("exit 0"), false);
    shim::launch(&ForkServer::new(crate::support::exe()), &long, &spec).unwrap();
    let mut stream = shim::connect(&long).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stream.try_clone().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("\"ended\"")));
    std::io::Write::write_all(&mut stream, b"{\"type\":\"acknowledge\"}\n").unwrap();
    assert!(lines.next().is_none());
    assert!(!Path::new(&long).exists());
}
