//! C++: what the standard libraries print before they abort.

use model::crash::Runtime;

use super::report::{At, MESSAGE_LINES, Report, message};
use super::{Ends, LastWords};
use crate::demangle;
use crate::text::{file_line, printed};

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let mut report =
        terminate(at).or_else(|| libcxx(at)).or_else(|| hardened(at)).or_else(|| pure_virtual(at))?;
    report.words = report.words.ending(Ends::BySignal);
    Some(report)
}

/// libstdc++: `terminate called after throwing an instance of 'T'` and `  what():  text`.
fn terminate(at: At<'_, '_>) -> Option<Report> {
    let rest = at.head.strip_prefix("terminate called ")?;
    let Some(kind) = rest.strip_prefix("after throwing an instance of '") else {
        let words = LastWords::new(Runtime::Cpp, "std::terminate").with_message(rest);
        return Some(Report::of(words, at, 0));
    };
    let kind = demangle::type_name(kind.strip_suffix('\'').unwrap_or(kind));
    let below = at.below(MESSAGE_LINES + 1);
    let what = below.first().and_then(|line| line.text.trim_start().strip_prefix("what():"));
    let text = what.map_or_else(String::new, |what| {
        message(what, &below[1..], |line| {
            line.is_empty() || line.starts_with("Aborted") || line.starts_with("***")
        })
    });
    let words = LastWords::new(Runtime::Cpp, &kind).with_message(&text);
    Some(Report::of(words, at, usize::from(what.is_some())))
}

/// libc++: `libc++abi: terminating due to uncaught exception of type T: text`.
fn libcxx(at: At<'_, '_>) -> Option<Report> {
    let rest = at.head.strip_prefix("libc++abi")?;
    let rest = &rest[rest.find("terminating")?..];
    let words = match rest.split_once("exception of type ") {
        Some((_, kind)) => {
            let (kind, text) = kind.split_once(": ").unwrap_or((kind, ""));
            LastWords::new(Runtime::Cpp, &demangle::type_name(kind)).with_message(text)
        }
        None => LastWords::new(Runtime::Cpp, "std::terminate").with_message(rest),
    };
    Some(Report::of(words, at, 0))
}

/// libc++'s checks: `/usr/include/c++/v1/vector:1436: assertion __n < size() failed: vector[] index out of bounds`.
fn hardened(at: At<'_, '_>) -> Option<Report> {
    let (place, text) =
        at.head.split_once(": assertion ").or_else(|| at.head.split_once(": libc++ Hardening assertion "))?;
    let (file, number) = file_line(place);
    if number.is_none() || !file.contains("/v1/") || file.contains(' ') || !text.contains(" failed") {
        return None;
    }
    let frames = vec![printed("", file, number)];
    let words = LastWords::new(Runtime::Cpp, "Assertion failed").with_message(text).with_frames(frames);
    Some(Report::of(words, at, 0))
}

/// A call of a virtual function that has no body; `terminate called` follows.
fn pure_virtual(at: At<'_, '_>) -> Option<Report> {
    if !at.head.starts_with("pure virtual method called") {
        return None;
    }
    let follows = at.below(1).first().is_some_and(|line| line.starts_with("terminate called"));
    Some(Report::of(LastWords::new(Runtime::Cpp, "Pure virtual call"), at, usize::from(follows)))
}
