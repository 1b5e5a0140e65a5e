//! The sanitizers of gcc and clang: `==123==ERROR: AddressSanitizer: heap-use-after-free on address …` and the first stack.

use model::crash::{Frame, Runtime};

use super::{LastWords, Report, ahead};
use crate::text::{self, file_line, printed};

pub(super) fn read(lines: &[&str], start: usize) -> Option<Report> {
    let rest = lines[start].strip_prefix("==")?;
    let (_pid, rest) = rest.split_once("==")?;
    // A warning of the memory sanitizer is as fatal as another's error.
    let rest = rest
        .strip_prefix("ERROR: ")
        .or_else(|| rest.strip_prefix("WARNING: ").filter(|rest| rest.starts_with("Memory")))?;
    let (tool, text) = rest.split_once(": ").filter(|(tool, _)| tool.ends_with("Sanitizer"))?;
    let fault = text.split(' ').next().unwrap_or(text).trim_end_matches(':');
    let fault = match fault {
        "detected" => "memory leaks",
        "attempting" => text.split(" on ").next().filter(|text| text.len() < 40).unwrap_or(fault),
        fault => fault,
    };
    let stack = ahead(lines, start + 1, 30).iter().position(|line| is_call(line)).map(|to| start + 1 + to);
    let calls = stack.map_or(&[][..], |stack| ahead(lines, stack, 1_000));
    let frames = calls.iter().take_while(|line| is_call(line)).filter_map(|line| call(line)).collect();
    // The rest, with the other stacks and the shadow bytes, is told until the tool says that it aborts.
    let end = ahead(lines, start + 1, 1_000).iter().position(|line| line.ends_with("==ABORTING"));
    let words =
        LastWords::new(Runtime::Cpp, &format!("{tool}: {fault}")).with_message(text).with_frames(frames);
    Some(Report { words, end: end.map_or(start + 1, |to| start + 2 + to) })
}

fn is_call(line: &str) -> bool {
    line.trim_start().strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `    #1 0x55d0c in load(int) /srv/orders.cpp:12:5` or, without symbols, `(/usr/lib/libc.so.6+0x29d8f) (BuildId: …)`.
fn call(line: &str) -> Option<Frame> {
    let (_, rest) = line.split_once(" 0x")?;
    let rest = rest.split_once(' ').map_or("", |(_, rest)| rest.trim_start());
    let rest = rest.split(" (BuildId").next().unwrap_or(rest);
    let Some(rest) = rest.strip_prefix("in ") else { return Some(in_module("", rest)) };
    let (function, place) = rest.rsplit_once(' ').unwrap_or((rest, ""));
    if place.starts_with('(') {
        return Some(in_module(function, place));
    }
    let (file, number) = file_line(place);
    Some(printed(function, file, number))
}

fn in_module(function: &str, place: &str) -> Frame {
    let mut frame = printed(function, "", None);
    if let Some((module, offset)) = place.trim_matches(['(', ')']).rsplit_once("+0x") {
        frame.module = text::name_of(text::file_name(module), text::MODULE_CHARS);
        frame.offset = u64::from_str_radix(offset, 16).ok();
    }
    frame
}
