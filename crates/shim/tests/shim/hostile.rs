//! Analysers that fail, and clients that send nonsense.

use std::io::Write;
use std::path::Path;

use engine::{Exit, Signal};
use shim::protocol::FromShim;

use crate::support::{Crashed, Run, program, sh};

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
        ("exit 7", "exit status 7"),
        ("kill -SEGV $$", "SIGSEGV"),
        ("echo nonsense", "could not be read"),
        ("head -c 9000000 /dev/zero", "could not be read"),
        ("while :; do :; done", "longer than 10 s"),
    ];
    std::thread::scope(|scope| {
        for (script, reason) in cases {
            scope.spawn(move || {
                let crashed = analysed_by(script);
                let audit = crashed.audit.unwrap();
                assert!(audit.result.contains(reason), "{script}: {}", audit.result);
                assert!(
                    crashed.findings.notes.iter().any(|note| note.contains(reason)),
                    "{:?}",
                    crashed.findings
                );
            });
        }
    });
}

#[test]
fn the_last_words_are_told_where_the_analysis_of_the_dump_failed() {
    let analyse = format!("exec {} analyse", crate::support::exe().display());
    let cases = [
        ("kill -SEGV $$", "SIGSEGV"),
        ("exit 7", "exit status 7"),
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
    assert!(crashed.findings.notes[0].contains("could not be started"), "{:?}", crashed.findings.notes);
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

#[test]
fn nonsense_ends_the_connection_and_nothing_else() {
    let mut run = Run::start(sh("exec sleep 1000"), false);
    for nonsense in [&b"hello\n"[..], b"{\"type\":\"signal\"}\n", b"\0\xff\n", b"[[[[\n"] {
        let mut stream = shim::connect(&run.run_dir()).unwrap();
        stream.write_all(nonsense).unwrap();
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut stream, &mut rest).unwrap();
        assert!(rest.starts_with("{\"type\":\"state\""), "{rest}");
    }
    // a line without end
    let mut stream = shim::connect(&run.run_dir()).unwrap();
    while stream.write_all(&[b'x'; 4_096]).is_ok() {}
    assert!(matches!(run.reconnect(), FromShim::State { .. }));
}

#[test]
fn a_run_directory_may_have_a_long_name() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("d".repeat(120)).join("e".repeat(120));
    let spec = crate::support::spec(folder.path(), sh("exit 0"), false);
    shim::launch(crate::support::exe(), &long, &spec).unwrap();
    let mut stream = shim::connect(&long).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(stream.try_clone().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("\"ended\"")));
    stream.write_all(b"{\"type\":\"acknowledge\"}\n").unwrap();
    assert!(lines.next().is_none());
    assert!(!Path::new(&long).exists());
}
