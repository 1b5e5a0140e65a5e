//! Deno and Bun, where they print otherwise than Node.js.
//!
//! Deno: `error: Uncaught (in promise) TypeError: …`, the source line and a caret from 1.? on in some cases, the calls, and
//! `Caused by: …` for causes. Bun: an excerpt with numbered lines, a caret, `TypeError: …` or, for a plain `Error`, `error: …`,
//! the calls, and its version; its own crash is `panic(main thread): …` and `oh no: Bun has crashed.`

use model::crash::Runtime;

use super::call::call;
use super::error::{Error, named, plain};
use super::{THROWN_VALUE, form, is_caret};
use crate::last_words::report::{At, Line, MESSAGE_LINES, Report, ahead, message};
use crate::last_words::{Ends, LastWords};

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    deno(at).or_else(|| bun_excerpt(at)).or_else(|| bun_crash(at))
}

fn deno(at: At<'_, '_>) -> Option<Report> {
    let error = at.head.strip_prefix("error: Uncaught ")?;
    let error =
        error.strip_prefix("(in ").and_then(|error| error.split_once(") ")).map_or(error, |(_, error)| error);
    let body = at.below(MESSAGE_LINES);
    let calls_at = body.iter().position(|line| call(line).is_some());
    let (kind, text) = named(error)
        .filter(|(kind, _)| form::is_own(plain(kind)))
        .filter(|(kind, _)| calls_at.is_some() || form::is_error(plain(kind)))
        .unwrap_or_else(|| (THROWN_VALUE.to_owned(), error));
    let text = message(text, &body[..calls_at.unwrap_or(0)], is_caret);
    let error = Error::with(kind, at.lines, at.start, calls_at, text);
    let mut report = error.report();
    // the innermost cause is told last
    while let Some((kind, end)) = deno_cause(at.lines, report.end) {
        report.words = report.words.with_cause(Some(&kind));
        report.end = end;
    }
    Some(report)
}

/// `Caused by: Error: x` with its calls.
fn deno_cause(lines: &[Line<'_>], at: usize) -> Option<(String, usize)> {
    let error = lines.get(at)?.text.trim_start().strip_prefix("Caused by: ")?;
    let (kind, _) = named(error).filter(|(kind, _)| form::is_own(plain(kind)))?;
    let calls = ahead(lines, at + 1, 200).iter().take_while(|line| call(line).is_some()).count();
    Some((kind, at + 1 + calls))
}

/// `2 | throw new Error("x");`, up to five of them, a caret, the error and its calls.
fn bun_excerpt(at: At<'_, '_>) -> Option<Report> {
    fn is_numbered(line: &str) -> bool {
        let number = line.trim_start().split_once(" |").map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    }
    if !is_numbered(at.head) {
        return None;
    }
    let below = at.below(8);
    let caret = below.iter().position(|line| is_caret(line))?;
    if !below[..caret].iter().all(|line| is_numbered(line)) {
        return None;
    }
    let error_at = at.start + caret + 2;
    let first = at.lines.get(error_at)?.text;
    let body = ahead(at.lines, error_at + 1, MESSAGE_LINES);
    let calls_at = body.iter().position(|line| call(line).is_some())?;
    let (kind, text) = match first.strip_prefix("error: ") {
        Some(text) => ("Error".to_owned(), text),
        None => named(first).filter(|(kind, _)| form::is_own(plain(kind)))?,
    };
    let text = message(text, &body[..calls_at], |_| false);
    let report = Error::with(kind, at.lines, error_at, Some(calls_at), text).report();
    Some(report)
}

fn bun_crash(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("panic(").and_then(|rest| rest.split_once("): ")).map(|(_, text)| text);
    let text = text.or_else(|| at.head.strip_prefix("panic: "))?;
    let below = at.below(6);
    let end = below.iter().position(|line| line.starts_with("oh no: Bun has crashed"))?;
    let kind = match text.split(" at ").next().unwrap_or(text) {
        "Segmentation fault" => "SIGSEGV",
        "Bus error" => "SIGBUS",
        "Illegal instruction" => "SIGILL",
        "Floating point error" => "SIGFPE",
        "Stack overflow" => "Stack overflow",
        _ => "panic",
    };
    let words = LastWords::new(Runtime::Node, kind).with_message(text).ending(Ends::BySignal);
    Some(Report::of(words, at, end + 1))
}
