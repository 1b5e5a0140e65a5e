//! CPython's exception groups (3.11 and later, `exceptiongroup` before): a traceback in a margin of `|`, whose members are drawn
//! as branches.

use super::TRACEBACK;
use super::traceback::{Block, block};
use crate::last_words::report::Line;

/// How many lines a group may have.
const MAX_LINES: usize = 4_000;

/// The frames are those of the first member that has some, then the group's: what went wrong is in the member, the group only
/// says who waited for it.
pub(super) fn read<'t>(lines: &[Line<'t>], heading: usize) -> Option<Block<'t>> {
    let inside = lines.iter().skip(heading + 1).take(MAX_LINES).take_while(|line| is_margin(line));
    let inner: Vec<Line<'t>> = inside.map(|line| Line { text: without_margin(line.text), ..*line }).collect();
    let outer = block(&inner, 0)?;
    let members = members(&inner, outer.at + 1);
    let cause = members.first().map(|member| member.kind);
    let of_member = members.into_iter().map(|member| member.frames).find(|frames| !frames.is_empty());
    let frames = of_member.unwrap_or_default().into_iter().chain(outer.frames).collect();
    Some(Block { frames, cause, at: heading + inner.len(), ..outer })
}

fn is_margin(line: &str) -> bool {
    ["|", "+-", "+ "].iter().any(|margin| line.trim_start().starts_with(margin))
}

/// The text right of the innermost margin; a branch's own line becomes empty.
fn without_margin(line: &str) -> &str {
    let rest = line.trim_start();
    if rest.starts_with('+') {
        return if rest.contains(TRACEBACK) { TRACEBACK } else { "" };
    }
    let rest = rest.strip_prefix('|').unwrap_or(rest);
    rest.strip_prefix(' ').unwrap_or(rest)
}

/// The members' tracebacks, of whatever depth, in the order printed; a group within the group is passed over for its members.
fn members<'t>(inner: &[Line<'t>], start: usize) -> Vec<Block<'t>> {
    let mut members = Vec::new();
    let mut at = start;
    while at < inner.len() {
        if inner[at].is_empty() {
            at += 1;
            continue;
        }
        let from = if inner[at].text == TRACEBACK { at + 1 } else { at };
        let Some(member) = block(inner, from) else { break };
        at = member.at + 1;
        if !member.kind.ends_with("ExceptionGroup") {
            members.push(member);
        }
        // The rest of a message of several lines.
        at += inner.iter().skip(at).take_while(|line| !line.is_empty() && line.text != TRACEBACK).count();
    }
    members
}
