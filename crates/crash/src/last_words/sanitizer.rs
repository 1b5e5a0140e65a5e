//! The sanitizers of gcc and clang, with the first stack of each report.
//!
//! ```text
//! ==123==ERROR: AddressSanitizer: heap-use-after-free on address …      also Leak-, Memory- and HWAddressSanitizer
//!     #0 0x55d0c in load(int) /srv/orders.cpp:12:5
//! ==123==ABORTING
//!
//! WARNING: ThreadSanitizer: data race (pid=7)                           between lines of `=`; the program goes on
//!     #0 load /srv/orders.cpp:12:5 (shop+0x26cd7f)
//!
//! orders.cpp:12:21: runtime error: shift exponent 32 is too large …     UndefinedBehaviorSanitizer; the program goes on
//!     #0 0x5612d124209a in load /srv/orders.cpp:12
//! ubsan: add-overflow by 0x000055795ca2cb06                             the same with its minimal runtime
//! ```
//!
//! Log drains take off the indentation of the calls.

use model::crash::{Frame, Runtime};

use super::LastWords;
use super::report::{At, Line, Report, ahead};
use crate::text::{self, file_line, printed};

const MAX_LINES: usize = 1_000;
/// How far below a heading its first stack is looked for.
const TO_STACK: usize = 30;

/// What the undefined-behaviour sanitizer finds, by the words that its texts begin with or hold.
const UNDEFINED: [(&str, &str); 18] = [
    ("cannot be represented in type", "signed integer overflow"),
    ("incorrect function type", "incorrect function type"),
    ("signed integer overflow", "signed integer overflow"),
    ("unsigned integer overflow", "unsigned integer overflow"),
    ("shift exponent", "shift out of bounds"),
    ("left shift of", "shift out of bounds"),
    ("division by zero", "division by zero"),
    ("null pointer", "null pointer"),
    ("misaligned", "misaligned pointer"),
    ("out of bounds", "index out of bounds"),
    ("with insufficient space", "object too small"),
    ("which does not point to an object of type", "wrong dynamic type"),
    ("not a valid value for type", "invalid value"),
    ("is outside the range of representable values", "float cast overflow"),
    ("unreachable", "unreachable reached"),
    ("without returning a value", "missing return"),
    ("applying", "pointer overflow"),
    ("pointer index expression", "pointer overflow"),
];

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    fatal(at).or_else(|| thread(at)).or_else(|| undefined(at)).or_else(|| minimal(at))
}

fn fatal(at: At<'_, '_>) -> Option<Report> {
    let (_pid, rest) = at.head.strip_prefix("==")?.split_once("==")?;
    // A warning of the memory sanitizer is as fatal as another's error.
    let rest = rest
        .strip_prefix("ERROR: ")
        .or_else(|| rest.strip_prefix("WARNING: ").filter(|rest| rest.starts_with("Memory")))?;
    let (tool, text) = rest.split_once(": ").filter(|(tool, _)| is_tool(tool))?;
    let fault = text.split(' ').next().unwrap_or(text).trim_end_matches(':');
    let fault = match fault {
        "detected" => "memory leaks",
        "attempting" => {
            text.split(" on ").next().filter(|text| text.len() < 40 && is_fault(text)).unwrap_or(fault)
        }
        // "requested allocation size … exceeds": the summary has the fault's own name
        fault if is_word(fault) => summarized(at, tool).unwrap_or(fault),
        fault if is_fault(fault) => fault,
        _ => "fault",
    };
    // The rest, with the other stacks and the shadow bytes, is told until the tool says that it aborts.
    let end = at.below(MAX_LINES).iter().position(|line| line.ends_with("==ABORTING"));
    Some(report(at, &format!("{tool}: {fault}"), text, end.map_or(0, |to| to + 1)))
}

/// The thread sanitizer goes on, and ends the program with 66 at its end.
fn thread(at: At<'_, '_>) -> Option<Report> {
    let warning = at.head.strip_prefix("WARNING: ").unwrap_or(at.head);
    let (text, _) = warning.strip_prefix("ThreadSanitizer: ")?.split_once(" (pid=")?;
    if text.len() > 60 || !is_fault(text) {
        return None;
    }
    let end = at.below(MAX_LINES).iter().position(|line| line.starts_with("SUMMARY: ThreadSanitizer"));
    let mut report = report(at, &format!("ThreadSanitizer: {text}"), text, end.map_or(0, |to| to + 1));
    let goes_on = at.lines.iter().skip(report.end).any(|line| !line.chars().all(|c| c == '='));
    report.words = if goes_on { report.words.perhaps() } else { report.words };
    Some(report)
}

/// Without a place: the address is that of the program that was running.
fn minimal(at: At<'_, '_>) -> Option<Report> {
    let rest = at.head.strip_prefix("ubsan: ")?;
    let fault = rest.split_once(" by 0x").map_or(rest, |(fault, _)| fault);
    let is_fault = fault.contains('-') && fault.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let goes_on = at.below(MAX_LINES).iter().any(|line| !line.is_empty());
    let words = LastWords::new(Runtime::Cpp, &format!("UndefinedBehaviorSanitizer: {fault}"));
    let words = if goes_on { words.perhaps() } else { words };
    (is_fault && fault.len() <= 40).then(|| Report::of(words, at, 0))
}

/// `orders.cpp:12:21: runtime error: shift exponent 32 is too large for 32-bit type 'int'`.
fn undefined(at: At<'_, '_>) -> Option<Report> {
    let (place, text) = at.head.split_once(": runtime error: ")?;
    let (file, number) = file_line(place);
    let known = UNDEFINED.iter().find(|(words, _)| text.contains(words));
    let fault = known.map_or("undefined behavior", |(_, fault)| fault);
    if number.is_none() || file.contains(' ') || !file.contains('.') {
        return None;
    }
    let summary = at.below(TO_STACK).iter().position(|line| line.starts_with("SUMMARY: UndefinedBehavior"));
    let kind = format!("UndefinedBehaviorSanitizer: {fault}");
    let mut report = report(at, &kind, text, summary.map_or(0, |to| to + 1));
    if report.words.frames.is_empty() {
        report.words.frames.push(printed("", file, number));
    }
    // With `halt_on_error=1` nothing follows.
    let goes_on = at.lines.iter().skip(report.end).any(|line| !line.is_empty());
    report.words = if goes_on { report.words.perhaps() } else { report.words };
    Some(report)
}

/// The first stack below the heading; the report has at least as many lines as `end`.
fn report(at: At<'_, '_>, kind: &str, text: &str, end: usize) -> Report {
    let stack =
        at.below(TO_STACK).iter().take_while(|line| !begins(line)).position(|line| call(line).is_some());
    let calls = stack.map_or(&[][..], |stack| ahead(at.lines, at.start + 1 + stack, MAX_LINES));
    let frames: Vec<Frame> = calls.iter().map_while(|line| call(line)).collect();
    let count = frames.len();
    let words = LastWords::new(Runtime::Cpp, kind).with_message(text).with_frames(frames);
    Report::of(words, at, end.max(stack.map_or(0, |stack| stack + count)))
}

fn begins(line: &Line<'_>) -> bool {
    line.contains("Sanitizer: ") || line.contains(": runtime error: ")
}

fn is_tool(tool: &str) -> bool {
    tool.ends_with("Sanitizer") && tool.chars().all(char::is_alphabetic) && tool.len() <= 40
}

/// No name of a fault, which has a `-` or is in capitals.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// `SUMMARY: AddressSanitizer: allocation-size-too-big asan.cc:19 in load`.
fn summarized<'t>(at: At<'_, 't>, tool: &str) -> Option<&'t str> {
    let mut summaries = at.below(MAX_LINES).iter().filter_map(|line| line.text.strip_prefix("SUMMARY: "));
    let fault = summaries.find_map(|text| text.strip_prefix(tool)?.strip_prefix(": ")?.split(' ').next())?;
    (fault.contains('-') && is_fault(fault)).then_some(fault)
}

/// `heap-use-after-free`, `SEGV`, `data race`, `lock-order-inversion (potential deadlock)`.
fn is_fault(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || " -_()".contains(c))
}

/// `#1 0x55d0c in load(int) /srv/orders.cpp:12:5`; without symbols `#2 0x77103b (/usr/lib/libc.so.6+0x29d8f) (BuildId: …)`; the
/// thread sanitizer's `#0 load /srv/orders.cpp:12:5 (shop+0x26cd7f)`. What has neither an address nor a module is no call.
fn call(line: &str) -> Option<Frame> {
    let (number, rest) = line.trim_start().strip_prefix('#')?.split_once(' ')?;
    number.parse::<u16>().ok()?;
    let rest = rest.split(" (BuildId").next().unwrap_or(rest);
    let Some(addressed) = rest.strip_prefix("0x") else {
        let (rest, module) = rest.strip_suffix(')')?.rsplit_once(" (")?;
        let (function, place) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        let function = if function == "<null>" { "" } else { function };
        return module.contains("+0x").then(|| at_place(in_module(function, module), place));
    };
    let (address, rest) = addressed.split_once(' ')?;
    if !address.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let rest = rest.trim_start();
    let Some(rest) = rest.strip_prefix("in ") else {
        return rest.starts_with('(').then(|| in_module("", rest));
    };
    let (function, place) = rest.rsplit_once(' ').unwrap_or((rest, ""));
    if place.starts_with('(') {
        return Some(in_module(function, place));
    }
    let (file, number) = file_line(place);
    Some(printed(function, file, number))
}

fn at_place(mut frame: Frame, place: &str) -> Frame {
    let (file, number) = file_line(place);
    let of_call = printed("", if number.is_some() { file } else { "" }, number);
    (frame.file, frame.line) = (of_call.file, of_call.line);
    frame
}

fn in_module(function: &str, place: &str) -> Frame {
    let mut frame = printed(function, "", None);
    if let Some((module, offset)) = place.trim_matches(['(', ')']).rsplit_once("+0x") {
        frame.module = text::name_of(text::file_name(module), text::MODULE_CHARS);
        frame.offset = u64::from_str_radix(offset, 16).ok();
    }
    frame
}
