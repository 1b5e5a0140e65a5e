//! An output may be anything: endless, cut off, or made to make a reader begin again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crash::last_words::read;
use crash::{Limits, analyse};
use model::Exit;
use proptest::prelude::*;

use crate::{death, every_sample};

const TAIL_BYTES: usize = 64 << 10;

/// What begins a report, and what could be taken for that.
fn headings() -> BTreeSet<String> {
    let made = [
        "/a:1\n^\n",
        "a:1\n\n^\n",
        "panic: \n",
        "Next a: b\n",
        "[BUG] x\n",
        "#0 a\n",
        "\tat a(b)\n",
        "{\"a\":",
        "[[[[",
        "Error: A(",
        "a: ",
        "Error: Error ",
        "a-1  | Error: x\n",
        "\" ---> A: \"\n",
        "X: y ---> X: y\n",
        "Caused by: a.B: x\n",
        " ---> A.B: x\n",
        "Error: x\n    at a (b.js:1:1)\n",
        "A: x\n",
        "KeyError: x\n",
        "goroutine 1 [running]:\n",
        "goroutine 1 [running]:\nmain.a()\n\t/a.go:1\n",
        "1 | a\n",
        "{\"a\":\"Error: x\\n\"}\n",
        "Fatal Python error: x\n",
        "  File \"a.py\", line 1, in a\n",
        "Traceback (most recent call last):\n\n",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\nA: b\n\nDuring handling of the above exception, another exception occurred:\n\n",
        "+ Exception Group Traceback (most recent call last):\n|\n",
        "╭─ Traceback (most recent call last) ─╮\n",
        "thread 'a' panicked at 'b\n",
        "Error:\n   0: a\n",
        "a.rb:1:in 'a': b (\n",
        "PHP Fatal error:  Uncaught a\n",
        "2024-01-01T00:00:00Z ",
        "[1] [1] ",
        "==1==ERROR: AddressSanitizer: a\n",
        "F0101 a:1] b\n",
        "[a] b\n[a]   c\n",
        "a b c: d\na b c:   d\n",
        "stack: 'Error: x\\n' +\n",
        "{\"log\":\"a\\n\"}\n",
        "{\"a",
        "<1>1 ",
        "x (AError)\n",
        "AError: x in /a.php:1\nStack trace:\n",
        "AError: x\nStack trace:\n#0 {main}\n",
        "[AError: x] {\n    at a (b.js:1:1)\n",
        "│ /a.py:1 in\n",
        "A: x\n  File \"a.py\", line 1, in a\n",
    ];
    // of lines that begin alike one: they take the same way through the readers
    let mut of_samples = BTreeMap::new();
    for (_, tail) in every_sample() {
        let text = String::from_utf8_lossy(&tail).into_owned();
        if let Some(line) = text.lines().find(|line| !line.trim().is_empty()) {
            let begins: String = line.chars().filter(|c| !c.is_numeric()).take(10).collect();
            of_samples.entry(begins).or_insert_with(|| format!("{line}\n"));
        }
    }
    made.map(str::to_owned).into_iter().chain(of_samples.into_values()).collect()
}

fn repeated(heading: &str) -> String {
    heading.repeat(TAIL_BYTES / heading.len() + 1)
}

/// No reader may call itself for each heading, or look at the rest of the output behind each. The analyser has a limit on memory
/// and on processor time, in which nothing could be told.
#[test]
fn a_heading_that_is_repeated_over_the_whole_tail_is_read_within_the_limits_of_the_analyser() {
    let program = std::env::current_exe().unwrap();
    let headings: Vec<String> = headings().into_iter().collect();
    let next = AtomicUsize::new(0);
    let read_some = || {
        while let Some(heading) = headings.get(next.fetch_add(1, Relaxed)) {
            let mut child = Command::new("/bin/sh")
                .args(["-c", "ulimit -v 524288 && ulimit -t 10 && exec \"$@\"", "sh"])
                .arg(&program)
                .args(["--exact", "hostile::what_is_on_standard_input_is_read", "--ignored"])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(repeated(heading).as_bytes()).unwrap();
            assert!(child.wait().unwrap().success(), "{heading:?}");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(read_some);
        }
    });
}

#[test]
#[ignore = "the other half of the test above, started by it"]
fn what_is_on_standard_input_is_read() {
    let mut tail = Vec::new();
    std::io::stdin().read_to_end(&mut tail).unwrap();
    assert!(!analyse(&death(&tail, Exit::Code(1)), &Limits::default()).findings.signature.is_empty());
}

/// Most lines of the samples, each alone at the end of a cut-off report.
#[test]
fn a_report_whose_beginning_is_cut_off_is_no_panic() {
    for (_, tail) in every_sample() {
        for cut in (0..tail.len()).step_by(97) {
            let _ = read(&tail[cut..]);
            let _ = read(&tail[..cut]);
        }
    }
}

#[test]
fn a_tail_of_one_endless_line_is_read_fast_and_kept_short() {
    let mut tail = b"Traceback (most recent call last):\n  File \"".to_vec();
    tail.extend(std::iter::repeat_n(b'a', 30_000));
    tail.extend(b"\", line 1, in ");
    tail.extend(std::iter::repeat_n(b'b', 30_000));
    tail.extend(b"\nKeyError: 1\n");
    let frame = read(&tail).unwrap().frames.remove(0);
    assert_eq!(frame.function.unwrap().chars().count(), 512);
    assert_eq!(frame.file.unwrap().chars().count(), 512);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read_without_panic(tail in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = read(&tail);
    }

    /// Lines of the reports in any order reach further into the readers than random bytes.
    #[test]
    fn any_lines_of_reports_are_read_without_panic(picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..60)) {
        let lines = shards();
        let text: Vec<&str> = picks.iter().map(|pick| pick.get(&lines).as_str()).collect();
        let words = read(text.join("\n").as_bytes());
        if let Some(words) = words {
            prop_assert!(words.exception_type.chars().count() <= 200);
        }
    }
}

fn shards() -> Vec<String> {
    every_sample()
        .iter()
        .filter(|(_, tail)| tail.len() < 4_000)
        .flat_map(|(_, tail)| String::from_utf8_lossy(tail).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
