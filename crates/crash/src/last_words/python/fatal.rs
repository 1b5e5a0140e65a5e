//! `faulthandler` and the interpreter's own aborts: `Fatal Python error: …`, then each thread's stack, innermost call first.
//! 3.14 adds the names of threads and the stack in C; log drains put empty lines between the calls.

use model::crash::{Frame, Runtime};

use super::{LastWords, call};
use crate::kinds;
use crate::last_words::Ends;
use crate::last_words::report::{At, Line, Report};

const HEADING: &str = "Fatal Python error: ";
/// What begins the lines of the report.
const PARTS: [&str; 7] = [
    "Python runtime state",
    "Thread 0x",
    "Current thread",
    "Extension modules",
    "Stack (most",
    "File \"",
    "Binary file \"",
];
const MAX_LINES: usize = 4_000;
/// How many lines of others may stand between.
const MAX_FOREIGN: usize = 3;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix(HEADING)?;
    let body = &at.below(MAX_LINES)[..body_end(at.below(MAX_LINES))];
    let heading = |starts: &[&str]| {
        body.iter().position(|line| starts.iter().any(|start| line.trim_start().starts_with(start)))
    };
    let heading = heading(&["Current thread 0x"]).or_else(|| heading(&["Thread 0x", "Stack (most"]));
    let frames = heading.map(|heading| calls(&body[heading + 1..])).unwrap_or_default();
    let kind = match text.split(": ").next().unwrap_or(text) {
        "Segmentation fault" => "SIGSEGV",
        "Aborted" => "SIGABRT",
        "Bus error" => "SIGBUS",
        "Floating point exception" | "Floating-point exception" => "SIGFPE",
        "Illegal instruction" => "SIGILL",
        "Stack overflow" | "Cannot recover from stack overflow." | "_Py_CheckRecursiveCall" => {
            kinds::STACK_OVERFLOW
        }
        _ => "Fatal Python error",
    };
    let words = LastWords::new(Runtime::Python, kind)
        .with_message(text)
        .with_frames(frames)
        .ending(if kind == "Fatal Python error" { Ends::Either } else { Ends::BySignal });
    Some(Report::of(words, at, body.len()))
}

/// The line after the last that belongs to the report.
fn body_end(body: &[Line<'_>]) -> usize {
    let (mut end, mut foreign) = (0, 0);
    for (at, line) in body.iter().enumerate() {
        let line = line.trim_start();
        if PARTS.iter().any(|part| line.starts_with(part)) || (line.starts_with('<') && end > 0) {
            (end, foreign) = (at + 1, 0);
        } else if line.starts_with(HEADING) {
            break;
        } else if !line.is_empty() {
            foreign += 1;
            if foreign > MAX_FOREIGN {
                break;
            }
        }
    }
    end
}

/// The calls of one thread: up to the next heading.
fn calls(lines: &[Line<'_>]) -> Vec<Frame> {
    lines
        .iter()
        .filter(|line| !line.is_empty())
        .take_while(|line| {
            !line.contains("(most recent call first)") && !line.starts_with("Extension modules")
        })
        .filter_map(|line| call(line))
        .collect()
}
