//! The crash's name, after the manner of Mozilla's Socorro: the same fault has one name on every instance, another fault another.
//!
//! The calls are walked from the innermost: begin at a *sentinel* if there is one, drop *irrelevant* calls (how the fault was
//! reported, the run-time library under the program), keep *prefix* calls (allocators, memory functions, the runtime's own
//! library) and go on until the first that is neither: the program's own. In front stands
//! - `OOM`, `stack overflow` or `abort` for these special cases,
//! - the exception's type: two types in one function are two faults. Of the kernel's signals only the name: which kind of wrong
//!   address it was is chance.
//!
//! The program's own call is named whole: with the parameters of templates and traits, and with its file where its name is one that
//! every file has (`<module>`, `{main}`, `<anonymous>`).
//!
//! Without any call, the name is the type and the program. Nothing that differs between two runs is in it: no addresses, line
//! numbers, process ids or thread names.

mod kind;
mod normalise;
mod tables;

use model::crash::{Frame, Runtime};

use crate::text;
use kind::Kind;
pub use normalise::function as normalised;

/// The most characters of a signature, as in Socorro.
pub const MAX_CHARS: usize = 255;
/// The most prefix calls that are kept. Ours: a library's depth is no news.
const MAX_PREFIXES: usize = 4;
/// A function that is on the stack this often is the one that calls itself without end.
const RECURSION: usize = 8;

/// What a signature is made from.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The exception's type.
    pub exception_type: &'a str,
    /// Who named it.
    pub runtime: Runtime,
    /// The crashing thread's calls, innermost first.
    pub frames: &'a [Frame],
    /// The worker's program, for crashes without calls.
    pub program: &'a str,
}

/// The special cases, which stand in front of the calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Special {
    OutOfMemory,
    StackOverflow,
    Abort,
}

impl Special {
    const fn word(self) -> &'static str {
        match self {
            Self::OutOfMemory => "OOM",
            Self::StackOverflow => "stack overflow",
            Self::Abort => "abort",
        }
    }

    fn of(kind: &str) -> Option<Self> {
        if tables::OUT_OF_MEMORY.contains(&kind) {
            Some(Self::OutOfMemory)
        } else if tables::STACK_OVERFLOW.contains(&kind) {
            Some(Self::StackOverflow)
        } else {
            (kind == "SIGABRT" || kind.starts_with("SIGABRT / ")).then_some(Self::Abort)
        }
    }
}

/// The signature of a crash, 1 to [`MAX_CHARS`] characters on one line.
pub fn of(subject: &Subject<'_>) -> String {
    let special = Special::of(subject.exception_type);
    let mut head: Vec<String> = special.map(|special| special.word().to_owned()).into_iter().collect();
    let calls = calls(subject);
    let kind = signal_alone(subject.exception_type);
    if says_more(kind, special) {
        head.push(normalise::kind(kind));
    }
    if calls.is_empty() {
        head.extend(text::name_of(text::file_name(subject.program), 64));
    }
    fit(&head, calls)
}

/// The place in `frames` of the call that the signature ends with: the one that tells this crash from others.
pub fn telling_frame(subject: &Subject<'_>) -> Option<usize> {
    let name = calls(subject).pop()?;
    let is_named = |named: Option<String>| named.is_some_and(|named| named == name);
    subject.frames.iter().position(|frame| is_named(own_part(frame)) || is_named(part(frame)))
}

fn calls(subject: &Subject<'_>) -> Vec<String> {
    if Special::of(subject.exception_type) == Some(Special::StackOverflow) {
        recursive(subject.frames).map_or_else(|| walk(subject), |name| vec![name])
    } else {
        walk(subject)
    }
}

/// `SIGSEGV` of `SIGSEGV / SEGV_MAPERR`.
fn signal_alone(kind: &str) -> &str {
    kind.split_once(" / ")
        .filter(|(name, _)| name.starts_with("SIG") || name.starts_with("EXC_"))
        .map_or(kind, |(name, _)| name)
}

/// Does the type say more than the special case? `Out of memory` is the case itself, `java.lang.OutOfMemoryError` a type.
fn says_more(kind: &str, special: Option<Special>) -> bool {
    let is_words = !kind.contains(['.', ':']) && kind.contains(' ');
    match special {
        None => true,
        Some(Special::Abort) => false,
        Some(Special::StackOverflow | Special::OutOfMemory) => !is_words,
    }
}

/// Prefix calls and the first of the program's own.
fn walk(subject: &Subject<'_>) -> Vec<String> {
    let from = subject.frames.iter().position(kind::is_sentinel).unwrap_or(0);
    let mut parts: Vec<String> = Vec::new();
    let (mut only_irrelevant, mut innermost_nameless) = (None, None);
    for frame in &subject.frames[from..] {
        let Some(part) = part(frame) else { continue };
        match kind::of(frame, &part, subject.runtime) {
            Kind::Irrelevant => {
                only_irrelevant.get_or_insert(part);
            }
            Kind::Prefix => {
                if is_nameless(&part) && !kind::is_library(frame) {
                    innermost_nameless.get_or_insert(frame);
                }
                if parts.len() < MAX_PREFIXES && parts.last() != Some(&part) {
                    parts.push(part);
                }
            }
            Kind::Own => {
                parts.extend(own_part(frame));
                return parts;
            }
        }
    }
    match innermost_nameless.and_then(own_part) {
        Some(own) => vec![own],
        None if parts.is_empty() => only_irrelevant.into_iter().collect(),
        None => parts,
    }
}

/// The name of the program's own call, by which one crash is told from another: with the parameters of templates and traits, and
/// with the file where it has no name of its own.
fn own_part(frame: &Frame) -> Option<String> {
    let Some(function) = &frame.function else { return part(frame) };
    let name = normalise::instance(function);
    let file = frame.file.as_deref().map(text::file_name).filter(|_| is_nameless(&name));
    Some(file.map_or_else(|| name.clone(), |file| format!("{name} ({file})"))).filter(|name| !name.is_empty())
}

/// `<module>`, `Object.<anonymous>`, `block in <main>`.
fn is_nameless(name: &str) -> bool {
    let is_context =
        |before: &str| before.is_empty() || before.ends_with(' ') || ["Object.", "main."].contains(&before);
    tables::NAMELESS.iter().filter_map(|nameless| name.strip_suffix(nameless)).any(is_context)
}

/// The name of one call; `None` for an address that belongs to nothing.
fn part(frame: &Frame) -> Option<String> {
    if let Some(function) = &frame.function {
        return Some(normalise::function(function)).filter(|name| !name.is_empty());
    }
    match (&frame.module, frame.offset, &frame.file) {
        (Some(module), Some(offset), _) => Some(format!("{module}+{offset:#x}")),
        (Some(module), None, _) => Some(module.clone()),
        (None, _, Some(file)) => Some(text::file_name(file).to_owned()),
        (None, _, None) => None,
    }
}

/// The function of an endless recursion: where in the circle the stack ended is chance, so of several that are there equally
/// often the first by name is taken.
fn recursive(frames: &[Frame]) -> Option<String> {
    let mut names: Vec<String> =
        frames.iter().filter(|frame| !kind::is_library(frame)).filter_map(part).collect();
    names.sort_unstable();
    let most = names.chunk_by(|a, b| a == b).map(<[String]>::len).max().filter(|most| *most >= RECURSION)?;
    // Inlined or partly seen rounds make the counts of one circle differ by a few.
    names
        .chunk_by(|a, b| a == b)
        .find(|same| same.len() * 10 >= most * 9)
        .and_then(|same| same.first().cloned())
}

/// Joins what fits: the last call is the most telling, the prefixes give way.
fn fit(head: &[String], mut calls: Vec<String>) -> String {
    loop {
        let whole = head.iter().chain(&calls).map(String::as_str).collect::<Vec<_>>().join(" | ");
        if whole.chars().count() <= MAX_CHARS || calls.len() <= 1 {
            return text::name(&whole, MAX_CHARS);
        }
        calls.remove(0);
    }
}

#[cfg(test)]
mod tests;
