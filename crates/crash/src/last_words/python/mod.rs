//! CPython: tracebacks (outermost call first), their chains and groups, syntax errors, what `faulthandler` prints, and the boxes
//! that Rich draws.
//!
//! What differs: 3.11 underlines the failing part and has exception groups; 3.13 colours; loguru puts values of variables under
//! the lines and `> ` before the call that failed; uvicorn puts `ERROR:    ` before the heading; a pool's worker sends its own
//! traceback as `RemoteTraceback: """…"""` before the one of the waiting process. Some log drains take off every line's
//! indentation.

mod fatal;
mod group;
mod rich;
mod traceback;

use model::crash::{Frame, Runtime};

use super::form;
use super::report::{At, MESSAGE_LINES, Report, ahead, message};
use super::{Ends, LastWords};
use crate::text::printed;
use traceback::{Block, block, dedented, exception};

const TRACEBACK: &str = "Traceback (most recent call last):";
const GROUP: &str = "+ Exception Group Traceback (most recent call last):";
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

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    fatal::read(at)
        .or_else(|| traceback(at))
        .or_else(|| rich::read(at))
        .or_else(|| syntax_error(at))
        .or_else(|| headless(at))
}

fn words(block: Block<'_>) -> LastWords {
    LastWords::new(Runtime::Python, block.kind)
        .with_message(block.message)
        .with_frames(block.frames)
        .ending(Ends::ByExit)
}

/// A recursion through several functions prints a thousand calls: their heading is out of the tail, the exception at the end is
/// not.
fn headless(at: At<'_, '_>) -> Option<Report> {
    if at.start > 2 || !at.head.contains(", in ") || call(at.head).is_none() {
        return None;
    }
    let block = block(at.lines, at.start)?;
    let end = block.at + 1;
    Some(Report::new(words(block), end))
}

/// The traceback that begins here, with the chain that follows it.
fn traceback(at: At<'_, '_>) -> Option<Report> {
    let thread = at.head.strip_prefix("Exception in thread ").and_then(|rest| rest.strip_suffix(':'));
    let begins = |head: &str| head == TRACEBACK || head == GROUP;
    let heading = if thread.is_some() { at.start + 1 } else { at.start };
    let head = if thread.is_some() { at.lines.get(heading)?.trim() } else { at.head };
    if !begins(head) {
        return None;
    }
    let lines = dedented(at.lines, heading);
    let mut last = one(&lines, heading, head)?;
    let mut cause = None;
    while let Some(next) = chained(&lines, last.at + 1) {
        // of a chain that breaks off, what was read is told: to begin again behind each of its links would take for ever
        let Some(link) = one(&lines, next, lines[next].trim()) else { break };
        last = if is_remote(&lines, heading) && link.kind == last.kind {
            // the same exception, as it was raised in the pool's process and as it was raised again where it was waited for
            Block { frames: last.frames.into_iter().chain(link.frames).collect(), ..link }
        } else {
            cause = Some(last.kind);
            link
        };
    }
    let end = last.at + 1;
    let whole = message(last.message, ahead(&lines, end, MESSAGE_LINES), str::is_empty);
    let cause = last.cause.or(cause);
    let words = words(last).with_message(&whole).with_thread(thread.map(thread_name)).with_cause(cause);
    Some(Report::new(if was_logged(at) { words.perhaps() } else { words }, end))
}

/// One traceback, of a group or not.
fn one<'t>(lines: &[super::Line<'t>], heading: usize, head: &str) -> Option<Block<'t>> {
    if head == GROUP { group::read(lines, heading) } else { block(lines, heading + 1) }
}

/// Is the traceback at `heading` one that a process of a pool sent? `multiprocessing.pool.RemoteTraceback:` and three quotes stand
/// before it.
fn is_remote(lines: &[super::Line<'_>], heading: usize) -> bool {
    lines[heading.saturating_sub(2)..heading].iter().any(|line| line.contains("RemoteTraceback:"))
}

/// `Thread-1 (worker)` is the name and the function that it ran.
fn thread_name(thread: &str) -> &str {
    thread.split_once(" (").map_or(thread, |(name, _)| name)
}

/// A record of `logging` before the traceback, or one of the reports that Python goes on after.
fn was_logged(at: At<'_, '_>) -> bool {
    let survived = |line: &str| SURVIVED.iter().any(|survived| line.starts_with(survived));
    form::names_level(at.label())
        || at.lines[at.start].level
        || at
            .start
            .checked_sub(1)
            .map(|before| at.lines[before])
            .is_some_and(|line| line.level || survived(&line) || form::names_level(&line))
}

/// `  File "/srv/a.py", line 7, in load_order`; the place of a syntax error has no function, `faulthandler` no comma. Loguru
/// marks the call that failed.
fn call(line: &str) -> Option<Frame> {
    let line = line.trim_start();
    let line = line.strip_prefix("> ").unwrap_or(line);
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let function = rest.strip_prefix(',').unwrap_or(rest).strip_prefix(" in ").unwrap_or("<module>");
    let is_name = |c: char| c.is_alphanumeric() || "_.<>".contains(c);
    function.chars().all(is_name).then(|| printed(function, file, number.parse().ok()))
}

/// The heading of the next traceback of a chain, if one follows the exception that ends before `at`. A message of several lines
/// may stand between.
fn chained(lines: &[super::Line<'_>], at: usize) -> Option<usize> {
    let between = ahead(lines, at, MESSAGE_LINES);
    let ends = |line: &str| CHAINS.contains(&line.trim()) || line.trim() == TRACEBACK;
    let link = between.iter().position(|line| ends(line))?;
    if !CHAINS.contains(&between[link].trim()) {
        return None;
    }
    let next = at + link + 1;
    let next = next + ahead(lines, next, 4).iter().position(|line| !line.is_empty())?;
    (lines[next].trim() == TRACEBACK || lines[next].trim() == GROUP).then_some(next)
}

/// The interpreter could not even compile the program: no traceback, only the place.
fn syntax_error(at: At<'_, '_>) -> Option<Report> {
    if !at.head.starts_with("File \"") || at.head.contains(", in ") {
        return None;
    }
    let place = call(at.head)?;
    let below = at.below(6);
    let offset = below.iter().position(|line| !line.is_empty() && !line.starts_with(' '))?;
    let (kind, text) = exception(below[offset].text).filter(|(kind, _)| kind.ends_with("Error"))?;
    let words = LastWords::new(Runtime::Python, kind)
        .with_message(text)
        .with_frames(vec![place])
        .ending(Ends::ByExit);
    Some(Report::of(words, at, offset + 1))
}
