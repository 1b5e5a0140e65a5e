//! CPython's exception groups: a traceback in a margin of `|`, whose members are drawn as branches.

use model::crash::Runtime;

use super::{Ends, LastWords, Report};
use crate::last_words::python::{Block, block};

pub(super) const HEADER: &str = "  + Exception Group Traceback (most recent call last):";

/// The frames are those of the first member that has some, then the group's: what went wrong is in the member, the group only
/// says who waited for it.
pub(super) fn read(lines: &[&str], start: usize, thread: Option<&str>) -> Option<Report> {
    if lines[start] != HEADER {
        return None;
    }
    let end = start + 1 + lines.iter().skip(start + 1).take_while(|line| is_margin(line)).count();
    let inner: Vec<&str> = lines[start + 1..end].iter().map(|line| without_margin(line)).collect();
    let Block { kind, message, frames: outer, at } = block(&inner, 0)?;
    let members = members(&inner, at + 1);
    let cause = members.first().map(|member| member.kind);
    let mut frames =
        members.iter().find(|member| !member.frames.is_empty()).map(|member| member.frames.clone());
    if let Some(frames) = &mut frames {
        frames.extend(outer.iter().cloned());
    }
    let words = LastWords::new(Runtime::Python, kind)
        .with_message(message)
        .with_thread(thread)
        .with_frames(frames.unwrap_or(outer))
        .with_cause(cause)
        .ending(Ends::ByExit);
    Some(Report { words, end })
}

fn is_margin(line: &str) -> bool {
    let rest = line.trim_start();
    line.starts_with("  ") && (rest.starts_with('|') || rest.starts_with("+-") || rest.starts_with("+ "))
}

/// The text right of the innermost margin; a branch's own line becomes empty.
fn without_margin(line: &str) -> &str {
    let rest = line.trim_start();
    if rest.starts_with('+') {
        return if rest.contains("Traceback (most recent") { "Traceback" } else { "" };
    }
    let rest = rest.strip_prefix('|').unwrap_or(rest);
    rest.strip_prefix(' ').unwrap_or(rest)
}

/// The members' tracebacks, of whatever depth, in the order printed; a group within the group is passed over for its members.
fn members<'t>(inner: &[&'t str], start: usize) -> Vec<Block<'t>> {
    let mut members = Vec::new();
    let mut at = start;
    while at < inner.len() {
        if inner[at].is_empty() {
            at += 1;
            continue;
        }
        let from = if inner[at].starts_with("Traceback") { at + 1 } else { at };
        let Some(member) = block(inner, from) else { break };
        at = member.at + 1;
        if !member.kind.ends_with("ExceptionGroup") {
            members.push(member);
        }
        // The rest of a message of several lines.
        at += inner
            .iter()
            .skip(at)
            .take_while(|line| !line.is_empty() && !line.starts_with("Traceback"))
            .count();
    }
    members
}
