//! Rust: panics in their old and new forms with a backtrace if one was asked for, color-eyre's and human-panic's, stack
//! overflows, and `main` returning an error.
//!
//! What differs: before 1.73 the message stood in quotes before the place, on the same line; 1.91 puts the thread's number behind
//! its name; `log-panics` writes `thread 'main' panicked at 'message': src/main.rs:3`.

mod backtrace;

use model::crash::{Frame, Runtime};

use self::backtrace::{backtrace, place_of};
use super::report::{At, Line, MESSAGE_LINES, Report, ahead, message};
use super::{Ends, LastWords};
use crate::kinds;
use crate::text::printed;

const BACKTRACE: &str = "stack backtrace:";
/// The same of color-eyre.
const DRAWN_BACKTRACE: &str = "━ BACKTRACE ━";

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    panic(at)
        .or_else(|| color_eyre(at))
        .or_else(|| human_panic(at))
        .or_else(|| overflow(at))
        .or_else(|| out_of_memory(at))
        .or_else(|| returned_error(at))
}

/// A panic that came of another: of the first one's clean-up, or in the thread that waited for the one that panicked.
pub(super) fn is_second_panic(words: &LastWords) -> bool {
    let seconds = [
        "panic in a destructor during cleanup",
        "panic in a function that cannot unwind",
        "called `Result::unwrap()` on an `Err` value: Any {",
    ];
    words.runtime == Runtime::Rust
        && words.message.as_deref().is_some_and(|text| seconds.iter().any(|second| text.starts_with(second)))
}

/// What follows `thread 'name' ` or, since 1.91, `thread 'name' (id) `.
fn of_thread(line: &str) -> Option<(&str, &str)> {
    let rest = line.strip_prefix("thread '")?;
    let at = ["' panicked at ", "' has overflowed", "' ("].iter().filter_map(|mark| rest.find(mark)).min()?;
    let (name, rest) = rest.split_at(at);
    let rest = rest.strip_prefix("' ")?;
    let numbered = rest.strip_prefix('(').and_then(|rest| rest.split_once(") "));
    Some((name, numbered.map_or(rest, |(_, rest)| rest)))
}

fn is_end(line: &str) -> bool {
    line.is_empty() || line == BACKTRACE || line.starts_with("note: ") || line.starts_with("thread '")
}

fn panic(at: At<'_, '_>) -> Option<Report> {
    let (thread, rest) = of_thread(at.head)?;
    let rest = rest.strip_prefix("panicked at ")?;
    let body = at.below(MESSAGE_LINES);
    let (text, place, used) = if let Some(quoted) = rest.strip_prefix('\'') {
        old_message(quoted, body)
    } else {
        let lines = body.iter().take_while(|line| !is_end(line)).count();
        (message("", &body[..lines], |_| false), place_of(rest.trim_end_matches(':')), lines)
    };
    let (frames, end) = frames_below(at, used, place);
    let words = LastWords::new(Runtime::Rust, "panic")
        .with_message(&text)
        .with_thread(Some(thread))
        .with_frames(frames);
    Some(Report::new(words, end))
}

type Place<'t> = Option<(&'t str, Option<u32>)>;

/// `message', src/main.rs:37:24`: a message of several lines goes on below. Message, place, lines below.
fn old_message<'t>(quoted: &'t str, body: &[Line<'t>]) -> (String, Place<'t>, usize) {
    let mut text = String::new();
    let lines = std::iter::once(quoted).chain(body.iter().map(|line| line.text));
    for (used, line) in lines.enumerate().take_while(|(used, line)| *used == 0 || !is_end(line)) {
        let end = line.rsplit_once("', ").or_else(|| line.rsplit_once("': "));
        if let Some((last, place)) = end.and_then(|(last, place)| Some((last, place_of(place)?))) {
            text.push_str(last);
            return (text, Some(place), used);
        }
        text.push_str(line);
        text.push('\n');
    }
    (text, None, 0)
}

/// The calls of the backtrace that follows, else the place alone; and the line after them.
fn frames_below(at: At<'_, '_>, used: usize, place: Place<'_>) -> (Vec<Frame>, usize) {
    let start = at.start + 1 + used;
    let below = ahead(at.lines, start, MESSAGE_LINES);
    let trace = below
        .iter()
        .take_while(|line| !line.starts_with("thread '"))
        .position(|line| line.text == BACKTRACE || line.contains(DRAWN_BACKTRACE));
    let (mut frames, end) = trace.map_or((Vec::new(), start), |to| backtrace(at.lines, start + to + 1));
    if let Some((file, line)) = place.filter(|_| frames.is_empty()) {
        frames.push(printed("", file, line));
    }
    (frames, end)
}

/// `The application panicked (crashed).`, `Message:  …`, `Location: src/main.rs:57`.
fn color_eyre(at: At<'_, '_>) -> Option<Report> {
    if at.head != "The application panicked (crashed)." {
        return None;
    }
    let body = at.below(MESSAGE_LINES);
    let location = body.iter().position(|line| line.starts_with("Location: "))?;
    let text = message("", &body[..location], |_| false);
    let place = body[location].text.strip_prefix("Location: ").and_then(place_of);
    let (frames, end) = frames_below(at, location + 1, place);
    let words = LastWords::new(Runtime::Rust, "panic")
        .with_message(text.trim().trim_start_matches("Message: "))
        .with_frames(frames);
    Some(Report::new(words, end))
}

/// human-panic keeps the panic to itself and writes a file about it.
fn human_panic(at: At<'_, '_>) -> Option<Report> {
    let is_ours = at.head == "Well, this is embarrassing."
        && at.below(4).iter().any(|line| line.contains(" had a problem and crashed."));
    is_ours.then(|| Report::of(LastWords::new(Runtime::Rust, "panic").ending(Ends::ByExit), at, 1))
}

fn overflow(at: At<'_, '_>) -> Option<Report> {
    let (thread, rest) = of_thread(at.head)?;
    if !rest.starts_with("has overflowed its stack") {
        return None;
    }
    let more = at.below(1).first().filter(|line| line.starts_with("fatal runtime error: "));
    let words = LastWords::new(Runtime::Rust, kinds::STACK_OVERFLOW)
        .with_message(more.map_or("has overflowed its stack", |line| line.text))
        .with_thread(Some(thread))
        .ending(Ends::BySignal);
    Some(Report::of(words, at, usize::from(more.is_some())))
}

fn out_of_memory(at: At<'_, '_>) -> Option<Report> {
    let kind = if at.head.starts_with("memory allocation of ") && at.head.contains(" bytes failed") {
        kinds::OUT_OF_MEMORY
    } else if at.head.starts_with("fatal runtime error: ") {
        "fatal runtime error"
    } else {
        return None;
    };
    let words = LastWords::new(Runtime::Rust, kind).with_message(at.head).ending(Ends::BySignal);
    Some(Report::of(words, at, 0))
}

/// `Error: ParseIntError { kind: InvalidDigit }`, or a message with `Caused by:` and its list (anyhow), or with a numbered list
/// and `Location:` (eyre).
fn returned_error(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("Error:")?.trim_start();
    let body = at.below(MESSAGE_LINES);
    let starts = |begins: &str| body.iter().position(|line| line.trim_start().starts_with(begins));
    let has_causes = body.iter().find(|line| !line.is_empty()).is_some_and(|line| line.text == "Caused by:");
    let location = starts("Location:").filter(|_| has_causes || starts("0: ") == Some(0));
    let kind = debugged(text);
    if kind.is_none() && !has_causes && location.is_none() {
        return None;
    }
    let drawn = body.iter().position(|line| line.contains(DRAWN_BACKTRACE)).filter(|_| location.is_some());
    let trace = starts("Stack backtrace:").filter(|_| has_causes).or(drawn);
    let (mut frames, mut end) =
        trace.map_or((Vec::new(), at.start + 1), |to| backtrace(at.lines, at.start + 2 + to));
    if let Some(location) = location {
        let place = body.get(location + 1).and_then(|line| place_of(line.text));
        frames.extend(place.filter(|_| frames.is_empty()).map(|(file, line)| printed("", file, line)));
        end = end.max(at.start + 2 + location);
    }
    let list = if kind.is_some() { 0 } else { location.or(trace).unwrap_or(body.len()) };
    let words = LastWords::new(Runtime::Rust, kind.unwrap_or("Error"))
        .with_message(&message(text, &body[..list], |_| false))
        .with_frames(frames)
        .ending(Ends::ByExit);
    Some(Report::new(words.perhaps(), end))
}

/// The type of a value as `Debug` writes it: `NotFound { id: 2 }`, `Parse(ParseIntError { … })`, `Io("x")`, `ConfigError`.
fn debugged(text: &str) -> Option<&str> {
    const MAX_DEPTH: usize = 8;
    let (outer, rest) = debug_name(text)?;
    let (mut name, mut rest) = (outer, rest);
    for _ in 0..MAX_DEPTH {
        let Some(inner) = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else { break };
        if inner.starts_with(|c: char| c.is_ascii_digit() || "\"-".contains(c)) {
            return Some(outer);
        }
        (name, rest) = debug_name(inner)?;
    }
    let has_fields = rest.starts_with(" { ") && rest.ends_with('}') && rest.contains(": ");
    // One word alone may be a message's: only a type is named `…Error`.
    (has_fields || (rest.is_empty() && name.ends_with("Error"))).then_some(outer)
}

/// A name that begins with a capital, and what follows it.
fn debug_name(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    text.starts_with(char::is_uppercase).then(|| text.split_at(end))
}
