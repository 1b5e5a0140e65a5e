//! The report of Ruby's own crash: `a.rb:17: [BUG] Segmentation fault at 0x…`, the control frames and the calls, which stand
//! outermost first, and the C calls.

use model::crash::{Frame, Runtime};

use super::place;
use crate::kinds;
use crate::last_words::report::{At, Line, Report};
use crate::last_words::{Ends, LastWords};
use crate::text::{file_line, printed};

const CALLS: &str = "-- Ruby level backtrace information";
const CONTROL: &str = "-- Control frame information";
const MAX_LINES: usize = 4_000;
/// Control frames have no names: what kind of code each is in.
const KINDS: [(&str, &str); 8] = [
    ("METHOD", "<method>"),
    ("BLOCK", "<block>"),
    ("CLASS", "<class>"),
    ("TOP", "<top (required)>"),
    ("EVAL", "<eval>"),
    ("RESCUE", "<rescue>"),
    ("ENSURE", "<ensure>"),
    ("LAMBDA", "<lambda>"),
];

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let (before, text) = at.head.split_once("[BUG] ")?;
    // The program's place or nothing stands before it.
    if !(before.is_empty() || before.ends_with(": ")) {
        return None;
    }
    let body = at.below(MAX_LINES);
    let body = &body[..body.iter().take_while(|line| !line.contains("[BUG] ")).count()];
    let section = |begins: &str| body.iter().position(|line| line.starts_with(begins));
    let mut frames: Vec<Frame> = section(CALLS)
        .map(|heading| {
            body[heading + 1..].iter().map_while(|line| place(line)).map(|(frame, _)| frame).collect()
        })
        .unwrap_or_default();
    frames.reverse();
    if frames.is_empty() {
        frames = section(CONTROL).map(|heading| control_frames(&body[heading + 1..])).unwrap_or_default();
    }
    let kind = match text.split(" at ").next().unwrap_or(text) {
        "Segmentation fault" => "SIGSEGV",
        "Bus Error" => "SIGBUS",
        "Illegal instruction" => "SIGILL",
        "Stack overflow" => kinds::STACK_OVERFLOW,
        _ => "[BUG]",
    };
    let words =
        LastWords::new(Runtime::Ruby, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Some(Report::of(words, at, end(body)))
}

/// The report ends with Ruby's note, or with the map of the memory: of the rest nothing is another report.
fn end(body: &[Line<'_>]) -> usize {
    let is_map = |line: &str| line.bytes().take(8).all(|byte| byte.is_ascii_hexdigit());
    let belongs = |line: &str| {
        line.is_empty()
            || line.starts_with(['-', '/', ' ', '*', '<', '(', '['])
            || line.starts_with("ruby")
            || is_control_frame(line)
            || is_c_call(line)
            || is_map(line)
    };
    if let Some(note) = body.iter().position(|line| line.starts_with("[NOTE]")) {
        return note + 1;
    }
    // what stands between its headings is its own, whatever a release adds there
    let last = body.iter().rposition(|line| is_heading(line)).map_or(0, |heading| heading + 1);
    last + body[last..].iter().take_while(|line| belongs(line)).count()
}

/// `-- Threading information ---------------------------------------------------`.
fn is_heading(line: &str) -> bool {
    let text = line.strip_prefix("-- ").and_then(|text| text.strip_suffix("----"));
    text.is_some_and(|text| text.contains(" information -") || text.contains(" context -"))
}

/// `puma: cluster worker 1: 30245 [puma](_start+0x21) [0x55c699bbc151]`: a program is called as it calls itself.
fn is_c_call(line: &str) -> bool {
    line.ends_with(']') && line.contains(" [0x")
}

fn is_control_frame(line: &str) -> bool {
    line.starts_with("c:") && line.contains(" p:") && line.contains(" s:")
}

/// `c:0051 p:---- s:0278 e:000277 CFUNC  :require`, `c:0050 p:0008 s:0273 e:000272 BLOCK  /srv/a.rb:291 [FINISH]`, innermost
/// first.
fn control_frames(lines: &[Line<'_>]) -> Vec<Frame> {
    lines
        .iter()
        .take_while(|line| is_control_frame(line))
        .filter_map(|line| {
            let what = line.split_whitespace().skip(4);
            let what: Vec<&str> = what.filter(|word| *word != "[FINISH]").collect();
            match *what.as_slice() {
                ["CFUNC", function] => Some(printed(function.trim_start_matches(':'), "", None)),
                [kind, place] => {
                    let (file, number) = file_line(place);
                    let function = KINDS.iter().find(|(known, _)| *known == kind)?.1;
                    number.map(|_| printed(function, file, number))
                }
                _ => None,
            }
        })
        .collect()
}
