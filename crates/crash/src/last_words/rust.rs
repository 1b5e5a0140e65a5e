//! Rust: panics in their old and new forms with a backtrace if one was asked for, stack overflows, and `main` returning an error.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{file_line, printed};

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    panic(lines, at)
        .or_else(|| overflow(lines, at))
        .or_else(|| out_of_memory(lines, at))
        .or_else(|| returned_error(lines, at))
}

/// A panic that came of another: of the first one's clean-up, or in the thread that waited for the one that panicked.
pub(super) fn is_second_panic(words: &LastWords) -> bool {
    let seconds = [
        "panic in a destructor during cleanup",
        "panic in a function that cannot unwind",
        "called `Result::unwrap()` on an `Err` value: Any {",
    ];
    words.runtime == Runtime::Rust
        && words.message.as_deref().is_some_and(|text| seconds.iter().any(|second| text.starts_with(second)))
}

/// What follows `thread 'name' ` or, since 1.91, `thread 'name' (id) `.
fn of_thread(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("thread '")?;
    let at = ["' panicked at ", "' has overflowed", "' ("].iter().filter_map(|mark| rest.find(mark)).min()?;
    let (name, rest) = rest.split_at(at);
    let rest = rest.strip_prefix("' ")?;
    let numbered = rest.strip_prefix('(').and_then(|rest| rest.split_once(") "));
    Some((name, numbered.map_or(rest, |(_, rest)| rest)))
}

fn panic(lines: &[&str], start: usize) -> Option<Report> {
    let (thread, rest) = of_thread(lines[start])?;
    let rest = rest.strip_prefix("panicked at ")?;
    // Before 1.73 the message came first, in quotes and on the same line.
    let old = rest.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', "));
    let (place, first, more) = match old {
        Some((text, place)) => (place, text, start + 1),
        None => (rest.trim_end_matches(':'), lines.get(start + 1).copied().unwrap_or_default(), start + 2),
    };
    let ends = |line: &str| {
        line.is_empty()
            || line == "stack backtrace:"
            || line.starts_with("note: ")
            || line.starts_with("thread '")
    };
    let first = if ends(first) { "" } else { first };
    let body = ahead(lines, more, super::MESSAGE_LINES);
    let text = if old.is_some() || first.is_empty() { first.to_owned() } else { message(first, body, ends) };
    let trace = ahead(lines, start + 1, super::MESSAGE_LINES)
        .iter()
        .take_while(|line| !line.starts_with("thread '"))
        .position(|line| *line == "stack backtrace:");
    let (mut frames, end) = trace.map_or((Vec::new(), start + 1), |to| backtrace(lines, start + 2 + to));
    if frames.is_empty() {
        let (file, line) = file_line(place);
        frames.push(printed("", file, line));
    }
    let words = LastWords::new(Runtime::Rust, "panic")
        .with_message(&text)
        .with_thread(Some(thread))
        .with_frames(frames);
    Some(Report { words, end })
}

/// `   6: shop::handle` (in full form with its address), then `             at ./src/main.rs:5:70`.
fn backtrace(lines: &[&str], start: usize) -> (Vec<Frame>, usize) {
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = start;
    while let Some(line) = lines.get(at) {
        let line = line.trim_start();
        if let Some(place) = line.strip_prefix("at ") {
            if let Some(frame) = frames.last_mut() {
                let (file, number) = file_line(place);
                let of_call = printed("", file, number);
                (frame.file, frame.line) = (of_call.file, of_call.line);
            }
        } else if let Some((_, call)) =
            line.split_once(": ").filter(|(number, _)| number.parse::<u16>().is_ok())
        {
            let call = call.trim_start();
            let function = call
                .strip_prefix("0x")
                .and_then(|call| call.split_once(" - "))
                .map_or(call, |(_, call)| call);
            frames.push(printed(&without_hashes(function.trim()), "", None));
        } else {
            break;
        }
        at += 1;
    }
    (without_machinery(frames), at)
}

/// `std[e28293b1aa0f68bd]::io::Stderr` and `shop::load::hc75fed84d4bdcc39` as they were written: the full form has the hashes
/// that tell crates and functions of one name apart.
fn without_hashes(function: &str) -> String {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let function =
        function.rsplit_once("::h").filter(|(_, hash)| is_hash(hash)).map_or(function, |(path, _)| path);
    let mut short = String::with_capacity(function.len());
    let mut parts = function.split('[');
    short.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once(']').filter(|(hash, _)| is_hash(hash)) {
            Some((_, rest)) => short.push_str(rest),
            None => short.extend(["[", part]),
        }
    }
    short
}

/// Without the calls from the panic to its report. Those of the standard library that found the fault stay.
fn without_machinery(frames: Vec<Frame>) -> Vec<Frame> {
    let machinery = |frame: &Frame| {
        frame.function.as_deref().is_some_and(|function| {
            [
                "core::panicking::",
                "std::panicking::",
                "std::rt::",
                "std::backtrace",
                "std::sys::backtrace",
                "std::sys_common::backtrace",
                "<std::",
            ]
            .iter()
            .any(|start| function.starts_with(start))
                || function.contains("rust_begin_unwind")
                || function.contains("rust_panic")
                || function.contains("std::backtrace_rs")
        })
    };
    let own = frames.iter().take(40).rposition(|frame| {
        frame.function.as_deref().is_some_and(|function| {
            function.contains("rust_begin_unwind")
                || function.starts_with("core::panicking::")
                || function.starts_with("std::panicking::begin_panic")
        })
    });
    let own = own.map_or(0, |at| at + 1).max(frames.iter().take_while(|frame| machinery(frame)).count());
    if own == frames.len() { frames } else { frames.into_iter().skip(own).collect() }
}

fn overflow(lines: &[&str], start: usize) -> Option<Report> {
    let (thread, rest) = of_thread(lines[start])?;
    if !rest.starts_with("has overflowed its stack") {
        return None;
    }
    let more = lines.get(start + 1).filter(|line| line.starts_with("fatal runtime error: "));
    let words = LastWords::new(Runtime::Rust, "Stack overflow")
        .with_message(more.copied().unwrap_or("has overflowed its stack"))
        .with_thread(Some(thread))
        .ending(Ends::BySignal);
    Some(Report { words, end: start + 1 + usize::from(more.is_some()) })
}

fn out_of_memory(lines: &[&str], start: usize) -> Option<Report> {
    let line = lines[start];
    let kind = if line.starts_with("memory allocation of ") && line.contains(" bytes failed") {
        "Out of memory"
    } else if line.starts_with("fatal runtime error: ") {
        "fatal runtime error"
    } else {
        return None;
    };
    let words = LastWords::new(Runtime::Rust, kind).with_message(line).ending(Ends::BySignal);
    Some(Report { words, end: start + 1 })
}

/// `Error: ParseIntError { kind: InvalidDigit }`, or a message with `Caused by:` and its list.
fn returned_error(lines: &[&str], start: usize) -> Option<Report> {
    let text = lines[start].strip_prefix("Error: ")?;
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    // One word alone may be a message's: only a type is named `…Error`.
    let is_type = rest.starts_with(" { ")
        || (rest.starts_with('(') && rest.ends_with(')'))
        || (rest.is_empty() && name.ends_with("Error"));
    let is_debug = is_type && name.starts_with(char::is_uppercase);
    let has_causes = ahead(lines, start + 1, 3)
        .iter()
        .find(|line| !line.is_empty())
        .is_some_and(|line| *line == "Caused by:");
    if !(is_debug || has_causes) {
        return None;
    }
    let text = if has_causes {
        message(text, ahead(lines, start + 1, 40), |line| line == "Stack backtrace:")
    } else {
        text.to_owned()
    };
    let words = LastWords::new(Runtime::Rust, if is_debug { name } else { "Error" })
        .with_message(&text)
        .ending(Ends::ByExit);
    Some(Report { words: words.perhaps(), end: start + 1 })
}
