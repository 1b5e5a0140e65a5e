//! .NET: unhandled exceptions with their inner ones, fail-fast, fatal errors and stack overflows; Mono's forms beside.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{file_line, printed, type_and_message};

const END_OF_INNER: &str = "--- End of inner exception stack trace ---";

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    unhandled(lines, at)
        .or_else(|| fatal_error(lines, at))
        .or_else(|| terminated(lines, at))
        .or_else(|| stack_overflow(lines, at))
}

fn unhandled(lines: &[&str], start: usize) -> Option<Report> {
    let heads = ["Unhandled exception. ", "Unhandled Exception: ", "[ERROR] FATAL UNHANDLED EXCEPTION: "];
    let on_line = heads.iter().find_map(|head| lines[start].strip_prefix(head));
    let (error, at) = match on_line {
        Some(error) => (error, start),
        None if lines[start] == "Unhandled Exception:" => (*lines.get(start + 1)?, start + 1),
        None => return None,
    };
    let (kind, text) = type_and_message(error)?;
    let body = body(lines, at + 1);
    let is_stack =
        |line: &str| is_call(line) || line.starts_with(" ---> ") || line.trim_start().starts_with("--- End");
    let text = message(text, body, is_stack);
    // The innermost exception is printed first: what follows the last end of an inner one is the outer's own.
    let outer = body.iter().rposition(|line| line.trim() == END_OF_INNER).map_or(0, |at| at + 1);
    let mut frames = calls(&body[outer..]);
    if frames.is_empty() {
        frames = calls(body);
    }
    let cause = body.iter().filter_map(|line| line.strip_prefix(" ---> ")).next_back();
    let cause = cause
        .map(|line| line.rsplit(") ").next().unwrap_or(line))
        .and_then(type_and_message)
        .map(|(kind, _)| kind);
    let words =
        LastWords::new(Runtime::Dotnet, kind).with_message(&text).with_frames(frames).with_cause(cause);
    Some(Report { words, end: at + 1 + stack_end(body) })
}

/// Up to the first empty line after the calls began.
fn body<'t, 'l>(lines: &'l [&'t str], at: usize) -> &'l [&'t str] {
    let body = ahead(lines, at, 2_000);
    let end = stack_end(body);
    let end = if end == 0 { body.len().min(super::MESSAGE_LINES) } else { end };
    &body[..end]
}

/// The line after the last call of the report that begins here.
fn stack_end(body: &[&str]) -> usize {
    let Some(first) = body.iter().take(super::MESSAGE_LINES).position(|line| is_call(line)) else { return 0 };
    let belongs =
        |line: &str| line.starts_with("  ") || line.starts_with(" ---> ") || line.starts_with("--- End");
    first + body[first..].iter().take_while(|line| belongs(line)).count()
}

fn is_call(line: &str) -> bool {
    line.starts_with("  ") && line.trim_start().starts_with("at ")
}

fn calls(lines: &[&str]) -> Vec<Frame> {
    lines.iter().filter(|line| is_call(line)).filter_map(|line| call(line)).collect()
}

/// `   at P.Load(Int32 id) in /src/P.cs:line 12`; Mono: `  at P.Load (System.Int32 id) [0x00000] in <hash>:0`.
fn call(line: &str) -> Option<Frame> {
    let call = line.trim_start().strip_prefix("at ")?;
    let (method, place) = call.rsplit_once(" in ").unwrap_or((call, ""));
    let method = method.split('(').next().unwrap_or(method).trim_end();
    let (file, line) = match place.rsplit_once(":line ") {
        Some((file, line)) => (file, line.trim().parse().ok()),
        None if place.starts_with('<') => ("", None),
        None => file_line(place),
    };
    Some(printed(method, file, line))
}

/// The runtime itself could not go on: `Fatal error. System.AccessViolationException: …`, `Fatal error. Internal CLR error.`.
fn fatal_error(lines: &[&str], start: usize) -> Option<Report> {
    let text = lines[start].strip_prefix("Fatal error. ")?;
    let (kind, text) = match type_and_message(text).filter(|(kind, _)| kind.contains('.')) {
        Some((kind, text)) => (kind, text),
        None if text.starts_with("Internal CLR error.") => ("Internal CLR error", text),
        None => ("Fatal error", text),
    };
    Some(simple(lines, start, kind, text))
}

/// `Environment.FailFast` and a failed `Debug.Assert`.
fn terminated(lines: &[&str], start: usize) -> Option<Report> {
    if lines[start].starts_with("Process is terminating due to StackOverflowException") {
        return Some(simple(lines, start, "Stack overflow", ""));
    }
    let text = lines[start].strip_prefix("Process terminated.")?.trim_start();
    let kind = if text.starts_with("Assertion failed") { "Assertion failed" } else { "FailFast" };
    Some(simple(lines, start, kind, text))
}

/// `Stack overflow.` and the calls, of which repeated ones are counted.
fn stack_overflow(lines: &[&str], start: usize) -> Option<Report> {
    if lines[start] != "Stack overflow." {
        return None;
    }
    let body = ahead(lines, start + 1, 2_000);
    let belongs = |line: &str| is_call(line) || line.starts_with("---") || line.starts_with("Repeat ");
    let count = body.iter().take_while(|line| belongs(line)).count();
    let words = LastWords::new(Runtime::Dotnet, "Stack overflow")
        .with_frames(calls(&body[..count]))
        .ending(Ends::BySignal);
    Some(Report { words, end: start + 1 + count })
}

fn simple(lines: &[&str], start: usize, kind: &str, text: &str) -> Report {
    let body = body(lines, start + 1);
    let words = LastWords::new(Runtime::Dotnet, kind)
        .with_message(&message(text, body, |line| is_call(line) || line.is_empty()))
        .with_frames(calls(body))
        .ending(Ends::BySignal);
    Report { words, end: start + 1 + stack_end(body) }
}
