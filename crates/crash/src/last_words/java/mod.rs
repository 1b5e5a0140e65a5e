//! The Java virtual machine: uncaught exceptions with their causes, failed starts, its own crash reports (`machine`), and the
//! words of Spring Boot.
//!
//! What differs: a call has its module from 9 on and, where a logger printed it, its jar (`~[shop.jar:1.0]`); Maven puts a blank
//! before the place and indents by blanks; sbt puts `[error] ` before each line; `kotlin`, `scala` and `clojure` have their own
//! files in places. `HotSpot` prints at most 1,024 calls (`MaxJavaStackTraceDepth`).

mod call;
mod machine;

use model::crash::{Frame, Runtime};

use self::call::call;
use super::report::{At, Line, MESSAGE_LINES, Report, ahead, indentation, message};
use super::{Ends, LastWords, form};
use crate::text;

/// How many lines of calls and causes are read.
const MAX_LINES: usize = 4_000;
const CAUSED: &str = "Caused by: ";
/// How many causes are read. Ours: a chain of more is a message's.
const MAX_CAUSES: usize = 50;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    uncaught(at)
        .or_else(|| machine::read(at))
        .or_else(|| out_of_memory(at))
        .or_else(|| failed_start(at))
        .or_else(|| spring(at))
        .or_else(|| logged(at))
        .or_else(|| headless(at))
}

/// Those of a stack overflow push their heading out of the tail. What prints so many is hardly anything else.
fn headless(at: At<'_, '_>) -> Option<Report> {
    const MANY: usize = 400;
    if at.start > 2 || call(at.head).is_none() {
        return None;
    }
    let frames: Vec<Frame> =
        ahead(at.lines, at.start, MAX_LINES).iter().map_while(|line| call(line)).collect();
    let end = at.start + frames.len();
    let words = LastWords::new(Runtime::Java, "java.lang.StackOverflowError")
        .with_frames(frames)
        .ending(Ends::ByExit);
    (end - at.start >= MANY).then(|| Report::new(words.perhaps(), end))
}

/// `Exception in thread "main" java.lang.IllegalStateException: …`. The thread dies of it; with the last one the program.
fn uncaught(at: At<'_, '_>) -> Option<Report> {
    let (thread, error) = at.head.strip_prefix("Exception in thread \"")?.split_once("\" ")?;
    let (kind, text) = form::typed(error, is_own_class)?;
    let stack = Stack::below(at);
    let mut report = exception(at, kind, text, stack);
    report.words = report.words.with_thread(Some(thread));
    Some(report)
}

/// A stack trace without the thread's name: `printStackTrace()` and loggers. The program may have gone on after it.
fn logged(at: At<'_, '_>) -> Option<Report> {
    let (kind, text) = form::typed(at.head, form::is_error).filter(|(kind, _)| is_class(kind))?;
    let stack = Stack::below(at).filter(|stack| !stack.frames.is_empty())?;
    let is_nearer = |line: &Line<'_>| {
        indentation(line.text) == 0
            && form::typed(line.text, form::is_error).is_some_and(|(kind, _)| is_class(kind))
    };
    if at.below(stack.at).iter().any(is_nearer) {
        return None;
    }
    let mut report = exception(at, kind, text, Some(stack));
    report.words = report.words.perhaps();
    Some(report)
}

fn exception(at: At<'_, '_>, kind: &str, text: &str, stack: Option<Stack<'_>>) -> Report {
    let stack = stack.unwrap_or_default();
    let words = LastWords::new(Runtime::Java, kind)
        .with_message(&message(text, at.below(stack.at), |_| false))
        .with_frames(stack.frames)
        .with_cause(stack.cause)
        .ending(Ends::ByExit);
    Report::of(words, at, stack.at + stack.lines)
}

/// The calls below an exception's first line, and its causes'.
#[derive(Default)]
struct Stack<'t> {
    /// How many lines of message stand above.
    at: usize,
    lines: usize,
    frames: Vec<Frame>,
    /// Of the causes the innermost, which is told last.
    cause: Option<&'t str>,
}

impl<'t> Stack<'t> {
    fn below(at: At<'_, 't>) -> Option<Self> {
        let begins = |line: &Line<'_>| call(line).is_some() || line.starts_with(CAUSED);
        let stack_at = at.below(MESSAGE_LINES).iter().position(begins)?;
        let body = ahead(at.lines, at.start + 1 + stack_at, MAX_LINES);
        let mut stack = Stack { at: stack_at, ..Self::default() };
        let mut is_outer = true;
        let mut causes = 0;
        for (offset, line) in body.iter().enumerate() {
            let frame = call(line);
            is_outer &= frame.is_some();
            if let Some(cause) = line.text.strip_prefix(CAUSED) {
                causes += 1;
                if causes > MAX_CAUSES {
                    break;
                }
                let cause = form::typed(cause, is_cause).map(|(kind, _)| kind);
                stack.cause = cause.or(stack.cause);
            } else if frame.is_none() && !belongs(line) && !message_goes_on(&body[offset..]) {
                break;
            }
            stack.frames.extend(frame.filter(|_| is_outer));
            stack.lines = offset + 1;
        }
        Some(stack)
    }
}

/// `\t... 8 more`, `\tSuppressed: java.io.IOException: x`, `\t[CIRCULAR REFERENCE: …]`.
fn belongs(line: &str) -> bool {
    let inner = line.trim_start();
    let is_indented = inner.len() < line.len();
    inner.starts_with("... ") || inner.starts_with("Wrapped by: ") || (is_indented && !line.trim().is_empty())
}

/// The message of a cause may have several lines: calls or a cause follow soon.
fn message_goes_on(rest: &[Line<'_>]) -> bool {
    let few = &rest[..rest.len().min(12)];
    few.iter()
        .take_while(|line| !line.stamped && !line.starts_with("Exception in thread"))
        .any(|line| call(line).is_some() || line.starts_with(CAUSED))
        && !few.iter().any(|line| form::typed(line.text, form::is_error).is_some())
}

/// A class's name as Java has them.
fn is_class(kind: &str) -> bool {
    text::is_path(kind) && !kind.contains("::") && !kind.contains('\\')
}

fn is_own_class(kind: &str) -> bool {
    is_class(kind) && form::is_own(kind)
}

/// A cause stands on a line that a message could have, too, so its type has an error's form or a whole package before it.
fn is_cause(kind: &str) -> bool {
    is_own_class(kind) && (form::is_error(kind) || kind.contains('$') || kind.matches('.').count() > 1)
}

/// `Terminating due to java.lang.OutOfMemoryError: Java heap space`, or the handler itself ran out of it.
fn out_of_memory(at: At<'_, '_>) -> Option<Report> {
    let error = ["Terminating due to ", "Aborting due to ", "Exception: "]
        .iter()
        .find_map(|before| at.head.strip_prefix(before))
        .filter(|error| error.starts_with("java.lang."))?;
    let (kind, text) = error.split_once([':', ' ']).unwrap_or((error, ""));
    form::is_error(kind).then(|| Report::of(LastWords::new(Runtime::Java, kind).with_message(text), at, 0))
}

/// `Error: Could not find or load main class Shop` and `Error occurred during initialization of VM`.
fn failed_start(at: At<'_, '_>) -> Option<Report> {
    const BEGINNINGS: [&str; 9] = [
        "Error: Could not find or load main class",
        "Error: Unable to initialize main class",
        "Error: Main method not found",
        "Error: Unable to access jarfile",
        "Error: LinkageError occurred while loading main class",
        "Error occurred during initialization of VM",
        "Error occurred during initialization of boot layer",
        "Error: A JNI error has occurred",
        "Error: Could not create the Java Virtual Machine",
    ];
    BEGINNINGS.iter().find(|begins| at.head.starts_with(**begins))?;
    let next = at.below(1).first().map_or("", |line| line.text.trim_start());
    let cause = next.strip_prefix(CAUSED).or(Some(next).filter(|line| line.starts_with("java.lang.")));
    let kind = cause.and_then(|cause| form::typed(cause, is_own_class));
    let words = LastWords::new(Runtime::Java, kind.map_or("Java start-up error", |(kind, _)| kind))
        .with_message(at.head)
        .ending(Ends::ByExit);
    Some(Report::of(words, at, usize::from(kind.is_some())))
}

/// The report of Spring Boot's `FailureAnalyzer`s, between lines of stars, on standard output as a rule: what is wrong and what
/// to do, without an exception.
fn spring(at: At<'_, '_>) -> Option<Report> {
    const HEADING: &str = "APPLICATION FAILED TO START";
    const MAX_REPORT: usize = 80;
    let is_stars = |line: &Line<'_>| !line.is_empty() && line.trim().bytes().all(|byte| byte == b'*');
    let below = at.below(MAX_REPORT);
    if at.head != HEADING || !below.first().is_some_and(is_stars) {
        return None;
    }
    let end = below.iter().position(|line| line.stamped).unwrap_or(below.len());
    let text = message("", &below[1..end.max(1)], |_| false);
    let words = LastWords::new(Runtime::Java, HEADING).with_message(&text).ending(Ends::ByExit);
    Some(Report::of(words, at, end))
}
