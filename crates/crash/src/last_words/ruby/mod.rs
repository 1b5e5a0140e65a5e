//! Ruby: `file:line:in 'method': message (Type)` with its callers, causes behind; the same told by Bundler, Rake, Rails and Puma;
//! and the interpreter's own `[BUG]`.
//!
//! What differs: before 3.4 a method stood between a back quote and a quote, now between quotes and with its class; 2.5 to 2.7
//! print the outermost caller first on a terminal; 3.1 and later put the source line and carets between the message and the
//! callers; Bundler before 2.? , Rake and Rails print `Type: message` and the places below it.

mod bug;

use model::crash::{Frame, Runtime};

use super::form;
use super::report::{At, Line, MESSAGE_LINES, Report, ahead, message};
use super::{Ends, LastWords};
use crate::text::{extension, is_path, printed};

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    bug::read(at)
        .or_else(|| uncaught(at))
        .or_else(|| reversed(at))
        .or_else(|| told(at))
        .or_else(|| logged(at))
        .or_else(|| syntax_error(at))
}

/// How many callers are read.
const MAX_CALLS: usize = 10_000;

fn uncaught(at: At<'_, '_>) -> Option<Report> {
    let thread = at
        .head
        .strip_prefix("#<Thread:")
        .filter(|rest| rest.contains(" terminated with exception"))
        .map(|rest| rest.split_once('@').map_or("", |(_, name)| name.split(' ').next().unwrap_or(name)));
    let first = at.start + usize::from(thread.is_some());
    let head = if thread.is_some() { at.lines.get(first)?.text } else { at.head };
    let top = error(at.lines, first, head)?;
    let cause = at.lines.get(top.end).and_then(|line| error(at.lines, top.end, line.text));
    let end = cause.as_ref().map_or(top.end, |cause| cause.end);
    let words = LastWords::new(Runtime::Ruby, top.kind)
        .with_message(&top.message)
        .with_thread(thread)
        .with_frames(top.frames)
        // The same error again is what ended the thread and then its waiter.
        .with_cause(cause.map(|cause| cause.kind).filter(|kind| *kind != top.kind))
        .ending(Ends::ByExit);
    Some(Report::new(words, end))
}

struct Error<'t> {
    kind: &'t str,
    message: String,
    /// Innermost first.
    frames: Vec<Frame>,
    end: usize,
}

/// The error whose first line is `head`, at `at`. Of a message of several lines the type stands behind the first; of one without
/// method, as syntax errors are, behind the last.
fn error<'t>(lines: &[Line<'t>], at: usize, head: &'t str) -> Option<Error<'t>> {
    let (frame, text) = place(head).filter(|_| head.contains(": "))?;
    let body = ahead(lines, at + 1, MESSAGE_LINES);
    let until_callers = body.iter().position(|line| is_caller(line));
    let limit = until_callers.unwrap_or(0);
    let (kind, text) = with_type(text).or_else(|| {
        body[..limit].iter().rev().find_map(|line| with_type(line.text)).map(|(kind, _)| (kind, text))
    })?;
    let callers_at = at + 1 + limit;
    let callers = ahead(lines, callers_at, MAX_CALLS);
    let callers = &callers[..callers.iter().take_while(|line| is_caller(line)).count()];
    let message = message(text, &body[..limit], |_| false);
    let frames = std::iter::once(frame).chain(callers.iter().filter_map(|line| caller(line))).collect();
    Some(Error { kind, message, frames, end: callers_at + callers.len() })
}

/// `\tfrom a.rb:4:in 'load'`, `\t ... 10067 levels...`.
fn is_caller(line: &str) -> bool {
    caller(line).is_some() || (line.trim_start().starts_with("... ") && line.ends_with(" levels..."))
}

fn caller(line: &str) -> Option<Frame> {
    let place = line.trim_start().strip_prefix("from ")?;
    self::place(place).map(|(frame, _)| frame).or_else(|| bare_place(place))
}

/// `a.rb:4:in 'Orders#load': message`, with the back quote that Ruby had before 3.4; and what follows the place.
fn place(line: &str) -> Option<(Frame, &str)> {
    let (before, rest) = line.split_once(":in ")?;
    // code that has no line of its own has none in the report
    let numbered = before.rsplit_once(':').and_then(|(file, number)| Some((file, number.parse().ok()?)));
    let (file, number) = numbered.map_or((before, None), |(file, number)| (file, Some(number)));
    let rest = rest.strip_prefix(['`', '\''])?;
    let (method, text) =
        rest.split_once("': ").or_else(|| rest.strip_suffix('\'').map(|method| (method, "")))?;
    Some((printed(method, file_of(file)?, number), text))
}

/// The path that ends a text: a label may stand before it, but a path of Ruby code has no blank.
fn file_of(text: &str) -> Option<&str> {
    if text.starts_with("(eval at ") && text.ends_with(')') {
        return Some(text);
    }
    let file = text.rsplit([' ', '\t']).next()?;
    let is_file = file.contains('/') || ["rb", "ru"].contains(&extension(file));
    (is_file || ["(eval)", "(irb)", "-e", "-"].contains(&file)).then_some(file)
}

/// A place without method: `a.rb:4`.
fn bare_place(place: &str) -> Option<Frame> {
    let (file, number) = place.rsplit_once(':')?;
    let number = number.parse().ok()?;
    file_of(file).filter(|found| *found == file).map(|file| printed("<main>", file, Some(number)))
}

/// `message (Type)`.
fn with_type(text: &str) -> Option<(&str, &str)> {
    let (text, kind) = text.strip_suffix(')')?.rsplit_once('(')?;
    let kind = if kind.starts_with("#<Class:") { "#<Class>" } else { kind };
    let is_type = kind == "#<Class>" || (is_path(kind) && kind.starts_with(char::is_uppercase));
    is_type.then_some((kind, text.trim_end()))
}

/// On a terminal, Ruby 2.5 to 2.7 printed the outermost caller first.
fn reversed(at: At<'_, '_>) -> Option<Report> {
    if at.head != "Traceback (most recent call last):" {
        return None;
    }
    let outer: Vec<Frame> = at.below(MAX_CALLS).iter().map_while(|line| reversed_caller(line)).collect();
    let first = at.start + 1 + outer.len();
    let head = at.lines.get(first).filter(|_| !outer.is_empty())?.text;
    let mut report = uncaught(At { start: first, head, ..at })?;
    report.words.frames.extend(outer.into_iter().rev());
    Some(report)
}

/// `\t1: from a.rb:9:in 'handle'`.
fn reversed_caller(line: &str) -> Option<Frame> {
    let (number, place) = line.trim_start().split_once(": from ")?;
    number.trim().parse::<u32>().ok()?;
    self::place(place).map(|(frame, _)| frame)
}

/// `NoMethodError: message`, and the places below it; then `Caused by:` and the same. Bundler, Rake and Rails print it at the
/// program's end, and then any class may be the type.
fn told(at: At<'_, '_>) -> Option<Report> {
    const TELLERS: [&str; 3] = ["bundler: failed to load command:", "rake aborted!", "rails aborted!"];
    let is_end = at.above().is_some_and(|line| TELLERS.iter().any(|teller| line.contains(teller)));
    let is_type = if is_end { form::is_own } else { form::is_error };
    let mut told = Error::told(at.lines, at.start, at.head, is_type)?;
    let mut cause = None;
    while let Some(next) = caused(at.lines, told.end) {
        let Some(inner) = Error::told(at.lines, next, at.lines[next].text, is_type) else { break };
        cause = Some(inner.kind);
        told.end = inner.end;
    }
    let words = LastWords::new(Runtime::Ruby, told.kind)
        .with_message(&told.message)
        .with_frames(told.frames)
        .with_cause(cause)
        .ending(Ends::ByExit);
    Some(Report::new(if is_end { words } else { words.perhaps() }, told.end))
}

impl<'t> Error<'t> {
    /// The one that is told so at `at`.
    fn told(lines: &[Line<'t>], at: usize, head: &'t str, is_type: fn(&str) -> bool) -> Option<Self> {
        let (kind, text) = form::typed(head, is_type)?;
        let below = ahead(lines, at + 1, MESSAGE_LINES);
        let calls_at = below.iter().position(|line| told_call(line).is_some())?;
        if below[..calls_at].iter().any(|line| form::typed(line.text, form::is_error).is_some()) {
            return None;
        }
        let frames: Vec<Frame> =
            ahead(lines, at + 1 + calls_at, MAX_CALLS).iter().map_while(|line| told_call(line)).collect();
        let message = message(text, &below[..calls_at], |_| false);
        Some(Self { kind, message, end: at + 1 + calls_at + frames.len(), frames })
    }
}

/// `Logger` puts the type behind the message: `FATAL -- : message (Type)` and the places below it.
fn logged(at: At<'_, '_>) -> Option<Report> {
    let (kind, text) = with_type(at.head).filter(|(kind, _)| form::is_error(kind))?;
    let frames: Vec<Frame> = at.below(MAX_CALLS).iter().map_while(|line| told_call(line)).collect();
    let below = frames.len();
    let words =
        LastWords::new(Runtime::Ruby, kind).with_message(text).with_frames(frames).ending(Ends::ByExit);
    (below > 0).then(|| Report::of(words.perhaps(), at, below))
}

/// `shop.rb:1: syntax error, unexpected ';'`, where the program could not be read at all.
fn syntax_error(at: At<'_, '_>) -> Option<Report> {
    let (place, text) = at.head.split_once(": ")?;
    let frame = bare_place(place).filter(|_| text.starts_with("syntax error"))?;
    let words = LastWords::new(Runtime::Ruby, "SyntaxError")
        .with_message(text)
        .with_frames(vec![frame])
        .ending(Ends::ByExit);
    Some(Report::of(words, at, 0))
}

/// The line below `Caused by:`.
fn caused(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let empty = usize::from(lines.get(at)?.is_empty());
    (lines.get(at + empty)?.text == "Caused by:" && at + empty + 1 < lines.len()).then_some(at + empty + 1)
}

/// A line that is only a place with its method.
fn told_call(line: &str) -> Option<Frame> {
    let line = line.trim_start();
    let (frame, text) = place(line)?;
    let is_whole = text.is_empty() && frame.file.as_deref().is_some_and(|file| line.starts_with(file));
    is_whole.then_some(frame)
}
