//! CPython: tracebacks (outermost call first), their chains and groups, syntax errors, and what `faulthandler` prints.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message, python_group};
use crate::text::{printed, type_and_message};

const TRACEBACK: &str = "Traceback (most recent call last):";
const CHAINS: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// The line before a traceback that the process survives.
const SURVIVED: [&str; 6] = [
    "Exception ignored in",
    "Exception ignored on",
    "Exception ignored while",
    "--- Logging error ---",
    "Task exception was never retrieved",
    "future: <Task",
];

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    fatal_error(lines, at)
        .or_else(|| traceback(lines, at))
        .or_else(|| python_group::read(lines, at, None))
        .or_else(|| syntax_error(lines, at))
        .or_else(|| headless(lines, at))
}

/// A recursion through several functions prints a thousand calls: their heading is out of the tail, the exception at the end is
/// not.
fn headless(lines: &[&str], start: usize) -> Option<Report> {
    if start > 2 || !lines[start].starts_with("  File \"") || !lines[start].contains(", in ") {
        return None;
    }
    let Block { kind, message: text, frames, at } = block(lines, start)?;
    let words =
        LastWords::new(Runtime::Python, kind).with_message(text).with_frames(frames).ending(Ends::ByExit);
    Some(Report { words, end: at + 1 })
}

/// One `Traceback` with its exception.
pub(super) struct Block<'t> {
    pub(super) kind: &'t str,
    pub(super) message: &'t str,
    /// Innermost first.
    pub(super) frames: Vec<Frame>,
    /// The line of the exception.
    pub(super) at: usize,
}

fn traceback(lines: &[&str], start: usize) -> Option<Report> {
    let thread = lines[start].strip_prefix("Exception in thread ").and_then(|rest| rest.strip_suffix(':'));
    let header = if thread.is_some() { start + 1 } else { start };
    if *lines.get(header)? == python_group::HEADER {
        return python_group::read(lines, header, thread);
    }
    if *lines.get(header)? != TRACEBACK {
        return None;
    }
    let mut last = block(lines, header + 1)?;
    let mut cause = None;
    while let Some(next) = chained(lines, last.at + 1) {
        if lines[next] == python_group::HEADER
            && let Some(mut report) = python_group::read(lines, next, thread)
        {
            report.words.cause = report.words.cause.or_else(|| Some(last.kind.to_owned()));
            return Some(report);
        }
        // of a chain that breaks off, what was read is told: to begin again behind each of its links would take for ever
        let Some(link) = block(lines, next + 1) else { break };
        cause = Some(last.kind);
        last = link;
    }
    let whole = message(last.message, ahead(lines, last.at + 1, super::MESSAGE_LINES), str::is_empty);
    let words = LastWords::new(Runtime::Python, last.kind)
        .with_message(&whole)
        .with_thread(thread.map(thread_name))
        .with_frames(last.frames)
        .with_cause(cause)
        .ending(Ends::ByExit);
    let words = if was_logged(lines, start) { words.perhaps() } else { words };
    Some(Report { words, end: last.at + 1 })
}

/// `Thread-1 (worker)` is the name and the function that it ran.
fn thread_name(thread: &str) -> &str {
    thread.split_once(" (").map_or(thread, |(name, _)| name)
}

/// A record of `logging` before the traceback, or one of the reports that Python goes on after.
fn was_logged(lines: &[&str], start: usize) -> bool {
    let Some(before) = start.checked_sub(1).map(|before| lines[before]) else { return false };
    let levels = ["ERROR", "CRITICAL", "WARNING", "INFO", "DEBUG", "EXCEPTION"];
    SURVIVED.iter().any(|survived| before.starts_with(survived))
        || levels.iter().any(|level| before.split(|c: char| !c.is_alphabetic()).any(|word| word == *level))
}

/// Reads from the line after the header to the exception's line.
pub(super) fn block<'t>(lines: &[&'t str], start: usize) -> Option<Block<'t>> {
    let mut frames = Vec::new();
    for (at, line) in lines.iter().enumerate().skip(start) {
        if let Some(frame) = call(line) {
            frames.push(frame);
        } else if !line.is_empty() && !line.starts_with([' ', '\t']) {
            let (kind, message) = type_and_message(line)?;
            frames.reverse();
            return Some(Block { kind, message, frames, at });
        }
    }
    None
}

/// `  File "/srv/a.py", line 7, in load_order`; the place of a syntax error has no function, `faulthandler` no comma.
pub(super) fn call(line: &str) -> Option<Frame> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let function = rest.strip_prefix(',').unwrap_or(rest).strip_prefix(" in ").unwrap_or("<module>");
    Some(printed(function, file, number.parse().ok()))
}

/// The header of the next traceback of a chain, if one follows the exception that ends before `at`. A message of several lines
/// may stand between.
fn chained(lines: &[&str], at: usize) -> Option<usize> {
    let between = ahead(lines, at, super::MESSAGE_LINES);
    let link = between.iter().position(|line| CHAINS.contains(line) || *line == TRACEBACK)?;
    if !CHAINS.contains(&between[link]) {
        return None;
    }
    let next = lines.iter().enumerate().skip(at + link + 1).find(|(_, line)| !line.is_empty())?;
    (*next.1 == TRACEBACK || *next.1 == python_group::HEADER).then_some(next.0)
}

/// The interpreter could not even compile the program: no traceback, only the place.
fn syntax_error(lines: &[&str], start: usize) -> Option<Report> {
    if !lines[start].starts_with("  File \"") || lines[start].contains(", in ") {
        return None;
    }
    let place = call(lines[start])?;
    let (offset, line) = ahead(lines, start + 1, 6)
        .iter()
        .enumerate()
        .find(|(_, line)| !line.is_empty() && !line.starts_with(' '))?;
    let (kind, text) = type_and_message(line).filter(|(kind, _)| kind.ends_with("Error"))?;
    let words = LastWords::new(Runtime::Python, kind)
        .with_message(text)
        .with_frames(vec![place])
        .ending(Ends::ByExit);
    Some(Report { words, end: start + 2 + offset })
}

/// `faulthandler` and the interpreter's own aborts: `Fatal Python error: …`, then each thread's stack, innermost call first.
fn fatal_error(lines: &[&str], start: usize) -> Option<Report> {
    let text = lines[start].strip_prefix("Fatal Python error: ")?;
    let mut end = start + 1;
    let mut current = None;
    let mut first = None;
    while let Some(line) = lines.get(end) {
        let belongs = line.is_empty()
            || line.starts_with("  ")
            || ["Python runtime state", "Thread 0x", "Current thread", "Extension modules", "Stack (most"]
                .iter()
                .any(|start| line.starts_with(start));
        if !belongs {
            break;
        }
        if line.starts_with("Current thread") {
            current.get_or_insert(end);
        } else if line.starts_with("Thread 0x") || line.starts_with("Stack (most") {
            first.get_or_insert(end);
        }
        end += 1;
    }
    let frames = current
        .or(first)
        .map(|header| ahead(lines, header + 1, 1_000).iter().map_while(|line| call(line)).collect())
        .unwrap_or_default();
    let kind = match text.split(": ").next().unwrap_or(text) {
        "Segmentation fault" => "SIGSEGV",
        "Aborted" => "SIGABRT",
        "Bus error" => "SIGBUS",
        "Floating point exception" | "Floating-point exception" => "SIGFPE",
        "Illegal instruction" => "SIGILL",
        "Stack overflow" | "Cannot recover from stack overflow." | "_Py_CheckRecursiveCall" => {
            "Stack overflow"
        }
        _ => "Fatal Python error",
    };
    let words = LastWords::new(Runtime::Python, kind)
        .with_message(text)
        .with_frames(frames)
        .ending(if kind == "Fatal Python error" { Ends::Either } else { Ends::BySignal });
    Some(Report { words, end })
}
