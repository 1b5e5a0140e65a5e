//! Native crashes of Python programs: the program's calls beside the machine's.

use std::path::{Path, PathBuf};

use model::crash::{Frame, Note, Runtime};
use model::{Exit, Signal};

use crate::support::{Crashed, Run, copy_program, exe, programs, sh};

/// Every interpreter of this machine: the one in PATH may be linked in another way than the system's.
fn interpreters() -> Vec<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let in_path = path.split(':').map(|folder| Path::new(folder).join("python3")).find(|file| file.exists());
    let mut found: Vec<PathBuf> = [in_path, Some("/usr/bin/python3".into())]
        .into_iter()
        .flatten()
        // shims of pyenv and the like start another program
        .filter_map(|file| {
            let real =
                std::process::Command::new(file).args(["-c", "import sys; print(sys.executable)"]).output();
            std::fs::canonicalize(String::from_utf8(real.ok()?.stdout).ok()?.trim()).ok()
        })
        .collect();
    found.sort();
    found.dedup();
    if found.is_empty() {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "Python is not installed");
        eprintln!("skipped: Python is not installed");
    }
    found
}

fn program(python: &Path, argument: &str) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/native_fault.py");
    [python, &script, Path::new(argument)].map(|part| part.to_str().unwrap().to_owned()).to_vec()
}

fn crash(python: &Path, argument: &str) -> Crashed {
    let mut run = Run::start(program(python, argument), true);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.exit, Exit::Signal(Signal(libc::SIGSEGV)));
    run.acknowledge();
    crashed
}

/// The calls of the program itself.
fn own(crashed: &Crashed) -> Vec<(&str, u32)> {
    let is_own = |frame: &&Frame| frame.file.as_deref().is_some_and(|file| file.ends_with("native_fault.py"));
    let frames = crashed.findings.crashing_thread.frames.iter().filter(is_own);
    frames
        .map(|frame| (frame.function.as_deref().unwrap().rsplit('.').next().unwrap(), frame.line.unwrap()))
        .collect()
}

#[test]
fn a_native_crash_is_shown_with_the_calls_of_the_python_program() {
    for python in interpreters() {
        let crashed = crash(&python, "now");
        let findings = &crashed.findings;
        let calls = [("charge", 10), ("pay", 14), ("<lambda>", 19), ("sort_by", 19), ("<module>", 34)];
        assert_eq!(own(&crashed), calls, "{findings:#?}");
        assert_eq!((findings.runtime, findings.notes.len()), (Runtime::Python, 0), "{:?}", findings.notes);
        let frames = &findings.crashing_thread.frames;
        assert!(frames[0].module.as_deref().is_some_and(|module| module.starts_with("libc")), "{frames:#?}");
        assert!(findings.signature.ends_with("string_at | Till.charge"), "{}", findings.signature);
        assert!(!frames.iter().any(|frame| frame.function.as_deref() == Some("_PyEval_EvalFrameDefault")));
    }
}

#[test]
fn the_calls_are_those_of_the_thread_that_crashed() {
    for python in interpreters() {
        let crashed = crash(&python, "thread");
        assert_eq!(own(&crashed).last(), Some(&("sort_by", 19)), "{:#?}", crashed.findings);
    }
}

/// What a note says of calls that could not be read.
fn unread(crashed: &Crashed) -> &str {
    let mut errors = crashed.findings.notes.iter().filter_map(|note| match note {
        Note::PythonCallsUnread { error, .. } => Some(error.as_str()),
        _ => None,
    });
    errors.next().unwrap_or_default()
}

#[test]
fn an_interpreter_that_makes_no_sense_costs_its_calls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("python3.11");
    copy_program(&programs().join("hostile_python"), &program);
    let mut run = Run::start(vec![program.to_str().unwrap().to_owned()], true);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.top_function("python3.11"), "main", "{:#?}", crashed.findings);
    assert_eq!(crashed.audit.as_ref().unwrap().result, "analysed");
    assert!(!unread(&crashed).is_empty(), "{:?}", crashed.findings.notes);
    run.acknowledge();
}

#[test]
fn a_reader_that_fails_costs_the_calls_alone() {
    let analyse = format!("exec {} analyse", exe().display());
    let cases = [
        ("sleep 100", "timed out"),
        ("kill -SEGV $$", "failed on the process's memory"),
        ("exit 0", "failed on the process's memory"),
        ("echo nonsense", "failed on the process's memory"),
        ("cat /dev/zero", "file too large"),
        ("ulimit -v 100; exec cat", "failed on the process's memory"),
    ];
    let Some(python) = interpreters().pop() else { return };
    std::thread::scope(|scope| {
        for (failure, reason) in cases {
            let python = &python;
            // only the reader has a memory
            let script = format!("case $(readlink /proc/$$/fd/3) in */mem) {failure};; esac; {analyse}");
            scope.spawn(move || {
                let mut run =
                    Run::start_with(program(python, "now"), true, |spec| spec.analyser = sh(&script));
                let crashed = run.wait_for_crash();
                assert_eq!(crashed.audit.as_ref().unwrap().result, "analysed", "{failure}");
                assert!(own(&crashed).is_empty(), "{failure}");
                assert!(unread(&crashed).contains(reason), "{failure}: {:?}", crashed.findings.notes);
                run.acknowledge();
            });
        }
    });
}
