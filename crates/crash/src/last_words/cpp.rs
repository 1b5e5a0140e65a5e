//! C++: what the standard libraries print before they abort.

use model::crash::Runtime;

use super::{Ends, LastWords, Report, ahead, message};
use crate::demangle;

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    terminate(lines, at).or_else(|| libcxx(lines, at)).or_else(|| pure_virtual(lines, at)).map(
        |mut report| {
            report.words = report.words.ending(Ends::BySignal);
            report
        },
    )
}

/// libstdc++: `terminate called after throwing an instance of 'T'` and `  what():  text`.
fn terminate(lines: &[&str], start: usize) -> Option<Report> {
    let rest = lines[start].strip_prefix("terminate called ")?;
    let Some(kind) = rest.strip_prefix("after throwing an instance of '") else {
        return Some(Report {
            words: LastWords::new(Runtime::Cpp, "std::terminate").with_message(rest),
            end: start + 1,
        });
    };
    let kind = demangle::type_name(kind.strip_suffix('\'').unwrap_or(kind));
    let what = lines.get(start + 1).and_then(|line| line.strip_prefix("  what():  "));
    let text = what.map_or_else(String::new, |what| {
        message(what, ahead(lines, start + 2, super::MESSAGE_LINES), |line| {
            line.is_empty() || line.starts_with("Aborted")
        })
    });
    let end = start + 1 + usize::from(what.is_some());
    Some(Report { words: LastWords::new(Runtime::Cpp, &kind).with_message(&text), end })
}

/// libc++: `libc++abi: terminating due to uncaught exception of type T: text`.
fn libcxx(lines: &[&str], start: usize) -> Option<Report> {
    let rest = lines[start].strip_prefix("libc++abi")?;
    let rest = &rest[rest.find("terminating")?..];
    let Some((_, kind)) = rest.split_once("exception of type ") else {
        return Some(Report {
            words: LastWords::new(Runtime::Cpp, "std::terminate").with_message(rest),
            end: start + 1,
        });
    };
    let (kind, text) = kind.split_once(": ").unwrap_or((kind, ""));
    let words = LastWords::new(Runtime::Cpp, &demangle::type_name(kind)).with_message(text);
    Some(Report { words, end: start + 1 })
}

/// A call of a virtual function that has no body; `terminate called` follows.
fn pure_virtual(lines: &[&str], start: usize) -> Option<Report> {
    if !lines[start].starts_with("pure virtual method called") {
        return None;
    }
    let follows = lines.get(start + 1).is_some_and(|line| line.starts_with("terminate called"));
    Some(Report {
        words: LastWords::new(Runtime::Cpp, "Pure virtual call"),
        end: start + 1 + usize::from(follows),
    })
}
