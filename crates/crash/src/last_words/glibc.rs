//! The C library: a damaged heap, a smashed stack, a failed assertion; and the loader that cannot start a program.

use engine::crash::Runtime;

use super::{Ends, LastWords, Report};
use crate::text::{name, printed};

/// How the heap's complaints begin. What follows is a fixed text of glibc's.
const HEAP: [&str; 14] = [
    "double free or corruption",
    "free(): ",
    "malloc(): ",
    "realloc(): ",
    "calloc(): ",
    "corrupted size vs. prev_size",
    "corrupted double-linked list",
    "corrupted unsorted chunks",
    "malloc_consolidate(): ",
    "munmap_chunk(): ",
    "mremap_chunk(): ",
    "malloc_check_get_size: ",
    "invalid fastbin entry",
    "break adjusted to free malloc space",
];

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    let line = lines[at];
    let (words, ends) = heap(line)
        .or_else(|| starred(line))
        .or_else(|| assertion(line))
        .or_else(|| library_error(line))
        .map(|words| (words, Ends::BySignal))
        .or_else(|| loader(line).map(|words| (words, Ends::ByExit)))?;
    Some(Report { words: words.ending(ends), end: at + 1 })
}

fn of_heap(text: &str) -> Option<&str> {
    let fixed = |c: char| c.is_ascii_alphanumeric() || " ()_-.!:,<>=&".contains(c);
    (HEAP.iter().any(|begin| text.starts_with(begin)) && text.len() <= 80 && text.chars().all(fixed))
        .then_some(text)
}

fn heap(line: &str) -> Option<LastWords> {
    of_heap(line).map(|text| LastWords::new(Runtime::Glibc, text).with_message(text))
}

/// `*** stack smashing detected ***: terminated`; before 2.26 a heap's complaint stood between such stars too.
fn starred(line: &str) -> Option<LastWords> {
    let text = line.strip_prefix("*** ")?;
    if let Some((_, text)) = text.strip_prefix("Error in `").and_then(|text| text.split_once("': ")) {
        let kind = of_heap(text.split(": 0x").next().unwrap_or(text))?;
        return Some(LastWords::new(Runtime::Glibc, kind).with_message(kind));
    }
    let (what, _) = text.split_once(" ***")?;
    let known = [
        "stack smashing detected",
        "buffer overflow detected",
        "%n in writable segment",
        "invalid %N$ use detected",
    ];
    let kind = known.iter().find(|known| what.starts_with(**known))?;
    Some(LastWords::new(Runtime::Glibc, kind).with_message(line))
}

/// Program, file, line, function, then the condition in quotes; libstdc++ has the same form with the function's whole signature.
fn assertion(line: &str) -> Option<LastWords> {
    let head = line.strip_suffix(" failed.")?;
    let at = head.find(": Assertion `").or_else(|| head.find(": Assertion '"))?;
    let place = &head[..at];
    let mut frame = None;
    // The file and its line are the first `name:number: `; the function follows.
    for (colon, _) in place.match_indices(':') {
        let rest = &place[colon + 1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if digits > 0 && (rest[digits..].starts_with(':') || rest.len() == digits) {
            let file = place[..colon].rsplit(": ").next().unwrap_or_default();
            let function = rest.get(digits + 1..).unwrap_or_default().trim();
            let function =
                function.split('(').next().unwrap_or(function).rsplit(' ').next().unwrap_or(function);
            frame = Some(printed(function, file, rest[..digits].parse().ok()));
            break;
        }
    }
    let words = LastWords::new(Runtime::Glibc, "Assertion failed").with_message(&head[at + 2..]);
    Some(words.with_frames(frame.into_iter().collect()))
}

fn library_error(line: &str) -> Option<LastWords> {
    let text = [
        "Fatal glibc error: ",
        "FATAL: exception not rethrown",
        "*** longjmp causes",
        "The futex facility returned an unexpected error",
    ];
    let begin = text.iter().find(|begin| line.starts_with(**begin))?;
    Some(LastWords::new(Runtime::Glibc, &name(begin.trim_end_matches(": "), 60)).with_message(line))
}

/// `shop: error while loading shared libraries: libpq.so.5: cannot open shared object file`.
fn loader(line: &str) -> Option<LastWords> {
    let kind = ["error while loading shared libraries", "symbol lookup error"]
        .into_iter()
        .find(|kind| line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with(&format!("{kind}: "))))?;
    Some(LastWords::new(Runtime::Glibc, kind).with_message(line))
}
