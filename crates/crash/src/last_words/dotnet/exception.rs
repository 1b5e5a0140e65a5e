//! An exception's text, as `Exception.ToString()` makes it:
//!
//! ```text
//! System.InvalidOperationException: outer message
//!  ---> MySqlConnector.MySqlException (0x80004005): inner message
//!    at Inner.Method(String argument) in /src/Inner.cs:line 12
//!    --- End of inner exception stack trace ---
//!    at Outer.Method()
//! --- End of stack trace from previous location ---
//!    at Outer.Caller()
//!  ---> (Inner Exception #1) System.IO.IOException: another one of an AggregateException<---
//! ```
//!
//! The innermost exception's calls come first; what follows the last end of an inner one is the outer's own.

use model::crash::{Frame, Runtime};

use super::call::call;
use super::{LastWords, MAX_LINES};
use crate::last_words::form;
use crate::last_words::report::{At, Line, MESSAGE_LINES, Report, message};

const INNER: &str = "---> ";
const END_OF_INNER: &str = "--- End of inner exception stack trace ---";
/// How many inner exceptions are read. Ours: a chain of more is a message's.
const MAX_INNER: usize = 50;
const PREVIOUS: &str = "--- End of stack trace from previous location";

#[derive(Default)]
pub(super) struct Exception<'t> {
    message: String,
    /// The outer's own calls; the innermost's where it has none.
    pub(super) frames: Vec<Frame>,
    /// The innermost exception's type.
    cause: Option<&'t str>,
    lines: usize,
}

impl<'t> Exception<'t> {
    /// The exception whose first line ends with `text`, and which ends the program: nothing is printed after its calls.
    pub(super) fn of_end(at: At<'_, 't>, text: &'t str) -> Self {
        Self::with_stack(at, text, last_stack)
    }

    /// The same of a log, which goes on.
    pub(super) fn below(at: At<'_, 't>, text: &'t str) -> Self {
        Self::with_stack(at, text, |_, first| first)
    }

    fn with_stack(at: At<'_, 't>, text: &'t str, stack_of: fn(&[Line<'_>], usize) -> usize) -> Self {
        let body = at.below(MAX_LINES);
        let begins = |line: &Line<'_>| call(line).is_some() || line.trim_start().starts_with(INNER);
        let stack_at = body.iter().take(MESSAGE_LINES).position(begins).map(|at| stack_of(body, at));
        let (text, on_line) = inner_on_line(text);
        let mut exception = Exception { cause: on_line, ..Self::default() };
        let Some(stack_at) = stack_at else {
            text.clone_into(&mut exception.message);
            return exception;
        };
        exception.message = message(text, &body[..stack_at], |_| false);
        // of a message of several lines the inner one stands on the last
        exception.cause = exception
            .cause
            .or_else(|| body[..stack_at].iter().rev().find_map(|line| inner_on_line(line.text).1));
        exception.lines = stack_at + exception.stack(&body[stack_at..]);
        exception
    }

    /// Reads inner exceptions and calls; how many lines they have.
    fn stack(&mut self, body: &[Line<'t>]) -> usize {
        let mut inner = Vec::new();
        let mut is_outer = true;
        let (mut lines, mut inners) = (0, 0);
        for (at, line) in body.iter().enumerate() {
            let text = line.text.trim_start();
            if let Some(frame) = call(text) {
                if is_outer { self.frames.push(frame) } else { inner.push(frame) }
            } else if text.starts_with("---> (Inner Exception #") {
                // those after the first of an AggregateException, behind its own calls
                lines = at + others(&body[at..]);
                break;
            } else if let Some(error) = text.strip_prefix(INNER).filter(|_| inners < MAX_INNER) {
                inners += 1;
                self.cause = typed(error, form::is_error).map(|(kind, _)| kind).or(self.cause);
                is_outer = false;
            } else if text.starts_with(END_OF_INNER) {
                // of exceptions within each other the last one's end is told last: what follows belongs to the next outer one
                inner.append(&mut self.frames);
                is_outer = true;
            } else if !(text.starts_with(PREVIOUS) || (!is_outer && goes_on(&body[at..]))) {
                break;
            }
            lines = at + 1;
        }
        if self.frames.is_empty() {
            self.frames = inner;
        }
        lines
    }

    pub(super) fn report(self, at: At<'_, '_>, kind: &str) -> Report {
        let words = LastWords::new(Runtime::Dotnet, kind)
            .with_message(&self.message)
            .with_frames(self.frames)
            .with_cause(self.cause);
        Report::of(words, at, self.lines)
    }
}

/// Before 3.0 the inner exceptions stand on the first line: the outer's text and the innermost's type.
fn inner_on_line(text: &str) -> (&str, Option<&str>) {
    let Some((outer, _)) = text.split_once(" ---> ") else { return (text, None) };
    let innermost = text.rsplit(" ---> ").find_map(|error| typed(error, form::is_error));
    innermost.map_or((text, None), |(kind, _)| (outer, Some(kind)))
}

/// The stack at `from`, or, where something else stands between it and another, that one: the calls before it are the message's.
fn last_stack(body: &[Line<'_>], from: usize) -> usize {
    let mut at = from;
    loop {
        let end = at + Exception::default().stack(&body[at..]);
        let begins = |line: &Line<'_>| call(line).is_some() || line.trim_start().starts_with(INNER);
        let next =
            body.iter().skip(end).take(MESSAGE_LINES.saturating_sub(end)).take_while(|line| !ends(line));
        match next.clone().position(begins) {
            Some(more) if end + more > at => at = end + more,
            _ => return at,
        }
    }
}

/// Nothing of this exception follows.
fn ends(line: &str) -> bool {
    line.is_empty() || line.starts_with("Unhandled ")
}

/// A message of several lines inside.
fn goes_on(rest: &[Line<'_>]) -> bool {
    rest.iter().take(MESSAGE_LINES).any(|line| {
        call(line).is_some()
            || line.trim_start().starts_with(INNER)
            || line.trim_start().starts_with(END_OF_INNER)
    })
}

/// How many lines the further inner exceptions have.
fn others(body: &[Line<'_>]) -> usize {
    let belongs = |line: &Line<'_>| {
        let text = line.trim_start();
        call(text).is_some() || text.starts_with("---") || text.ends_with("<---") || text.is_empty()
    };
    body.iter().take_while(|line| belongs(line)).count()
}

/// `T: message`, `T (0x80004005): message`, `T`, where `T` may have arguments: ``FaultException`1[Shop.Fault]``.
pub(super) fn typed(line: &str, is: fn(&str) -> bool) -> Option<(&str, &str)> {
    let end = line.find([' ', '[', ':']).unwrap_or(line.len());
    let arguments = arguments(&line[end..]);
    let (kind, rest) = line.split_at(end + arguments);
    let number =
        rest.strip_prefix(" (").and_then(|rest| rest.split_once(')')).filter(|(number, _)| is_number(number));
    let rest = number.map_or(rest, |(_, rest)| rest);
    let text = match rest.strip_prefix(':') {
        Some(text) => text.strip_prefix(' ').or(Some(text).filter(|text| text.is_empty()))?,
        None => Some(rest).filter(|rest| rest.is_empty())?,
    };
    is(&line[..end]).then_some((kind, text))
}

/// `111`, `0x80004005`, `-2147467259`; a name that was not found has two, `00000005, 0xFFFDFFFF`.
fn is_number(text: &str) -> bool {
    text.split(", ").all(|number| {
        let digits = number.strip_prefix("0x").unwrap_or(number.strip_prefix('-').unwrap_or(number));
        !digits.is_empty() && digits.len() <= 12 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// The length of a list of types in brackets; 0 where there is none.
fn arguments(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at + 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth == 0 => return 0,
            c if c.is_alphanumeric() || "_.`,+ =-".contains(c) => {}
            _ => return 0,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_its_number_and_its_arguments_beside_it() {
        for (line, kind, text) in [
            ("Npgsql.NpgsqlException (0x80004005): x (y): z", "Npgsql.NpgsqlException", "x (y): z"),
            (
                "System.Net.Sockets.SocketException (111): Connection refused",
                "System.Net.Sockets.SocketException",
                "Connection refused",
            ),
            ("A.ExtendedSocketException (00000005, 0xFFFDFFFF): x", "A.ExtendedSocketException", "x"),
            (
                "System.ServiceModel.FaultException`1[Shop.Fault]: x",
                "System.ServiceModel.FaultException`1[Shop.Fault]",
                "x",
            ),
            ("A.B`2[[C.D, C, Version=1.0],[E.F, E]]", "A.B`2[[C.D, C, Version=1.0],[E.F, E]]", ""),
            ("Shop.OrderNotFound:", "Shop.OrderNotFound", ""),
        ] {
            assert_eq!(typed(line, form::is_own), Some((kind, text)), "{line}");
        }
        for line in
            ["alice: x", "Alice is gone: x", "Some services (a): x", "A (alice): x", "A (5, alice): x"]
        {
            assert_eq!(typed(line, form::is_own), None, "{line}");
        }
    }
}
