//! Go: panics, fatal errors of the runtime, and what it prints at a fatal signal.
//!
//! A call is two lines: the function with its arguments, then file and line behind a tab. What differs: before 1.18 arguments
//! were words, since then values with `?` where they may be stale; generic functions have `[...]`; 1.21 has `[recovered,
//! repanicked]`; `GOTRACEBACK=crash` adds registers and the other goroutines, `system` addresses of frames (`fp=…`).

mod goroutine;

use model::crash::{Frame, Runtime};

use self::goroutine::{Goroutine, is_heading};
use super::LastWords;
use super::report::{At, Line, Report, message};
use crate::kinds;

/// How far below a panic's first line its goroutine is looked for.
const TO_STACK: usize = 200;

/// The texts of `fatal error:` that the runtime itself has, which therefore tell nothing private.
const FATAL: [&str; 11] = [
    "all goroutines are asleep - deadlock!",
    "concurrent map writes",
    "concurrent map read and map write",
    "concurrent map iteration and map write",
    "sync: unlock of unlocked mutex",
    "sync: Unlock of unlocked RWMutex",
    "sync: RUnlock of unlocked RWMutex",
    "sync: inconsistent mutex state",
    "fault",
    "unexpected signal during runtime execution",
    "no goroutines (main called runtime.Goexit) - deadlock!",
];

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    panic(at)
        .or_else(|| fatal_error(at))
        .or_else(|| signal(at))
        .or_else(|| served_panic(at))
        .or_else(|| headless(at))
}

/// How many lines below this one a goroutine begins.
fn to_stack(at: At<'_, '_>) -> Option<usize> {
    at.below(TO_STACK).iter().position(|line| is_heading(line))
}

fn report(words: LastWords, goroutine: &Goroutine<'_>, frames: Vec<Frame>) -> Report {
    Report::new(words.with_thread(Some(goroutine.name)).with_frames(frames), goroutine.end)
}

fn panic(at: At<'_, '_>) -> Option<Report> {
    let first = at.head.strip_prefix("panic: ")?;
    let to_stack = to_stack(at)?;
    let head = at.below(to_stack);
    // A panic while panicking: each further one stands behind a tab, the last is the one that ended it.
    let again = |line: &Line<'_>| line.trim_start().starts_with("panic: ");
    let last = head.iter().rev().find(|line| again(line)).map(|line| line.text.trim_start());
    let value = last.and_then(|line| line.strip_prefix("panic: "));
    let (kind, text) = value_type(without_marks(value.unwrap_or(first)));
    let text = if value.is_none() {
        message(text, head, |line| line.is_empty() || line.starts_with("[signal "))
    } else {
        text.to_owned()
    };
    let cause = value.map(|_| value_type(without_marks(first)).0);
    let mut goroutine = Goroutine::read(at.lines, at.start + 1 + to_stack)?;
    let frames = without_machinery(std::mem::take(&mut goroutine.frames));
    let words = LastWords::new(Runtime::Go, kind).with_message(&text).with_cause(cause);
    Some(report(words, &goroutine, frames))
}

/// `value [recovered]`, `value [recovered, repanicked]`.
fn without_marks(value: &str) -> &str {
    value.split(" [recovered").next().unwrap_or(value)
}

/// Type and text of a panic's value: `runtime error: …`, `main.Name("x")`, `main.Num(42)`, `(main.T) {…}`,
/// `&errors.errorString{…}`, `(*main.T) 0xc000010030`, or only a text, which may look like any of them: a type is one where the
/// value's own form goes to its end.
fn value_type(value: &str) -> (&str, &str) {
    if let Some(text) = value.strip_prefix("runtime error: ") {
        return ("runtime.Error", text);
    }
    if value.starts_with("interface conversion: ") {
        return ("runtime.TypeAssertionError", value);
    }
    let inner = value.trim_start_matches(['&', '(']);
    let end = inner.find(|c: char| !(c.is_alphanumeric() || "_./*-".contains(c))).unwrap_or(inner.len());
    let (kind, rest) = inner.split_at(end);
    let has_package = kind.split_once('.').is_some_and(|(package, name)| {
        !package.is_empty() && name.starts_with(|c: char| c.is_alphabetic() || c == '_')
    });
    let in_parentheses = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let is_value = in_parentheses.is_some_and(is_literal)
        || (rest.starts_with('{') && rest.ends_with('}'))
        || rest.strip_prefix(") ").is_some_and(|rest| {
            rest.starts_with("0x") || (rest.starts_with(['{', '(']) && rest.ends_with(['}', ')']))
        });
    if has_package && is_value { (kind, value) } else { ("panic", value) }
}

/// `"x"`, `42`, `-1`, `+1.5e+000`, `true`, `0x45e0a0, 0x0`.
fn is_literal(text: &str) -> bool {
    let is_number = |c: char| c.is_ascii_hexdigit() || "+-.ex, i()".contains(c);
    (text.len() > 1 && text.starts_with('"') && text.ends_with('"'))
        || ["true", "false"].contains(&text)
        || (text.starts_with(|c: char| c.is_ascii_digit() || "+-".contains(c)) && text.chars().all(is_number))
}

fn fatal_error(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("fatal error: ")?;
    let mut goroutine = Goroutine::read(at.lines, at.start + 1 + to_stack(at)?)?;
    let known =
        FATAL.iter().find(|known| text.starts_with(**known)).map(|known| format!("fatal error: {known}"));
    let kind = match known {
        Some(kind) => kind,
        None if text.starts_with("stack overflow") => kinds::STACK_OVERFLOW.to_owned(),
        None if text.contains("out of memory") || text.contains("cannot allocate memory") => {
            kinds::OUT_OF_MEMORY.to_owned()
        }
        None => "fatal error".to_owned(),
    };
    let frames = without_machinery(std::mem::take(&mut goroutine.frames));
    Some(report(LastWords::new(Runtime::Go, &kind).with_message(text), &goroutine, frames))
}

/// `SIGABRT: abort`, `PC=0x465e41 m=0 sigcode=0`.
fn signal(at: At<'_, '_>) -> Option<Report> {
    let (name, text) = at.head.split_once(": ")?;
    let is_signal =
        name.starts_with("SIG") && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if !(is_signal && at.below(1).first()?.starts_with("PC=")) {
        return None;
    }
    let words = LastWords::new(Runtime::Go, name).with_message(text);
    let Some(mut goroutine) = to_stack(at).and_then(|to| Goroutine::read(at.lines, at.start + 1 + to)) else {
        return Some(Report::of(words, at, 1));
    };
    let frames = std::mem::take(&mut goroutine.frames);
    Some(report(words, &goroutine, frames))
}

/// `net/http` catches a handler's panic, prints it and goes on.
fn served_panic(at: At<'_, '_>) -> Option<Report> {
    let (_, text) = at.head.split_once("http: panic serving ")?;
    let mut goroutine = Goroutine::read(at.lines, at.start + 1)?;
    let text = text.split_once(": ").map_or(text, |(_address, text)| text);
    let (kind, text) = value_type(text);
    let mut frames = std::mem::take(&mut goroutine.frames);
    let after_panic = frames.iter().position(|frame| frame.function.as_deref() == Some("panic"));
    frames.drain(..after_panic.map_or(0, |at| at + 1));
    let words = LastWords::new(Runtime::Go, kind).with_message(text).perhaps();
    Some(report(words, &goroutine, without_machinery(frames)))
}

/// Thousands of goroutines push the panic's own line out of the tail; what is left still tells that it was Go.
fn headless(at: At<'_, '_>) -> Option<Report> {
    if !is_heading(at.head) {
        return None;
    }
    let mut goroutine = Goroutine::read(at.lines, at.start)?;
    let running = at.head.contains("[running");
    let frames = std::mem::take(&mut goroutine.frames);
    let frames = if running { without_machinery(frames) } else { Vec::new() };
    let end = goroutine.end;
    let words = LastWords::new(Runtime::Go, "panic").perhaps();
    Some(if running { report(words, &goroutine, frames) } else { Report::new(words, end) })
}

/// The calls without the runtime's own on the way from the fault to its report.
fn without_machinery(frames: Vec<Frame>) -> Vec<Frame> {
    let of_runtime = |frame: &Frame| {
        frame
            .function
            .as_deref()
            .is_some_and(|function| function == "panic" || function.starts_with("runtime."))
    };
    let own = frames.iter().take_while(|frame| of_runtime(frame)).count();
    if own == frames.len() { frames } else { frames.into_iter().skip(own).collect() }
}
