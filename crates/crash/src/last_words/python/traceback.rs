//! One traceback: from its heading to the line of the exception.

use std::borrow::Cow;

use model::crash::Frame;

use super::{CHAINS, GROUP, TRACEBACK, call};
use crate::last_words::form;
use crate::last_words::report::{Line, ahead, indentation};

/// How many lines of others may stand inside a traceback: threads and servers write between its lines.
const MAX_FOREIGN: usize = 20;
/// How far a traceback is looked through. Python repeats no call more than three times, so real ones have some hundred lines.
const MAX_LINES: usize = 4_000;

/// One traceback with its exception.
pub(super) struct Block<'t> {
    pub(super) kind: &'t str,
    pub(super) message: &'t str,
    /// Innermost first.
    pub(super) frames: Vec<Frame>,
    /// What caused it, where that stands inside.
    pub(super) cause: Option<&'t str>,
    /// The line of the exception.
    pub(super) at: usize,
}

/// The lines without what the heading at `at` is indented by: tracebacks are printed inside of others' texts.
pub(super) fn dedented<'l, 't>(lines: &'l [Line<'t>], at: usize) -> Cow<'l, [Line<'t>]> {
    let indent = indentation(lines[at].text);
    if indent == 0 || lines[at].trim() == GROUP {
        return Cow::Borrowed(lines);
    }
    let dedent = |line: &Line<'t>| Line { text: &line.text[indentation(line.text).min(indent)..], ..*line };
    let end = lines.len().min(at + MAX_LINES);
    // what stands above is only counted
    lines[..at].iter().copied().chain(lines[at..end].iter().map(dedent)).collect()
}

/// Reads from the line after the heading to the exception's line.
pub(super) fn block<'t>(lines: &[Line<'t>], start: usize) -> Option<Block<'t>> {
    let mut frames = Vec::new();
    let mut is_flush = false;
    let mut may_be_source = false;
    let mut foreign = 0;
    let mut has_empty = false;
    let mut first: Option<Found<'t>> = None;
    for (at, line) in lines.iter().enumerate().skip(start).take(MAX_LINES) {
        if let Some(frame) = call(line) {
            // whoever passed the lines on took off their indentation
            is_flush |= frames.is_empty() && line.starts_with("File \"");
            frames.push(frame);
            may_be_source = true;
            continue;
        }
        let found = exception(line.text);
        let is_typed = found.is_some_and(|(kind, _)| is_sure(kind));
        let is_source =
            line.starts_with([' ', '\t']) || is_marks(line) || (is_flush && may_be_source && !is_typed);
        if line.is_empty() || is_source {
            may_be_source &= line.is_empty();
            // log drains put empty lines between the calls; otherwise one is of the exception's message
            has_empty |= line.is_empty() && first.is_none();
            if line.is_empty() && first.is_some() && !has_empty {
                break;
            }
            continue;
        }
        may_be_source = false;
        if begins_another(line) {
            break;
        }
        if let Some((kind, message)) = found {
            let found = Found { kind, message, at, calls: frames.len() };
            if is_typed {
                first = Some(found);
                break;
            }
            // of two that only have a name's form and calls between them, one is a thread's or a message's line: nobody knows which
            if let Some(first) = &mut first {
                (first.kind, first.message) = ("Exception", "");
                break;
            }
            first = Some(found);
            if !(goes_on(lines, at + 1) || typed_follows(lines, at + 1)) {
                break;
            }
        }
        foreign += 1;
        if foreign > MAX_FOREIGN {
            break;
        }
    }
    let Found { kind, message, at, calls } = first?;
    frames.truncate(calls);
    frames.reverse();
    Some(Block { kind, message, frames, cause: None, at })
}

/// What may be the line of the exception.
struct Found<'t> {
    kind: &'t str,
    message: &'t str,
    at: usize,
    /// How many calls stand above it.
    calls: usize,
}

/// Is it a type wherever it stands? By an error's form, or by the module before its class: `shop.orders.OrderLocked`.
fn is_sure(kind: &str) -> bool {
    let is_module = |module: &str| {
        module.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') && !module.ends_with('.')
    };
    form::is_error(kind) || kind.rsplit_once('.').is_some_and(|(module, _)| is_module(module))
}

/// `KeyError: 'x'`, `gunicorn.errors.HaltServer: <HaltServer 'x' 3>`, `AssertionError`.
pub(super) fn exception(line: &str) -> Option<(&str, &str)> {
    form::typed(line, form::is_own)
}

/// `^^^^^`, `~~~~^^`.
fn is_marks(line: &str) -> bool {
    line.chars().all(|c| matches!(c, ' ' | '^' | '~'))
}

fn begins_another(line: &str) -> bool {
    let line = line.trim();
    line == TRACEBACK || line == GROUP || CHAINS.contains(&line)
}

/// Does the traceback go on below what could be its exception? Then another thread wrote that line.
fn goes_on(lines: &[Line<'_>], at: usize) -> bool {
    let below = ahead(lines, at, 3);
    below.iter().take_while(|line| !begins_another(line)).any(|line| call(line).is_some())
}

/// Does the real exception follow a line that has only a name's form?
fn typed_follows(lines: &[Line<'_>], at: usize) -> bool {
    ahead(lines, at, 3)
        .iter()
        .take_while(|line| !line.is_empty() && !begins_another(line))
        .any(|line| exception(line.text).is_some_and(|(kind, _)| form::is_error(kind)))
}
