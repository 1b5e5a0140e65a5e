//! Deno and Bun, where they print otherwise than Node.js.
//!
//! Deno: `error: Uncaught (in promise) TypeError: …`, the source line and a caret from 1.? on in some cases, the calls, and
//! `Caused by: …` for causes. Bun: an excerpt with numbered lines, a caret, `TypeError: …` or, for a plain `Error`, `error: …`,
//! the calls, and its version; its own crash is `panic(main thread): …` and `oh no: Bun has crashed.`

use model::crash::Runtime;

use super::call::call;
use super::error::{Error, named, plain};
use super::{THROWN_VALUE, form, is_caret};
use crate::kinds;
use crate::last_words::report::{At, Line, MESSAGE_LINES, Report, ahead, indentation, message};
use crate::last_words::{Ends, LastWords};

/// How many causes of an error are read.
const MAX_CAUSES: usize = 20;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    deno(at)
        .or_else(|| deno_missing(at))
        .or_else(|| bun_excerpt(at))
        .or_else(|| bun_crash(at))
        .or_else(|| bun_plain(at))
}

fn deno(at: At<'_, '_>) -> Option<Report> {
    let error = at.head.strip_prefix("error: Uncaught ")?;
    let error = std::iter::successors(Some(error), |error| behind_place(error)).take(3).last()?;
    let body = at.below(MESSAGE_LINES);
    // the errors of an AggregateError stand before its own calls, farther in
    let is_own = |line: &Line<'_>| indentation(line.text) <= 4;
    let calls_at = body
        .iter()
        .position(|line| is_own(line) && call(line).is_some())
        .or_else(|| body.iter().position(|line| call(line).is_some()));
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

/// What follows `(in promise) ` and `(in worker "[worker eval]") `.
fn behind_place<'t>(error: &&'t str) -> Option<&'t str> {
    error.strip_prefix("(in ").and_then(|error| error.split_once(") ")).map(|(_, error)| error)
}

/// `Caused by: Error: x` with its calls.
fn deno_cause(lines: &[Line<'_>], at: usize) -> Option<(String, usize)> {
    let error = lines.get(at)?.text.trim_start().strip_prefix("Caused by: ")?;
    let (kind, _) = named(error).filter(|(kind, _)| form::is_own(plain(kind)))?;
    let calls = ahead(lines, at + 1, 200).iter().take_while(|line| call(line).is_some()).count();
    Some((kind, at + 1 + calls))
}

/// `error: Module not found "file:///srv/a.ts".`, `error: Import "shop" not a dependency` and the place of the import, with a hint
/// between or not.
fn deno_missing(at: At<'_, '_>) -> Option<Report> {
    let import = || at.head.strip_prefix("error: Import ").filter(|text| text.ends_with("not a dependency"));
    let text = at.head.strip_prefix("error: Module not found ").or_else(import)?;
    let below = at.below(3).iter().position(|line| call(line).is_some());
    let place = below.and_then(|below| call(&at.below(3)[below]));
    let below = below.map_or(0, |below| below + 1);
    let words = LastWords::new(Runtime::Node, "Module not found")
        .with_message(text)
        .with_frames(place.into_iter().collect())
        .ending(Ends::ByExit);
    Some(Report::of(words, at, below))
}

/// `2 | throw new Error("x");`, up to five of them, a caret, the error and its calls; then the same for its causes.
fn bun_excerpt(at: At<'_, '_>) -> Option<Report> {
    let mut report = bun_error(at.lines, at.start)?;
    for _ in 0..MAX_CAUSES {
        let empty = ahead(at.lines, report.end, 3).iter().take_while(|line| line.is_empty()).count();
        let Some(cause) = bun_error(at.lines, report.end + empty) else { break };
        report.words = report.words.with_cause(Some(&cause.words.exception_type));
        report.end = cause.end;
    }
    Some(report)
}

fn bun_error(lines: &[Line<'_>], start: usize) -> Option<Report> {
    fn is_numbered(line: &str) -> bool {
        let number = line.trim_start().split_once(" |").map(|(number, _)| number);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    }
    let excerpt = ahead(lines, start, 8);
    let numbered = excerpt.iter().take_while(|line| is_numbered(line)).count();
    if numbered == 0 || !excerpt.get(numbered).is_some_and(|line| is_caret(line)) {
        return None;
    }
    let error_at = start + numbered + 1;
    let first = lines.get(error_at)?.text;
    let body = ahead(lines, error_at + 1, MESSAGE_LINES);
    // a message may have lines that look like calls: Bun's own are farther in
    let is_own = |line: &Line<'_>| indentation(line.text) >= 6 && call(line).is_some();
    let calls_at =
        body.iter().position(is_own).or_else(|| body.iter().position(|line| call(line).is_some()))?;
    let (kind, text) = bun_named(first)?;
    let text = message(text, &body[..calls_at], |_| false);
    Some(Error::with(kind, lines, error_at, Some(calls_at), text).report())
}

/// `error: x` of a plain `Error`, `TypeError: x`.
fn bun_named(line: &str) -> Option<(String, &str)> {
    match line.strip_prefix("error: ") {
        Some(text) => Some(("Error".to_owned(), text)),
        None => named(line).filter(|(kind, _)| form::is_own(plain(kind))),
    }
}

/// An error without excerpt and calls, as those of the resolver and of `fetch` are: only properties stand between it and Bun's
/// version. A thrown text stands there twice.
fn bun_plain(at: At<'_, '_>) -> Option<Report> {
    let (kind, text) = bun_named(at.head).filter(|(kind, _)| form::is_error(plain(kind)))?;
    let below = at.below(60);
    let end = below.iter().position(|line| line.starts_with("Bun v"))?;
    let is_property = |line: &Line<'_>| {
        line.is_empty() || line.starts_with([' ', '\t']) || ["DOMException {", "}"].contains(&line.text)
    };
    let value = LastWords::new(Runtime::Node, THROWN_VALUE).with_message(text).ending(Ends::ByExit);
    if at.head.starts_with("error: ") && below[0].text == text {
        return Some(Report::of(value, at, end + 1));
    }
    let words = LastWords::new(Runtime::Node, &kind).with_message(text).ending(Ends::ByExit);
    below[..end].iter().all(is_property).then(|| Report::of(words, at, end + 1))
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
        "Stack overflow" => kinds::STACK_OVERFLOW,
        _ => "panic",
    };
    let words = LastWords::new(Runtime::Node, kind).with_message(text).ending(Ends::BySignal);
    Some(Report::of(words, at, end + 1))
}
