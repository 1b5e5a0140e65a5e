//! What real runtimes printed when they died (`made` by the programs of each language, `synth` by hand for what is not installed
//! here), read as a table that a person can check.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

mod hostile;
mod leaks;
mod posted;
mod prefixed;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crash::last_words::{LastWords, read};
use crash::{Analysis, Death, Files, Limits, analyse};
use model::{CrashCause, Exit, Signal};

/// Stands in messages only.
const SECRETS: [&str; 3] = ["SECRET", "order 42", "second line"];

fn samples() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stderr");
    let mut paths: Vec<PathBuf> = ["given", "made"]
        .iter()
        .flat_map(|name| std::fs::read_dir(folder.join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

/// Those, and what people posted.
fn every_sample() -> Vec<(String, Vec<u8>)> {
    let posted = ["posted", "typed", "provoked"].iter().flat_map(|folder| posted::samples(folder));
    samples().into_iter().chain(posted.map(|(name, tail, _)| (name, tail))).collect()
}

fn row(name: &str, words: Option<&LastWords>) -> String {
    let Some(words) = words else { return format!("{name}: nothing") };
    let mut row = format!("{name}: {} | {}", words.runtime, words.exception_type);
    if let Some(thread) = &words.thread {
        write!(row, " | thread {thread}").unwrap();
    }
    if let Some(cause) = &words.cause {
        write!(row, " | caused by {cause}").unwrap();
    }
    if !words.certain {
        row.push_str(" | perhaps");
    }
    for frame in words.frames.iter().take(2) {
        write!(row, " | {} ({})", frame.place(), frame.source().unwrap_or_default()).unwrap();
    }
    write!(row, " | {} frames", words.frames.len()).unwrap();
    row
}

#[test]
fn every_sample_tells_its_type_and_calls() {
    let table: Vec<String> = samples().iter().map(|(name, tail)| row(name, read(tail).as_ref())).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn no_message_is_among_the_findings() {
    let mut with_message = 0;
    for (name, tail) in samples() {
        for exit in [Exit::Code(1), Exit::Signal(Signal(6))] {
            let analysis = analyse(&death(&tail, exit), &Limits::default());
            let findings = serde_json::to_string(&analysis.findings).unwrap();
            for secret in SECRETS {
                assert!(!findings.contains(secret), "{name}: {findings}");
            }
            with_message +=
                usize::from(analysis.message.is_some_and(|m| SECRETS.iter().any(|s| m.contains(s))));
        }
    }
    assert!(with_message > 60, "the messages are told apart from the findings: {with_message}");
}

#[test]
fn the_last_report_wins_over_what_was_logged_before() {
    let logged = "ERROR:root:failed\nTraceback (most recent call last):\n  File \"a.py\", line 1, in old\nKeyError: 'x'\n";
    let real = "Traceback (most recent call last):\n  File \"b.py\", line 2, in new\nValueError: y\n";
    let healthy = "serving\n".repeat(100);
    let kind = |text: &str| read(text.as_bytes()).map(|words| words.exception_type);
    assert_eq!(kind(&format!("{logged}{healthy}{real}")).as_deref(), Some("ValueError"));
    // Logged after the real one, as by a handler at exit, it is still the logged one.
    assert_eq!(kind(&format!("{real}{logged}")).as_deref(), Some("ValueError"));
    let only = read(format!("{logged}{healthy}").as_bytes()).unwrap();
    assert_eq!((only.exception_type.as_str(), only.certain, only.lines_after), ("KeyError", false, 100));
}

/// Ruby's report has hundreds of lines, some of which begin with whatever the program calls itself.
#[test]
fn of_rubys_report_nothing_is_told_as_what_followed_it() {
    for name in ["ruby_puma_segv", "ruby33_segv"] {
        let report = sample(name);
        let analysis = analysed(&report, "", Exit::Signal(Signal(11)));
        assert_eq!(analysis.findings.exception_type, "SIGSEGV");
        assert!(analysis.findings.notes.is_empty(), "{name}: {:?}", analysis.findings.notes);
        assert_eq!(read(report.as_bytes()).unwrap().lines_after, 0);
        let logged = format!("{report}{}", "GET / 200\n".repeat(60));
        assert_eq!(analysed(&logged, "", Exit::Signal(Signal(11))).findings.notes.len(), 1);
    }
}

fn analysed(standard_error: &str, standard_output: &str, exit: Exit) -> Analysis {
    let standard_output = standard_output.as_bytes();
    analyse(&Death { standard_output, ..death(standard_error.as_bytes(), exit) }, &Limits::default())
}

fn sample(name: &str) -> String {
    let (_, tail) = samples().into_iter().find(|(sample, _)| sample == name).unwrap();
    String::from_utf8(tail).unwrap()
}

#[test]
fn last_words_on_standard_output_are_read_where_standard_error_has_none() {
    let kind = |error: &str, output: &str, exit| analysed(error, output, exit).findings.exception_type;
    let (segv, served) = (Exit::Signal(Signal(11)), "GET / 200\n".repeat(300));
    let java = format!("{served}{}", sample("java_segv"));
    let analysis = analysed("warning: no such option\n", &java, segv);
    assert_eq!(analysis.findings.runtime, model::crash::Runtime::Java);
    assert_eq!(analysis.findings.crashing_thread.frames[0].function.as_deref(), Some("Unsafe_PutInt"));
    assert!(analysis.message.unwrap().starts_with("SIGSEGV (0xb)"));
    let php = format!("{served}\n{}", sample("php_exc").trim_start_matches("PHP "));
    assert_eq!(kind("", &php, Exit::Code(255)), "App\\OrderNotFound");

    // standard error is believed first, but not where its report does not explain the end
    let python = sample("py_exc");
    assert_eq!(kind(&sample("java_exc"), &php, Exit::Code(1)), "Crash$OrderNotFound");
    assert_eq!(kind(&python, &java, segv), "SIGSEGV");
    assert_eq!(analysed(&python, &java, segv).findings.runtime, model::crash::Runtime::Java);
}

#[test]
fn an_exception_in_a_log_on_standard_output_is_not_the_end() {
    let kind = |output: &str| analysed("", output, Exit::Code(1)).findings.exception_type;
    let (report, served) = (sample("py_exc"), "GET / 200\n".repeat(11));
    assert_eq!(kind(&report), "OrderNotFound");
    assert_eq!(kind(&format!("{report}{served}")), "exit status 1");
    assert_eq!(kind(&format!("{report}{served}{report}")), "OrderNotFound");
    // what a log may hold too is not believed at its very end either
    let logged = sample("java_pst");
    assert_ne!(analysed(&logged, "", Exit::Code(1)).findings.exception_type, "exit status 1");
    assert_eq!(kind(&logged), "exit status 1");
}

#[test]
fn an_exception_that_a_log_calls_the_end_is_the_end() {
    let kind = |output: &str| analysed("", output, Exit::Code(1)).findings.exception_type;
    let trace = "java.lang.IllegalStateException: x\n\tat shop.Main.main(Main.java:3)\n";
    assert_eq!(kind(trace), "exit status 1");
    let json =
        serde_json::json!({"level": "ERROR", "message": "Application run failed", "stack_trace": trace});
    for output in [
        format!("Application run failed\n\n{trace}"),
        format!("2026-01-01 ERROR (main) Failed to start application: {trace}"),
        format!("{json}\n"),
    ] {
        assert_eq!(kind(&output), "java.lang.IllegalStateException", "{output}");
    }
    let uncaught = "error: uncaughtException: x\nTypeError: x\n    at f (/srv/a.js:1:1)\n";
    assert_eq!(kind(uncaught), "TypeError");
}

#[test]
fn an_end_without_a_report_keeps_the_last_lines() {
    let message = |error: &str, output: &str| analysed(error, output, Exit::Code(1)).message;
    assert_eq!(message("no database\n", "GET /\n").as_deref(), Some("no database"));
    assert_eq!(message("\n \n", "starting\nno database\n").as_deref(), Some("starting\nno database"));
    assert_eq!(message("", ""), None);
}

#[test]
fn a_report_whose_heading_is_out_of_the_tail_is_still_told() {
    let python: String = (0..900)
        .map(|at| format!("  File \"/srv/a.py\", line {at}, in {}\n    go()\n", ["walk", "visit"][at % 2]))
        .chain(["RecursionError: maximum recursion depth exceeded\n".to_owned()])
        .collect();
    let words = read(&python.as_bytes()[13..]).unwrap();
    assert_eq!(
        (words.exception_type.as_str(), words.frames[0].place().as_str()),
        ("RecursionError", "visit")
    );
    let java = "\tat shop.Tree.walk(Tree.java:3)\n".repeat(1_000);
    let words = read(&java.as_bytes()[7..]).unwrap();
    assert_eq!((words.exception_type.as_str(), words.certain), ("java.lang.StackOverflowError", false));
}

#[test]
fn a_word_of_a_message_is_no_type() {
    assert_eq!(read(b"Error: Smith\n"), None);
    assert_eq!(read(b"Error: SECRET-4711 is not here\n"), None);
}

#[test]
fn colours_carriage_returns_and_broken_bytes_are_no_obstacle() {
    let tail = b"\xff\xfe half a line\r\n\x1b[31mTraceback (most recent call last):\x1b[0m\r\n  File \"a\xe2\x80\xae.py\", line 7, in \x1b[1mload\x1b[0m\r\nKeyError: 1\r\n";
    let words = read(tail).unwrap();
    assert_eq!(words.frames[0].function.as_deref(), Some("load"));
    assert_eq!(words.frames[0].file.as_deref(), Some("a.py"));
}

/// No file is looked at without a dump.
fn machine() -> &'static Files {
    static FILES: std::sync::LazyLock<Files> = std::sync::LazyLock::new(Files::of_machine);
    &FILES
}

fn death(tail: &[u8], exit: Exit) -> Death<'_> {
    let cause = if matches!(exit, Exit::Code(_)) { CrashCause::Exit } else { CrashCause::Signal };
    Death {
        exit,
        cause,
        standard_error: tail,
        standard_output: b"",
        dump: None,
        files: machine(),
        program: "shop",
        perf_map: None,
        python_calls: None,
    }
}

/// glibc's texts are told to everybody as the type, so nothing else may pass for one.
#[test]
fn what_only_begins_like_a_text_of_the_c_library_is_no_type() {
    let kind = |text: &str| read(text.as_bytes()).map(|words| words.exception_type);
    assert_eq!(kind("free(): invalid pointer\n").as_deref(), Some("free(): invalid pointer"));
    for text in [
        "free(): SECRET-4711",
        "double free or corruption (SECRET)",
        "malloc(): invalid size (unsorted) SECRET",
        "corrupted size vs. prev_size of order 42",
        "*** stack smashing detected of SECRET ***: terminated",
        "*** Error in `shop': free(): SECRET: 0x0000 ***",
    ] {
        assert_eq!(kind(&format!("{text}\n")), None, "{text}");
    }
}
