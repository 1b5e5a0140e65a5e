//! The C library (glibc, and musl where it prints anything): a damaged heap, a smashed stack, a failed assertion; and the loader
//! that cannot start a program.

use model::crash::Runtime;

use super::report::{At, Report};
use super::{Ends, LastWords};
use crate::kinds;
use crate::text::{name, printed};

/// What the heap complains of: glibc's own texts, of 2.17 to 2.42, whole. A text that only begins like one of them is somebody
/// else's and may hold anything, and the type of a crash is told to everybody.
const HEAP: [&str; 58] = [
    "double free or corruption (top)",
    "double free or corruption (out)",
    "double free or corruption (!prev)",
    "double free or corruption (fasttop)",
    "free(): invalid pointer",
    "free(): invalid size",
    "free(): invalid next size (fast)",
    "free(): invalid next size (normal)",
    "free(): corrupted unsorted chunks",
    "free(): double free detected in tcache 2",
    "free(): too many chunks detected in tcache",
    "free(): unaligned chunk detected in tcache 2",
    "free(): unaligned fastbin chunk detected",
    "malloc(): corrupted top size",
    "malloc(): corrupted unsorted chunks",
    "malloc(): corrupted unsorted chunks 2",
    "malloc(): corrupted unsorted chunks 3",
    "malloc(): invalid next size (unsorted)",
    "malloc(): invalid next->prev_inuse (unsorted)",
    "malloc(): invalid size (unsorted)",
    "malloc(): largebin double linked list corrupted (bk)",
    "malloc(): largebin double linked list corrupted (nextsize)",
    "malloc(): memory corruption",
    "malloc(): memory corruption (fast)",
    "malloc(): mismatching next->prev_size (unsorted)",
    "malloc(): smallbin double linked list corrupted",
    "malloc(): smallbin double linked list corrupted 2",
    "malloc(): unaligned fastbin chunk detected",
    "malloc(): unaligned fastbin chunk detected 2",
    "malloc(): unaligned fastbin chunk detected 3",
    "malloc(): unaligned tcache chunk detected",
    "malloc(): unsorted double linked list corrupted",
    "malloc: top chunk is corrupt",
    "malloc_check_get_size: memory corruption",
    "malloc_consolidate(): invalid chunk size",
    "malloc_consolidate(): unaligned fastbin chunk detected",
    "realloc(): invalid next size",
    "realloc(): invalid old size",
    "realloc(): invalid pointer",
    "realloc(): unaligned chunk",
    "corrupted size vs. prev_size",
    "corrupted size vs. prev_size in fastbins",
    "corrupted size vs. prev_size while consolidating",
    "corrupted double-linked list",
    "corrupted double-linked list (not small)",
    "corrupted unsorted chunks",
    "corrupted unsorted chunks 2",
    "munmap_chunk(): invalid pointer",
    "mremap_chunk(): invalid pointer",
    "tcache_thread_shutdown(): unaligned tcache chunk detected",
    "int_mallinfo(): unaligned fastbin chunk detected",
    "__malloc_info(): unaligned fastbin chunk detected",
    "invalid fastbin entry (free)",
    "break adjusted to free malloc space",
    "memory clobbered before allocated block",
    "memory clobbered past end of allocated block",
    "block freed twice",
    "memory is consistent, library is buggy",
];

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let line = at.head;
    let (words, ends) = heap(line)
        .or_else(|| starred(line))
        .or_else(|| assertion(line))
        .or_else(|| library_error(line))
        .map(|words| (words, Ends::BySignal))
        .or_else(|| loader(line).map(|words| (words, Ends::ByExit)))?;
    Some(Report::of(words.ending(ends), at, 0))
}

fn of_heap(text: &str) -> Option<&'static str> {
    HEAP.into_iter().find(|known| *known == text)
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
    // after the stars there is `: terminated` or, before 2.26, `: ` and the program
    let (what, rest) = text.split_once(" ***")?;
    let known = [
        ("stack smashing detected", "stack smashing detected"),
        ("buffer overflow detected", "buffer overflow detected"),
        ("%n in writable segment detected", "%n in writable segment"),
        ("invalid %N$ use detected", "invalid %N$ use detected"),
    ];
    let (_, kind) = known.iter().find(|(whole, _)| *whole == what)?;
    let ends = rest.is_empty() || rest.starts_with(": ");
    ends.then(|| LastWords::new(Runtime::Glibc, kind).with_message(line))
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
            let function = named(function);
            let is_name = |c: char| c.is_alphanumeric() || "_:~<>=!+-*/%&|^[], ".contains(c);
            let is_place = file.contains(['.', '/']) && !file.contains(' ');
            frame = (is_place && function.chars().all(is_name))
                .then(|| printed(function, file, rest[..digits].parse().ok()));
            break;
        }
    }
    let words = LastWords::new(Runtime::Glibc, kinds::ASSERTION_FAILED).with_message(&head[at + 2..]);
    Some(words.with_frames(frame.into_iter().collect()))
}

/// Of `std::vector<_Tp, _Alloc>::reference std::vector<_Tp, _Alloc>::operator[](size_type) [with _Tp = int]` the name without its type
/// and parameters.
fn named(signature: &str) -> &str {
    let signature = signature.split('(').next().unwrap_or(signature);
    let mut depth = 0_usize;
    let mut begins = 0;
    for (at, c) in signature.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            ' ' if depth == 0 => begins = at + 1,
            _ => {}
        }
    }
    &signature[begins..]
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

/// `shop: error while loading shared libraries: libpq.so.5: cannot open shared object file`; musl's `Error loading shared library
/// libpq.so.5: No such file or directory (needed by /srv/shop)`.
fn loader(line: &str) -> Option<LastWords> {
    let of_musl = [
        ("Error loading shared library ", "error while loading shared libraries"),
        ("Error relocating ", "symbol lookup error"),
    ];
    if let Some((_, kind)) = of_musl.iter().find(|(begins, _)| line.starts_with(begins)) {
        return Some(LastWords::new(Runtime::Glibc, kind).with_message(line));
    }
    let kind = ["error while loading shared libraries", "symbol lookup error"]
        .into_iter()
        .find(|kind| line.split_once(": ").is_some_and(|(_, rest)| rest.starts_with(&format!("{kind}: "))))?;
    Some(LastWords::new(Runtime::Glibc, kind).with_message(line))
}
