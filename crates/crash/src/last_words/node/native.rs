//! Node.js and V8 when they give up themselves: `FATAL ERROR`, out of memory, `process.abort()`, failed checks.

use model::crash::{Frame, Runtime};

use super::call::is_file;
use crate::kinds;
use crate::last_words::report::{At, Report};
use crate::last_words::{Ends, LastWords};
use crate::text::{self, file_line, printed};

const NATIVE: &str = "----- Native stack trace -----";
const SCRIPT: &str = "----- JavaScript stack trace -----";

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    fatal_error(at).or_else(|| failed_check(at)).or_else(|| bare_trace(at))
}

fn fatal_error(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("FATAL ERROR: ")?;
    let is_heap = text.contains("heap out of memory") || text.contains("Allocation failed");
    Some(report(at, if is_heap { "JavaScript heap out of memory" } else { "FATAL ERROR" }, text))
}

/// `#`, `# Fatal error in , line 0`, `# Check failed: …`, and Node's own `Assertion failed`.
fn failed_check(at: At<'_, '_>) -> Option<Report> {
    if at.head.starts_with("# Fatal error in ") {
        let text = at.below(1).first().map_or("", |next| next.text.trim_start_matches(['#', ' ']));
        return Some(report(at, "V8 fatal error", text));
    }
    let text = at.head.strip_prefix("#  Assertion failed: ")?;
    Some(report(at, kinds::ASSERTION_FAILED, text))
}

/// `process.abort()` prints only the traces.
fn bare_trace(at: At<'_, '_>) -> Option<Report> {
    (at.head == NATIVE).then(|| report(at, "SIGABRT", ""))
}

fn report(at: At<'_, '_>, kind: &str, text: &str) -> Report {
    let (frames, end) = traces(at);
    let words =
        LastWords::new(Runtime::Node, kind).with_message(text).with_frames(frames).ending(Ends::BySignal);
    Report::of(words, at, end)
}

/// The script's calls if there are any, else the native ones; and how many lines both have.
fn traces(at: At<'_, '_>) -> (Vec<Frame>, usize) {
    let mut native = Vec::new();
    let mut script = Vec::new();
    let mut end = 0;
    let mut in_script = false;
    for (offset, line) in at.below(300).iter().enumerate() {
        if line.text == SCRIPT {
            in_script = true;
        } else if let Some(call) = numbered(line) {
            if in_script { script.extend(script_call(call)) } else { native.extend(native_call(call)) }
        } else if !line.is_empty() && line.text != NATIVE && !line.trim_start().starts_with('#') {
            break;
        }
        end = offset + 1;
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
    frame.module = text::name_of(text::file_name(module.trim_end_matches(']')), text::MODULE_CHARS);
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
    (line.is_some() && is_file(file)).then(|| printed(function, file, line))
}
