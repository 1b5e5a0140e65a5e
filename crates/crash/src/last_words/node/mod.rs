//! Node.js, Deno and Bun: an uncaught exception, a rejected promise, a thrown value that is no error, an error that was logged.
//!
//! ```text
//! node:internal/process/promises:394                        where it was thrown, its source line, a caret
//!       triggerUncaughtException(err, true /* fromPromise */);
//!       ^
//!
//! AggregateError [ECONNREFUSED]:                            type, code, message of any number of lines, also empty ones
//!     at afterConnectMultiple (node:net:1683:7) {           calls
//!   code: 'ECONNREFUSED',                                   properties, among them inner errors
//!   [cause]: Error: connect ECONNREFUSED ::1:5432           (16 and 17, and errors of undici before 6: `cause: `)
//! }
//!
//! Node.js v22.12.0                                          from 17 on
//! ```
//!
//! Deno writes `error: Uncaught (in promise) TypeError: …`, Bun an excerpt with numbered lines and `error: …` for a plain `Error`.

mod call;
mod error;
mod native;
mod others;

use model::crash::Runtime;

use self::call::call;
use self::error::{Error, named};
use super::form;
use super::report::{At, Line, Report, ahead, message};
use super::{Ends, LastWords};
use crate::text::{file_line, printed};

const THROWN_VALUE: &str = "Thrown value";
/// How many threads an error is passed on through at most.
const MAX_PASSED_ON: usize = 8;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    uncaught(at)
        .or_else(|| aborted(at))
        .or_else(|| others::read(at))
        .or_else(|| native::read(at))
        .or_else(|| logged(at))
}

/// Where an error was thrown, and the line on which it is told.
struct Heading<'t> {
    file: &'t str,
    line: u32,
    error_at: usize,
}

/// `file:line`, the source line, the caret.
fn heading<'t>(lines: &[Line<'t>], start: usize) -> Option<Heading<'t>> {
    let (file, Some(line)) = file_line(lines[start].text) else { return None };
    if file.contains(' ') && !file.contains('/') && !file.starts_with('[') {
        return None;
    }
    let caret = start + 1 + ahead(lines, start + 1, 4).iter().position(|line| is_caret(line))?;
    let empty = ahead(lines, caret + 1, 8).iter().take_while(|line| line.is_empty()).count();
    let mut error_at = caret + 1 + empty;
    if lines.get(error_at)?.trim_end_matches(':') == "Uncaught" {
        error_at += 1;
    }
    (error_at < lines.len()).then_some(Heading { file, line, error_at })
}

/// The heading, then the error. A worker thread's error comes with its own heading inside the one that passed it on.
fn uncaught(at: At<'_, '_>) -> Option<Report> {
    if !at.label().trim().is_empty() {
        return None;
    }
    let mut heading = self::heading(at.lines, at.start)?;
    for _ in 0..MAX_PASSED_ON {
        let Some(inner) = self::heading(at.lines, heading.error_at) else { break };
        heading = inner;
    }
    let Heading { file, line, error_at } = heading;
    let mut error = Error::uncaught(at.lines, error_at);
    if error.frames.is_empty() || error.kind == "SyntaxError" {
        // A thrown value has no stack, and a syntax error's is the loader's: the place is in the heading.
        let file = file.trim_start_matches("file://");
        let file = if call::is_file(file) { file } else { "" };
        error.frames.insert(0, printed("<anonymous>", file, Some(line).filter(|_| !file.is_empty())));
    }
    Some(error.report())
}

fn is_caret(line: &str) -> bool {
    line.contains('^') && line.chars().all(|c| matches!(c, ' ' | '\t' | '^' | '~'))
}

/// With `--abort-on-uncaught-exception`: the error, `FROM` and the calls without `at`.
fn aborted(at: At<'_, '_>) -> Option<Report> {
    let first = at.head.strip_prefix("Uncaught ")?;
    let body = at.below(20);
    let from = body.iter().position(|line| line.text == "FROM")?;
    let (kind, text) = named(first)
        .filter(|(kind, _)| form::is_own(error::plain(kind)))
        .unwrap_or_else(|| (THROWN_VALUE.to_owned(), first));
    let calls = ahead(at.lines, at.start + 2 + from, 200);
    let frames: Vec<_> = calls.iter().map_while(|line| call(&format!("at {}", line.text))).collect();
    let end = from + 1 + frames.len();
    let words = LastWords::new(Runtime::Node, &kind)
        .with_message(&message(text, &body[..from], str::is_empty))
        .with_frames(frames)
        .ending(Ends::BySignal);
    Some(Report::of(words, at, end))
}

/// `console.error(error)`, loggers, and unhandled rejections that were only warned of: a program may have gone on after it.
fn logged(at: At<'_, '_>) -> Option<Report> {
    let error = Error::logged(at)?;
    let mut report = error.report();
    report.words = report.words.perhaps();
    Some(report)
}
