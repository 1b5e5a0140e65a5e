//! Node.js: an uncaught exception with its source line and caret, a rejected promise, a thrown value that is no error.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{self, file_line, printed};

const THROWN_VALUE: &str = "Thrown value";
const USE_TRACE: &str = "(Use `node --trace-uncaught";
/// How many threads an error is passed on through at most.
const MAX_PASSED_ON: usize = 8;

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    uncaught(lines, at).or_else(|| aborted(lines, at)).or_else(|| logged(lines, at))
}

/// Where an error was thrown, and the line on which it is told.
struct Heading<'t> {
    file: &'t str,
    line: u32,
    error_at: usize,
}

/// `file:line`, the source line, the caret.
fn heading<'t>(lines: &[&'t str], start: usize) -> Option<Heading<'t>> {
    let (file, Some(line)) = file_line(lines[start]) else { return None };
    if file.contains(' ') && !file.contains('/') && !file.starts_with('[') {
        return None;
    }
    let caret = start + 1 + ahead(lines, start + 1, 4).iter().position(|line| is_caret(line))?;
    let mut error_at = caret + 1 + lines.iter().skip(caret + 1).take_while(|line| line.is_empty()).count();
    if lines.get(error_at)?.trim_end_matches(':') == "Uncaught" {
        error_at += 1;
    }
    (error_at < lines.len()).then_some(Heading { file, line, error_at })
}

/// The heading, then the error. A worker thread's error comes with its own heading inside the one that passed it on.
fn uncaught(lines: &[&str], start: usize) -> Option<Report> {
    let mut heading = self::heading(lines, start)?;
    for _ in 0..MAX_PASSED_ON {
        let Some(inner) = self::heading(lines, heading.error_at) else { break };
        heading = inner;
    }
    let Heading { file, line, error_at } = heading;
    let mut report = error(lines, error_at)?;
    if report.words.frames.is_empty() || report.words.exception_type == "SyntaxError" {
        // A thrown value has no stack, and a syntax error's is the loader's: the place is in the heading.
        report.words.frames.insert(0, printed("<anonymous>", file.trim_start_matches("file://"), Some(line)));
    }
    Some(report)
}

fn is_caret(line: &str) -> bool {
    line.contains('^') && line.chars().all(|c| matches!(c, ' ' | '\t' | '^' | '~'))
}

/// The error from its first line on: type and message, calls, properties.
fn error(lines: &[&str], start: usize) -> Option<Report> {
    let first = lines.get(start)?;
    let body = ahead(lines, start + 1, 400);
    let until_calls = body.iter().position(|line| is_call(line));
    let is_thrown_value = body
        .iter()
        .take(until_calls.unwrap_or(body.len()).min(20))
        .take_while(|line| !line.starts_with("Node.js v"))
        .any(|line| line.starts_with(USE_TRACE) || line.starts_with("Thrown at:"));
    let (kind, text) = match named(first)
        .filter(|(kind, _)| !is_thrown_value && (until_calls.is_some() || looks_like_error(kind)))
    {
        Some((kind, text)) => (kind, text),
        None => (THROWN_VALUE.to_owned(), *first),
    };
    let calls_at = until_calls.unwrap_or(body.len());
    let calls: Vec<Frame> =
        body.iter().skip(calls_at).take_while(|line| is_call(line)).filter_map(|line| call(line)).collect();
    let whole = message(text, &body[..calls_at], |line| {
        line.starts_with("Node.js v") || line.starts_with(USE_TRACE) || line.starts_with("Thrown at:")
    });
    let after = calls_at + body.iter().skip(calls_at).take_while(|line| is_call(line)).count();
    let properties = properties(&body[after.min(body.len())..], body.get(after.wrapping_sub(1)));
    let cause = body[after..after + properties]
        .iter()
        .find_map(|line| line.trim_start().strip_prefix("[cause]: "))
        .and_then(|line| named(line).map(|(kind, _)| kind));
    let end = start + 1 + if until_calls.is_some() { after + properties } else { 0 };
    let words = LastWords::new(Runtime::Node, &kind)
        .with_message(&whole)
        .with_frames(calls)
        .with_cause(cause.as_deref())
        .ending(Ends::ByExit);
    Some(Report { words, end })
}

/// The lines of the error's own properties, which follow a call that ends with ` {` up to the closing brace.
fn properties(rest: &[&str], last_call: Option<&&str>) -> usize {
    if !last_call.is_some_and(|line| line.ends_with('{')) {
        return 0;
    }
    rest.iter().position(|line| *line == "}").map_or(0, |closing| closing + 1)
}

/// `TypeError: x`, `Error [ERR_X]: x`, `[Error: x] {`, `Uncaught Error: x`.
fn named(line: &str) -> Option<(String, &str)> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let line =
        line.strip_prefix("[").and_then(|line| line.trim_end_matches(" {").strip_suffix(']')).unwrap_or(line);
    let (head, text) = line.split_once(": ").unwrap_or((line.trim_end_matches(" {"), ""));
    let (name, code) = head.split_once(" [").map_or((head, None), |(name, code)| (name, Some(code)));
    // A code is kept (`Error [ERR_X]`), the name of the class that it extends is not (`Plain [Error]`).
    let code = code.map(|code| {
        code.strip_suffix(']').filter(|code| code.chars().all(|c| c.is_alphanumeric() || c == '_'))
    });
    let is_code = |code: &str| code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    match code {
        _ if !text::is_path(name) => None,
        Some(None) => None,
        Some(Some(code)) if is_code(code) => Some((head.to_owned(), text)),
        _ => Some((name.to_owned(), text)),
    }
}

fn looks_like_error(kind: &str) -> bool {
    ["Error", "Exception", "Rejection"]
        .iter()
        .any(|end| kind.split(" [").next().is_some_and(|name| name.ends_with(end)))
}

fn is_call(line: &str) -> bool {
    line.trim_start().starts_with("at ") && line.starts_with([' ', '\t'])
}

/// `    at async Orders.load [as get] (file:///srv/a.js:3:27)`, `    at /srv/a.js:3:27`.
fn call(line: &str) -> Option<Frame> {
    let call = line.trim().strip_prefix("at ")?.trim_end_matches(" {").trim();
    let call = call.strip_prefix("async ").unwrap_or(call);
    let (function, place) = match call.strip_suffix(')').and_then(|call| call.split_once(" (")) {
        Some((function, place)) => (function.split(" [as ").next().unwrap_or(function), place),
        None if file_line(call).1.is_some() => ("<anonymous>", call),
        None => (call, ""),
    };
    // Code of `eval` names the place of the eval first.
    let place = place.rsplit(", ").next().unwrap_or(place);
    let (file, line) = file_line(place.strip_prefix("file://").unwrap_or(place));
    let file = if line.is_some() { file } else { "" };
    Some(printed(function, file, line))
}

/// With `--abort-on-uncaught-exception`: the error, `FROM` and the calls without `at`.
fn aborted(lines: &[&str], start: usize) -> Option<Report> {
    let first = lines[start].strip_prefix("Uncaught ")?;
    let from = ahead(lines, start + 1, 20).iter().position(|line| *line == "FROM")? + start + 1;
    let (kind, text) = named(first).unwrap_or_else(|| (THROWN_VALUE.to_owned(), first));
    let calls = ahead(lines, from + 1, 200);
    let frames: Vec<Frame> = calls
        .iter()
        .take_while(|line| line.contains(':'))
        .filter_map(|line| call(&format!("at {line}")))
        .collect();
    let words = LastWords::new(Runtime::Node, &kind)
        .with_message(&message(text, &lines[start + 1..from], str::is_empty))
        .with_frames(frames.clone())
        .ending(Ends::BySignal);
    Some(Report { words, end: from + 1 + frames.len() })
}

/// `console.error(error)` and unhandled rejections that were only warned of: a program may have gone on after it.
fn logged(lines: &[&str], start: usize) -> Option<Report> {
    let line = lines[start];
    let line = match line.find("UnhandledPromiseRejectionWarning: ") {
        Some(at) if line.starts_with("(node:") => &line[at + "UnhandledPromiseRejectionWarning: ".len()..],
        _ => line,
    };
    let (kind, text) = named(line)?;
    // Lines of a message may stand between an error and its calls; between other words and calls, nothing.
    let between = if looks_like_error(&kind) || line.contains(": ") { 20 } else { 0 };
    let body = ahead(lines, start + 1, between + 1);
    let to_calls = body.iter().position(|line| is_call(line))?;
    if body[..to_calls].iter().any(|line| line.is_empty() || is_caret(line)) {
        return None;
    }
    let calls_at = start + 1 + to_calls;
    let is_ours = |line: &str| {
        line.starts_with("    at ")
            && (line.contains(".js:")
                || line.contains("node:")
                || line.contains(".mjs:")
                || line.contains(".ts:")
                || line.contains(".cjs:"))
    };
    if !is_ours(lines[calls_at]) {
        return None;
    }
    let calls = ahead(lines, calls_at, 200);
    let count = calls.iter().take_while(|line| is_call(line)).count();
    // Printed together with the program's end, it is the end's reason.
    let dies = ahead(lines, calls_at + count, 40).iter().any(|line| line.starts_with("Node.js v"));
    let words = LastWords::new(Runtime::Node, &kind)
        .with_message(&message(text, &lines[start + 1..calls_at], |_| false))
        .with_frames(calls[..count].iter().filter_map(|line| call(line)).collect())
        .ending(Ends::ByExit);
    Some(Report { words: if dies { words } else { words.perhaps() }, end: calls_at + count })
}
