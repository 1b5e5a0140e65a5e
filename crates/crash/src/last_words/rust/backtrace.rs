//! A backtrace as the standard library prints it, short or full, and as color-eyre does.
//!
//! ```text
//!    8:     0x5612499c1c2a - core::result::Result<T,E>::unwrap::h3c4d5e6f70819203      full: address and hash
//!                                at /rustc/4560ea78/src/libcore/result.rs:933
//!                            hello_world::main::{{closure}}::h4d5e6f7081920314         inlined into it (before 1.58)
//!                                at src/main.rs:9
//!    9: hello_world::main                                                              short
//!              at ./src/main.rs:6:5
//! ```

use model::crash::Frame;

use crate::last_words::form::is_symbol;
use crate::last_words::report::{Line, ahead, indentation};
use crate::text::{extension, file_line, printed};

/// How many lines of a backtrace are read.
const MAX_LINES: usize = 4_000;
/// By how much an inlined call is indented at least.
const INLINED: usize = 10;

/// The calls from `start` on, and the line after them.
pub(super) fn backtrace(lines: &[Line<'_>], start: usize) -> (Vec<Frame>, usize) {
    let mut frames: Vec<Frame> = Vec::new();
    let mut end = start;
    for (at, line) in ahead(lines, start, MAX_LINES).iter().enumerate() {
        let text = line.trim();
        if let Some(place) = text.strip_prefix("at ") {
            if let (Some(frame), Some((file, number))) = (frames.last_mut(), place_of(place)) {
                let of_call = printed("", file, number);
                (frame.file, frame.line) = (of_call.file, of_call.line);
            }
        } else if let Some(function) = numbered(text) {
            if is_symbol(function) {
                frames.push(printed(&without_hashes(function), "", None));
            }
        } else if is_symbol(text) && text.contains("::") && indentation(line.text) >= INLINED {
            frames.push(Frame { inline: true, ..printed(&without_hashes(text), "", None) });
        } else if !(text.starts_with('⋮') || (text.is_empty() && frames.is_empty())) {
            break;
        }
        end = start + at + 1;
    }
    (without_machinery(frames), end)
}

/// The function of `   6: shop::handle` or `   6:     0x561249a2d064 - shop::handle::h0123456789abcdef`.
fn numbered(text: &str) -> Option<&str> {
    let (_, call) = text.split_once(':').filter(|(number, _)| number.parse::<u16>().is_ok())?;
    let call = call.trim_start();
    let addressed = call.strip_prefix("0x").and_then(|call| call.split_once(" - "));
    Some(addressed.map_or(call, |(_, call)| call).trim())
}

/// `./src/main.rs:5:70`.
pub(super) fn place_of(place: &str) -> Option<(&str, Option<u32>)> {
    let (file, number) = file_line(place.trim());
    let is_file = file.starts_with(['/', '<']) || file.contains(":\\") || !file.contains(' ');
    (number.is_some() && is_file && (file.contains(['/', '\\']) || extension(file) == "rs"))
        .then_some((file, number))
}

/// `std[e28293b1aa0f68bd]::io::Stderr` and `shop::load::hc75fed84d4bdcc39` as they were written: the full form has the hashes
/// that tell crates and functions of one name apart.
fn without_hashes(function: &str) -> String {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let function =
        function.rsplit_once("::h").filter(|(_, hash)| is_hash(hash)).map_or(function, |(path, _)| path);
    let mut short = String::with_capacity(function.len());
    let mut parts = function.split('[');
    short.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once(']').filter(|(hash, _)| is_hash(hash)) {
            Some((_, rest)) => short.push_str(rest),
            None => short.extend(["[", part]),
        }
    }
    short
}

/// Without the calls from the panic to its report. Those of the standard library that found the fault stay.
fn without_machinery(frames: Vec<Frame>) -> Vec<Frame> {
    let machinery = |frame: &Frame| {
        frame.function.as_deref().is_some_and(|function| {
            [
                "core::panicking::",
                "std::panicking::",
                "std::rt::",
                "std::backtrace",
                "std::sys::backtrace",
                "std::sys_common::backtrace",
                "<std::",
            ]
            .iter()
            .any(|start| function.starts_with(start))
                || function.contains("rust_begin_unwind")
                || function.contains("rust_panic")
                || function.contains("std::backtrace_rs")
        })
    };
    let own = frames.iter().take(40).rposition(|frame| {
        frame.function.as_deref().is_some_and(|function| {
            function.contains("rust_begin_unwind")
                || function.starts_with("core::panicking::")
                || function.starts_with("std::panicking::begin_panic")
        })
    });
    let own = own.map_or(0, |at| at + 1).max(frames.iter().take_while(|frame| machinery(frame)).count());
    if own == frames.len() { frames } else { frames.into_iter().skip(own).collect() }
}
