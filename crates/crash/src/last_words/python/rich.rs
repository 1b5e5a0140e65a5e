//! The boxes of Rich (Typer, Prefect, Textual and many servers have it print their tracebacks):
//!
//! ```text
//! ╭───────── Traceback (most recent call last) ─────────╮
//! │ /srv/shop/orders.py:12 in load                      │
//! │                                                     │
//! │    11 │   order = orders[number]                    │
//! │ ❱  12 │   raise NotFound(order)                     │
//! │ ╭──── locals ────╮                                  │
//! ╰─────────────────────────────────────────────────────╯
//! NotFound: …
//! ```
//!
//! On a terminal that is not UTF-8 the box is drawn with `+`, `-` and `|`. Values of variables stand in boxes of their own.

use model::crash::{Frame, Runtime};

use super::traceback::exception;
use super::{CHAINS, LastWords, was_logged};
use crate::last_words::Ends;
use crate::last_words::report::{At, Line, MESSAGE_LINES, Report, ahead, message};
use crate::text::{extension, file_line, printed};

/// How many lines a box may have.
const MAX_LINES: usize = 4_000;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let mut boxed = one(at.lines, at.start)?;
    let mut cause = None;
    while let Some(next) = chained(at.lines, boxed.at + 1) {
        let Some(link) = one(at.lines, next) else { break };
        cause = Some(boxed.kind);
        boxed = link;
    }
    let end = boxed.at + 1;
    let whole = message(boxed.message, ahead(at.lines, end, MESSAGE_LINES), str::is_empty);
    let words = LastWords::new(Runtime::Python, boxed.kind)
        .with_message(&whole)
        .with_frames(boxed.frames)
        .with_cause(cause)
        .ending(Ends::ByExit);
    Some(Report::new(if was_logged(at) { words.perhaps() } else { words }, end))
}

struct Boxed<'t> {
    kind: &'t str,
    message: &'t str,
    frames: Vec<Frame>,
    /// The line of the exception.
    at: usize,
}

fn one<'t>(lines: &[Line<'t>], start: usize) -> Option<Boxed<'t>> {
    if !is_top(&lines[start]) {
        return None;
    }
    let inside = ahead(lines, start + 1, MAX_LINES);
    let bottom = inside.iter().position(|line| line.trim().starts_with(['╰', '+']))?;
    let lines_of_calls = inside[..bottom].iter().map(|line| inner(line)).collect::<Vec<_>>();
    let mut frames: Vec<Frame> =
        (0..lines_of_calls.len()).filter_map(|at| call(&lines_of_calls[at..])).collect();
    frames.reverse();
    let at = start + 1 + bottom + 1;
    let (kind, message) = exception(lines.get(at)?.text.trim())?;
    Some(Boxed { kind, message, frames, at })
}

fn is_top(line: &str) -> bool {
    let line = line.trim();
    let title = "Traceback (most recent call last)";
    let is_drawn = |side, top: char| {
        line.strip_prefix(side)
            .and_then(|line| line.trim_start_matches(top).trim_start().strip_prefix(title))
            .is_some_and(|line| line.trim_start().starts_with(top))
    };
    is_drawn('╭', '─') || is_drawn('+', '-')
}

/// What stands in the box.
fn inner(line: &str) -> &str {
    let inner =
        line.trim().strip_prefix(['│', '|']).and_then(|line| line.strip_prefix(' ')).unwrap_or_default();
    inner.strip_suffix(['│', '|']).unwrap_or(inner).trim_end()
}

/// `/srv/shop/orders.py:12 in load`; what is longer than the box goes on in the next lines, at any letter of the path and behind
/// `in`, up to an empty one.
fn call(lines: &[&str]) -> Option<Frame> {
    const MAX_PARTS: usize = 4;
    if !lines.first()?.starts_with(['/', '<']) {
        return one_call(lines[0]);
    }
    let parts = lines.iter().take(MAX_PARTS).take_while(|line| !line.is_empty() && !line.starts_with(' '));
    let mut whole = String::new();
    for part in parts {
        if whole.ends_with(" in") {
            whole.push(' ');
        }
        whole.push_str(part);
        if let Some(frame) = one_call(&whole) {
            return Some(frame);
        }
    }
    None
}

fn one_call(line: &str) -> Option<Frame> {
    let (place, function) = line.split_once(" in ")?;
    let (file, number) = file_line(place);
    let is_path = file.starts_with(['/', '<']) || extension(file) == "py";
    let is_name = |c: char| c.is_alphanumeric() || "_.<>".contains(c);
    let is_call = is_path && number.is_some() && !file.contains(' ') && function.chars().all(is_name);
    is_call.then(|| printed(function, file, number))
}

/// The next box of a chain.
fn chained(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let below = ahead(lines, at, MESSAGE_LINES);
    let link = below.iter().position(|line| CHAINS.contains(&line.trim()))?;
    let next = below.iter().skip(link + 1).position(|line| !line.is_empty())? + at + link + 1;
    is_top(&lines[next]).then_some(next)
}
