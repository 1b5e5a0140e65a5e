//! Node.js and V8 when they give up themselves: `FATAL ERROR`, out of memory, `process.abort()`, failed checks.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead};
use crate::text::{file_line, printed};

const NATIVE: &str = "----- Native stack trace -----";
const SCRIPT: &str = "----- JavaScript stack trace -----";

pub(super) fn read(lines: &[&str], at: usize) -> Option<Report> {
    fatal_error(lines, at).or_else(|| failed_check(lines, at)).or_else(|| bare_trace(lines, at))
}

fn fatal_error(lines: &[&str], start: usize) -> Option<Report> {
    let text = lines[start].strip_prefix("FATAL ERROR: ")?;
    let kind =
        if text.contains("heap out of memory") { "JavaScript heap out of memory" } else { "FATAL ERROR" };
    let (frames, end) = traces(lines, start + 1);
    let words =
        LastWords::new(Runtime::Node, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Some(Report { words, end })
}

/// `#`, `# Fatal error in , line 0`, `# Check failed: …`, and Node's own `Assertion failed`.
fn failed_check(lines: &[&str], start: usize) -> Option<Report> {
    let line = lines[start].trim_start();
    let kind = if line.starts_with("# Fatal error in ") {
        "V8 fatal error"
    } else if line.starts_with("#  Assertion failed: ") {
        "Assertion failed"
    } else {
        return None;
    };
    let text = lines.get(start + 1).map_or("", |next| next.trim_start_matches(['#', ' ']));
    let (frames, end) = traces(lines, start + 1);
    let text = if kind == "Assertion failed" { line.trim_start_matches(['#', ' ']) } else { text };
    let words =
        LastWords::new(Runtime::Node, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Some(Report { words, end })
}

/// `process.abort()` prints only the traces.
fn bare_trace(lines: &[&str], start: usize) -> Option<Report> {
    if lines[start] != NATIVE {
        return None;
    }
    let (frames, end) = traces(lines, start);
    let words = LastWords::new(Runtime::Node, "SIGABRT").with_frames(frames).ending(Ends::BySignal);
    Some(Report { words, end })
}

/// The script's calls if there are any, else the native ones; and the line after both.
fn traces(lines: &[&str], start: usize) -> (Vec<Frame>, usize) {
    let mut native = Vec::new();
    let mut script = Vec::new();
    let mut end = start;
    let mut in_script = false;
    for (offset, line) in ahead(lines, start, 300).iter().enumerate() {
        if *line == SCRIPT {
            in_script = true;
        } else if let Some(call) = numbered(line) {
            if in_script { script.extend(script_call(call)) } else { native.extend(native_call(call)) }
        } else if !line.is_empty() && *line != NATIVE && !line.trim_start().starts_with('#') {
            break;
        }
        end = start + offset + 1;
    }
    (if script.is_empty() { native } else { script }, end)
}

/// What follows ` 12: `.
fn numbered(line: &str) -> Option<&str> {
    let (number, call) = line.trim_start().split_once(": ")?;
    number.parse::<u16>().is_ok().then_some(call)
}

/// `0xb78db3 node::OOMErrorHandler(char const*) [node]`.
fn native_call(call: &str) -> Option<Frame> {
    let (_address, rest) = call.split_once(' ').filter(|(address, _)| address.starts_with("0x"))?;
    let (function, module) = rest.rsplit_once('[')?;
    let mut frame = printed(without_arguments(function.trim()), "", None);
    frame.module =
        crate::text::name_of(crate::text::file_name(module.trim_end_matches(']')), crate::text::MODULE_CHARS);
    Some(frame)
}

fn without_arguments(function: &str) -> &str {
    function.find('(').filter(|at| *at > 0).map_or(function, |at| &function[..at])
}

/// `listOnTimeout (node:internal/timers:581:17)` or only the place.
fn script_call(call: &str) -> Option<Frame> {
    let (function, place) = match call.strip_suffix(')').and_then(|call| call.rsplit_once(" (")) {
        Some(parts) => parts,
        None => ("<anonymous>", call),
    };
    let (file, line) = file_line(place);
    line.is_some().then(|| printed(function, file, line))
}
