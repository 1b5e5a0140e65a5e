//! One error from its first line on: type and message, calls, properties.

use std::borrow::Cow;

use model::crash::{Frame, Runtime};

use super::call::call;
use super::{THROWN_VALUE, form};
use crate::last_words::report::{At, Line, MESSAGE_LINES, Report, ahead, indentation, message};
use crate::last_words::{Ends, LastWords};
use crate::text;

/// How node tells of a thrown value that is no error (16 and later).
const USE_TRACE: &str = "(Use `node --trace-uncaught";
/// What it calls a stack that is not the value's own.
const THROWN_AT: &str = "Thrown at:";
/// How the client of PostgreSQL (`pg`) names the errors of its server.
const SMALL: &str = "error";
/// How many calls and lines of properties are read.
const MAX_LINES: usize = 1_000;

pub(super) struct Error {
    pub(super) runtime: Runtime,
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) frames: Vec<Frame>,
    cause: Option<String>,
    end: usize,
}

impl Error {
    pub(super) fn report(self) -> Report {
        let words = LastWords::new(self.runtime, &self.kind)
            .with_message(&self.message)
            .with_frames(self.frames)
            .with_cause(self.cause.as_deref())
            .ending(Ends::ByExit);
        Report::new(words, self.end)
    }

    /// The error that ended the program, from the line below the caret on. Whatever was thrown is told, so the first line may be
    /// anything.
    pub(super) fn uncaught(lines: &[Line<'_>], at: usize) -> Self {
        let first = lines[at].text;
        let body = ahead(lines, at + 1, MESSAGE_LINES);
        let body = &body[..body.iter().take_while(|line| !is_trailer(line)).count()];
        let calls_at = body.iter().position(|line| call(line).is_some());
        // with `--trace-uncaught` an error has its calls again, and only a value has a line above it
        let is_traced = |line: &str| {
            let above = at.checked_sub(1).map_or("", |above| lines[above].text);
            line.starts_with(THROWN_AT) && calls_at.is_some() && !above.starts_with("Uncaught")
        };
        let is_error = ahead(lines, at + 1 + body.len(), 1)
            .first()
            .is_none_or(|line| !is_thrown_value(line) || is_traced(line));
        // behind a label where an error's text is a stack that somebody made
        let named = named(first)
            .filter(|(kind, _)| is_error && (form::is_own(plain(kind)) || kind == SMALL))
            .filter(|(kind, _)| calls_at.is_some() || form::is_error(plain(kind)))
            .or_else(|| labelled(first).filter(|_| is_error && calls_at.is_some()));
        let (kind, text) = named.unwrap_or_else(|| (THROWN_VALUE.to_owned(), first));
        let ends = |line: &str| is_trailer(line) || is_thrown_value(line);
        let calls_at = calls_at.filter(|_| is_error);
        Self::with(kind, lines, at, calls_at, message(text, &body[..calls_at.unwrap_or(body.len())], ends))
    }

    /// An error in a log: its type has the form of one, and calls follow. Lines of its message may stand between, also empty ones.
    pub(super) fn logged(at: At<'_, '_>) -> Option<Self> {
        let (kind, text) = named(at.head).filter(|(kind, _)| form::is_error(plain(kind)) || kind == SMALL)?;
        let body = at.below(MESSAGE_LINES);
        let calls_at = body.iter().position(|line| call(line).is_some())?;
        if kind == SMALL && calls_at > 0 {
            return None;
        }
        // the calls are those of the nearest error above them
        let is_nearer = |line: &Line<'_>| {
            indentation(line.text) == 0
                && named(line.text).is_some_and(|(kind, _)| form::is_error(plain(&kind)))
        };
        if body[..calls_at].iter().any(is_nearer) {
            return None;
        }
        // a logger's word for the level, before the error's text
        if kind == SMALL && named(text).is_some_and(|(kind, _)| form::is_error(plain(&kind))) {
            return None;
        }
        let text = message(text, &body[..calls_at], |_| false);
        Some(Self::with(kind, at.lines, at.start, Some(calls_at), text))
    }

    /// The error at `at` whose calls begin `calls_at` lines below it.
    pub(super) fn with(
        kind: String,
        lines: &[Line<'_>],
        at: usize,
        calls_at: Option<usize>,
        message: String,
    ) -> Self {
        let mut error =
            Self { runtime: Runtime::Node, kind, message, frames: Vec::new(), cause: None, end: at + 1 };
        let Some(calls_at) = calls_at else { return error };
        let rest = ahead(lines, at + 1 + calls_at, MAX_LINES);
        let mut used = calls(rest);
        error.frames = rest[..used].iter().filter_map(|line| call(line)).collect();
        while let Some((cause, lines)) = passed_on(&rest[used..]) {
            error.cause = cause.or(error.cause);
            used += lines;
        }
        // an error without calls of its own has its properties, and the calls in them, below its first line
        let has_none = calls_at > 0 && lines[at].ends_with("] {");
        let opening = if has_none { Some(&lines[at]) } else { rest.get(used.wrapping_sub(1)) };
        let properties = properties(&rest[used..], opening, indentation(lines[at].text));
        let inner = (used..used + properties).rev().find_map(|at| cause(&rest[at..]));
        error.cause = inner.or(error.cause);
        error.end = at + 1 + calls_at + used + properties;
        error
    }
}

/// How many lines of calls begin here. Those that a cause has too are only counted by node.
fn calls(rest: &[Line<'_>]) -> usize {
    let is_elided = |line: &str| line.ends_with(" lines matching cause stack trace ...");
    rest.iter().take_while(|line| call(line).is_some() || is_elided(line)).count()
}

/// Between an error's calls and its properties: `Emitted 'error' event on RedisClient instance at:` and calls, or
/// `caused by: TypeError: x` and calls, which libraries write into the stack (`VError`, axios, pino). The cause, and how many lines.
fn passed_on(rest: &[Line<'_>]) -> Option<(Option<String>, usize)> {
    let text = rest.first()?.text.trim_start();
    if text.starts_with("Emitted '") {
        return Some((None, 1 + calls(&rest[1..])));
    }
    let error = text.get(.."caused by: ".len()).filter(|begins| begins.eq_ignore_ascii_case("caused by: "));
    let (kind, _) = named(&text[error?.len()..])?;
    let calls_at = rest.iter().take(MESSAGE_LINES).skip(1).position(|line| call(line).is_some());
    let lines = calls_at.map_or(1, |calls_at| 1 + calls_at + calls(&rest[1 + calls_at..]));
    Some((Some(kind).filter(|kind| form::is_error(plain(kind))), lines))
}

/// The lines of the error's own properties, which follow a call that ends with ` {` up to the closing brace.
fn properties(rest: &[Line<'_>], last_call: Option<&Line<'_>>, indent: usize) -> usize {
    if !last_call.is_some_and(|line| line.ends_with('{')) {
        return 0;
    }
    let closes = |line: &Line<'_>| {
        ["}", "},", "}]", "} {"].contains(&line.text.trim_start()) && indentation(line.text) <= indent
    };
    rest.iter().position(closes).map_or(0, |closing| closing + 1)
}

/// `  [cause]: Error: connect ECONNREFUSED ::1:5432`; where the property can be seen, without brackets. A type of any form has its
/// calls below it.
fn cause(lines: &[Line<'_>]) -> Option<String> {
    let line = lines.first()?.text.trim_start();
    let error = line.strip_prefix("[cause]: ").or_else(|| line.strip_prefix("cause: "))?;
    let has_calls = ahead(lines, 1, MESSAGE_LINES).iter().any(|line| call(line).is_some());
    let is_type = |kind: &str| {
        form::is_error(kind)
            || (has_calls && (kind == SMALL || (line.starts_with('[') && form::is_own(kind))))
    };
    named(error.trim_end_matches(" {")).map(|(kind, _)| kind).filter(|kind| is_type(plain(kind)))
}

/// `TypeError: x`, `Error [ERR_X]: x`, `AggregateError [ECONNREFUSED]:`, `[Error: x] {`, `Uncaught Error: x`.
pub(super) fn named(line: &str) -> Option<(String, &str)> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let inner = line.strip_prefix('[').map(|line| line.trim_end_matches(" {").trim_end_matches(']'));
    let line = inner.unwrap_or(line);
    let (head, text) =
        line.split_once(": ").unwrap_or((line.strip_suffix(':').unwrap_or(line).trim_end_matches(" {"), ""));
    let (name, code) = head.split_once(" [").map_or((head, None), |(name, code)| (name, Some(code)));
    if !text::is_path(name) {
        return None;
    }
    let Some(code) = code else { return Some((name.to_owned(), text)) };
    let code = code.strip_suffix(']').filter(|code| code.chars().all(|c| c.is_alphanumeric() || c == '_'))?;
    // A code is kept (`Error [ERR_X]`), the name of the class that it extends is not (`Plain [Error]`), but for a browser's own
    // class, which says nothing.
    let is_code = code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let kind = match name {
        _ if is_code => Cow::Borrowed(head),
        "DOMException" if form::is_error(code) => Cow::Borrowed(code),
        _ => Cow::Borrowed(name),
    };
    Some((kind.into_owned(), text))
}

/// The type without its code.
pub(super) fn plain(kind: &str) -> &str {
    kind.split(" [").next().unwrap_or(kind)
}

/// An error behind a label.
fn labelled(line: &str) -> Option<(String, &str)> {
    crate::last_words::heads::of(line).skip(1).filter_map(named).find(|(kind, _)| form::is_error(plain(kind)))
}

/// What follows the error.
fn is_trailer(line: &str) -> bool {
    ["Node.js v", "Bun v", USE_TRACE, THROWN_AT].iter().any(|trailer| line.starts_with(trailer))
}

fn is_thrown_value(line: &str) -> bool {
    line.starts_with(USE_TRACE) || line.starts_with(THROWN_AT)
}
