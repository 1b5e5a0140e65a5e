//! Ruby: `file:line:in 'method': message (Type)` with its callers, causes behind; and the interpreter's own `[BUG]`.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{is_path, printed};

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    bug(lines, at).or_else(|| uncaught(lines, at)).or_else(|| reversed(lines, at))
}

fn uncaught(lines: &[&str], start: usize) -> Option<Report> {
    let thread = lines[start]
        .strip_prefix("#<Thread:")
        .filter(|rest| rest.contains(" terminated with exception"))
        .map(|rest| rest.split_once('@').map_or("", |(_, name)| name.split(' ').next().unwrap_or(name)));
    let at = start + usize::from(thread.is_some());
    let top = error(lines, at)?;
    let cause = error(lines, top.end);
    let end = cause.as_ref().map_or(top.end, |cause| cause.end);
    let words = LastWords::new(Runtime::Ruby, top.kind)
        .with_message(&top.message)
        .with_thread(thread)
        .with_frames(top.frames)
        // The same error again is what ended the thread and then its waiter.
        .with_cause(cause.map(|cause| cause.kind).filter(|kind| *kind != top.kind))
        .ending(Ends::ByExit);
    Some(Report { words, end })
}

struct Error<'t> {
    kind: &'t str,
    message: String,
    /// Innermost first.
    frames: Vec<Frame>,
    end: usize,
}

/// The error whose first line is at `at`. Of a message of several lines the type stands behind the first; of one without
/// method, as syntax errors are, behind the last.
fn error<'t>(lines: &[&'t str], at: usize) -> Option<Error<'t>> {
    let (frame, text) = place(lines.get(at)?)?;
    let body = ahead(lines, at + 1, super::MESSAGE_LINES);
    let until_callers = body.iter().position(|line| is_caller(line));
    let limit = until_callers.unwrap_or(0);
    let (kind, text) = with_type(text).or_else(|| {
        body[..limit].iter().rev().find_map(|line| with_type(line)).map(|(kind, _)| (kind, text))
    })?;
    let callers_at = at + 1 + limit;
    let callers: Vec<Frame> = lines[callers_at.min(lines.len())..]
        .iter()
        .take_while(|line| is_caller(line))
        .filter_map(|line| {
            place(line.trim_start().strip_prefix("from ")?)
                .or_else(|| bare_place(line))
                .map(|(frame, _)| frame)
        })
        .collect();
    let end =
        callers_at + lines[callers_at.min(lines.len())..].iter().take_while(|line| is_caller(line)).count();
    let message = message(text, &body[..limit], |_| false);
    Some(Error { kind, message, frames: std::iter::once(frame).chain(callers).collect(), end })
}

fn is_caller(line: &str) -> bool {
    line.starts_with("\tfrom ") || line.starts_with("\t ... ")
}

/// `a.rb:4:in 'Orders#load': message`, with the back quote that Ruby had before 3.4; and what follows the place.
fn place(line: &str) -> Option<(Frame, &str)> {
    let (before, rest) = line.split_once(":in ")?;
    let (file, number) = before.rsplit_once(':')?;
    let number = number.parse().ok()?;
    let rest = rest.strip_prefix(['`', '\''])?;
    let (method, text) =
        rest.split_once("': ").or_else(|| rest.strip_suffix('\'').map(|method| (method, "")))?;
    Some((printed(method, file, Some(number)), text))
}

fn bare_place(line: &str) -> Option<(Frame, &str)> {
    let (file, number) = line.trim_start().strip_prefix("from ")?.rsplit_once(':')?;
    Some((printed("<main>", file, number.parse().ok()), ""))
}

/// `message (Type)`.
fn with_type(text: &str) -> Option<(&str, &str)> {
    let (text, kind) = text.strip_suffix(')')?.rsplit_once('(')?;
    let kind = if kind.starts_with("#<Class:") { "#<Class>" } else { kind };
    let is_type = kind == "#<Class>" || (is_path(kind) && kind.starts_with(char::is_uppercase));
    is_type.then_some((kind, text.trim_end()))
}

/// On a terminal, Ruby 2.5 to 2.7 printed the outermost caller first.
fn reversed(lines: &[&str], start: usize) -> Option<Report> {
    if lines[start] != "Traceback (most recent call last):" || !lines.get(start + 1)?.contains(": from ") {
        return None;
    }
    let is_from = |line: &str| line.starts_with('\t') && line.contains(": from ");
    let callers = lines[start + 1..].iter().take_while(|line| is_from(line)).count();
    let mut report = uncaught(lines, start + 1 + callers)?;
    let outer = lines[start + 1..start + 1 + callers].iter().rev();
    report
        .words
        .frames
        .extend(outer.filter_map(|line| place(line.split_once(": from ")?.1).map(|(frame, _)| frame)));
    Some(report)
}

/// `a.rb:17: [BUG] Segmentation fault at 0x…`, the registers, and the backtrace, outermost first.
fn bug(lines: &[&str], start: usize) -> Option<Report> {
    let (_, text) = lines[start].split_once("[BUG] ")?;
    let ruby_level = "-- Ruby level backtrace information";
    let header = ahead(lines, start + 1, 400).iter().position(|line| line.starts_with(ruby_level));
    let mut frames: Vec<Frame> = header
        .map(|header| {
            ahead(lines, start + 2 + header, 400)
                .iter()
                .map_while(|line| place(line))
                .map(|(frame, _)| frame)
                .collect()
        })
        .unwrap_or_default();
    frames.reverse();
    let kind = match text.split(" at ").next().unwrap_or(text) {
        "Segmentation fault" => "SIGSEGV",
        "Bus Error" => "SIGBUS",
        "Illegal instruction" => "SIGILL",
        "Stack overflow" => "Stack overflow",
        _ => "[BUG]",
    };
    // The report ends with Ruby's note, or with the tail; of two of them each has its own.
    let end = ahead(lines, start + 1, 4_000)
        .iter()
        .take_while(|line| !line.contains("[BUG] "))
        .position(|line| line.starts_with("[NOTE]"))
        .map_or(start + 1, |at| start + 2 + at);
    let words =
        LastWords::new(Runtime::Ruby, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Some(Report { words, end })
}
