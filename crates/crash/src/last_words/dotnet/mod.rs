//! .NET: unhandled exceptions with their inner ones, fail-fast, fatal errors, stack overflows and what hosts log; Mono's forms
//! beside.
//!
//! What differs: .NET Framework and Core before 3.0 write inner exceptions on the first one's line; from 3.0 each has its own.
//! `FailFast:` and the message on lines of their own are Core 2's, `Process terminated.` is that of 3.0 and later. An exception
//! with an error's number has it behind its type (`SocketException (111)`, `NpgsqlException (0x80004005)`).

mod call;
mod exception;

use model::crash::Runtime;

use self::call::{call, calls};
use self::exception::{Exception, typed};
use super::report::{At, MESSAGE_LINES, Report, message};
use super::{Ends, LastWords, form};
use crate::kinds;

/// How many lines of a stack are read.
const MAX_LINES: usize = 4_000;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    unhandled(at)
        .or_else(|| fatal_error(at))
        .or_else(|| terminated(at))
        .or_else(|| exhausted(at))
        .or_else(|| logged(at))
}

fn unhandled(at: At<'_, '_>) -> Option<Report> {
    const HEADS: [&str; 4] = [
        "Unhandled exception. ",
        "Unhandled Exception: ",
        "FATAL UNHANDLED EXCEPTION: ", // Mono, behind `[ERROR]`
        "Unhandled exception: ",
    ];
    let on_line = HEADS.iter().find_map(|head| at.head.strip_prefix(head));
    let (error, below) = match on_line {
        Some(error) => (error, 0),
        None if at.head == "Unhandled Exception:" => (at.below(1).first()?.text, 1),
        None => return None,
    };
    let (kind, text) = typed(error, form::is_own)?;
    let at = At { start: at.start + below, ..at };
    let exception = Exception::of_end(at, text);
    Some(exception.report(at, kind))
}

/// An exception that a host or a logger printed. The program may have gone on after it.
fn logged(at: At<'_, '_>) -> Option<Report> {
    let (kind, text) = typed(at.head, form::is_error)?;
    let exception = Exception::below(at, text);
    if exception.frames.is_empty() {
        return None;
    }
    let mut report = exception.report(at, kind);
    report.words = report.words.ending(Ends::ByExit).perhaps();
    Some(report)
}

/// The runtime itself could not go on: `Fatal error. System.AccessViolationException: …`, `Fatal error. Internal CLR error.`.
fn fatal_error(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("Fatal error. ")?;
    let (kind, text) = match typed(text, form::is_own).filter(|(kind, _)| kind.contains('.')) {
        Some((kind, text)) => (kind, text),
        None if text.starts_with("Internal CLR error.") => ("Internal CLR error", text),
        None => ("Fatal error", text),
    };
    Some(simple(at, kind, text))
}

/// `Environment.FailFast` and a failed `Debug.Assert`.
fn terminated(at: At<'_, '_>) -> Option<Report> {
    if at.head.starts_with("Process is terminating due to StackOverflowException") {
        return Some(simple(at, kinds::STACK_OVERFLOW, ""));
    }
    let text = match at.head.strip_prefix("Process terminated.") {
        Some(text) => text.trim_start(),
        None => at.head.strip_prefix("FailFast:")?,
    };
    let report = simple(
        at,
        if text.starts_with("Assertion failed") { kinds::ASSERTION_FAILED } else { "FailFast" },
        text,
    );
    // The old form is not rare as a line of a log.
    (at.head.starts_with("Process") || !report.words.frames.is_empty()).then_some(report)
}

/// `Stack overflow.` or `Out of memory.` and the calls.
fn exhausted(at: At<'_, '_>) -> Option<Report> {
    let kind = match at.head {
        "Stack overflow." => kinds::STACK_OVERFLOW,
        "Out of memory." => kinds::OUT_OF_MEMORY,
        _ => return None,
    };
    let body = at.below(MAX_LINES);
    let count = body.iter().take_while(|line| is_of_stack(line)).count();
    let words =
        LastWords::new(Runtime::Dotnet, kind).with_frames(calls(&body[..count])).ending(Ends::BySignal);
    (kind == kinds::STACK_OVERFLOW || !words.frames.is_empty()).then(|| Report::of(words, at, count))
}

/// A call, or what says that those between two lines were repeated.
fn is_of_stack(line: &str) -> bool {
    call(line).is_some() || line.starts_with("---") || line.starts_with("Repeat ")
}

/// A message of some lines and calls.
fn simple(at: At<'_, '_>, kind: &str, text: &str) -> Report {
    let calls_at = at.below(MESSAGE_LINES).iter().position(|line| is_of_stack(line));
    let body = at.below(MAX_LINES);
    let stack = calls_at.map_or(&[][..], |calls_at| &body[calls_at..]);
    let stack = &stack[..stack.iter().take_while(|line| is_of_stack(line)).count()];
    let end = calls_at.unwrap_or(0) + stack.len();
    // what `FailFast` was given beside its text
    let given = body.get(end).filter(|_| !stack.is_empty()).and_then(|line| typed(line.text, form::is_own));
    let words = LastWords::new(Runtime::Dotnet, kind)
        .with_message(&message(text, &body[..calls_at.unwrap_or(0)], |_| false))
        .with_frames(calls(stack))
        .with_cause(given.map(|(kind, _)| kind))
        .ending(Ends::BySignal);
    Report::of(words, at, end + usize::from(given.is_some()))
}
