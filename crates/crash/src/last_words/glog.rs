//! The failure handlers of glog, folly and Abseil, which print the signal and the calls, and their failed checks.
//!
//! ```text
//! *** Aborted at 1503058489 (unix time) try "date -d @1503058489" if you are using GNU date ***      glog
//! PC: @                0x0 (unknown)
//! *** SIGSEGV (@0x0) received by PID 38707 (TID 0x7fda) from PID 0; stack trace: ***
//!     @           0x45ea7a parse_sparse_weight_slot()
//!
//! *** Signal 11 (SIGSEGV) (0x0) received by PID 7 (pthread TID 0x7f) (linux TID 7) (…), stack trace: ***   folly
//!     @ 000000000012a45a shop::Orders::load(int)
//!                        /srv/shop/Orders.cpp:12
//!
//! *** SIGSEGV received at time=1700000000 on cpu 3 ***                                               Abseil
//! PC: @     0x55d0c2a3f1b0  (unknown)  shop::Orders::load()
//!     @     0x7f2b1c0a5520       1234  (unknown)
//!
//! F0312 12:00:00.123456    42 orders.cc:12] Check failed: order != nullptr            glog's and Abseil's CHECK
//! *** Check failure stack trace: ***
//!
//! [orders.cc : 12] RAW: Check order != nullptr failed: no order                       Abseil, where nothing may be allocated
//! ```

use model::crash::{Frame, Runtime};

use super::report::{At, Line, Report, ahead};
use super::{Ends, LastWords, form};
use crate::demangle;
use crate::text::{file_line, printed};

const MAX_LINES: usize = 1_000;
const CHECK_TRACE: &str = "*** Check failure stack trace: ***";

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let ending = |ends| move |report: Report| Report { words: report.words.ending(ends), ..report };
    signal(at)
        .or_else(|| check(at))
        .map(ending(Ends::BySignal))
        .or_else(|| raw(at).map(ending(Ends::ByAbort)))
}

fn signal(at: At<'_, '_>) -> Option<Report> {
    let text = at.head.strip_prefix("*** ")?.strip_suffix("***")?;
    let is_ours = text.contains(" received by PID ") || text.contains(" received at time=");
    let named =
        text.strip_prefix("Signal ").and_then(|text| text.split_once(" (")).map_or(text, |(_, text)| text);
    let end = named.find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit())).unwrap_or(named.len());
    let name = &named[..end];
    if !(is_ours && name.starts_with("SIG") && name.len() <= 10) {
        return None;
    }
    let below = at.below(MAX_LINES);
    let (frames, lines) = calls(below);
    let words = LastWords::new(Runtime::Cpp, name).with_message(text).with_frames(without_handler(frames));
    Some(Report::of(words, at, lines))
}

/// `F0312 12:00:00.123456    42 orders.cc:12] Check failed: …`. `LOG(FATAL)` has any text.
fn check(at: At<'_, '_>) -> Option<Report> {
    let (place, text) = at.head.strip_prefix('F')?.split_once("] ")?;
    let (date, place) = place.split_once(' ')?;
    let is_date = [4, 8].contains(&date.len()) && date.bytes().all(|byte| byte.is_ascii_digit());
    let (file, number) = file_line(place.rsplit(' ').next()?);
    if !is_date || number.is_none() {
        return None;
    }
    let trace = at.below(30).iter().position(|line| line.text == CHECK_TRACE);
    let below = trace.map_or(&[][..], |trace| ahead(at.lines, at.start + 2 + trace, MAX_LINES));
    let (frames, lines) = calls(below);
    let mut frames = without_handler(frames);
    // that of the function that has the check, where its name is known
    let place = printed("", file, number);
    let own = below.iter().filter_map(|line| call(line.trim_start())).find(|call| !is_handler(call));
    match frames.first_mut().filter(|first| first.file.is_none() && own.is_some_and(|own| !own.is_empty())) {
        Some(first) => (first.file, first.line) = (place.file, place.line),
        None => frames.insert(0, place),
    }
    let words = LastWords::new(Runtime::Cpp, kind(text)).with_message(text).with_frames(frames);
    Some(Report::of(words, at, trace.map_or(0, |trace| trace + 1 + lines)))
}

/// `CHECK` and its kin, or `LOG(FATAL)`.
fn kind(text: &str) -> &'static str {
    // `CHECK_STREQ` and the like name themselves
    let of_texts = text.strip_prefix("CHECK_STR").and_then(|text| text.split_once(' ')).map(|(_, text)| text);
    let is_check =
        text.starts_with("Check failed: ") || of_texts.is_some_and(|text| text.starts_with("failed: "));
    if is_check { "Check failed" } else { "FATAL" }
}

/// `[orders.cc : 12] RAW: text`, which is the last line of who ends by it; a warning has the same form.
fn raw(at: At<'_, '_>) -> Option<Report> {
    let (place, text) = at.head.strip_prefix('[')?.split_once("] RAW: ")?;
    let (file, number) = place.split_once(" : ")?;
    let number: u32 = number.parse().ok()?;
    let is_file = file.contains('.') && !file.contains(' ');
    let next = at.below(MAX_LINES).iter().find(|line| !line.is_empty());
    let is_last = next.is_none_or(|line| signal(At { head: line.text, ..at }).is_some());
    let is_check = text.strip_prefix("Check ").is_some_and(|text| text.contains(" failed: "));
    let kind = if is_check { "Check failed" } else { "FATAL" };
    let words = LastWords::new(Runtime::Cpp, kind).with_message(text);
    let words = words.with_frames(vec![printed("", file, Some(number))]);
    (is_file && is_last).then(|| Report::of(words, at, 0))
}

/// The calls from here on, the place of a call below it; and how many lines they have. Abseil has the innermost only as `PC`.
fn calls(below: &[Line<'_>]) -> (Vec<Frame>, usize) {
    let frame = |function: &str| printed(&demangle::function(function), "", None);
    let mut frames: Vec<Frame> = Vec::new();
    let mut innermost = None;
    let mut lines = below.len();
    for (at, line) in below.iter().enumerate() {
        let text = line.trim_start();
        if let Some(function) = call(text) {
            // one that is not known is a call nevertheless
            frames.extend((!function.is_empty()).then(|| frame(function)));
        } else if let Some(function) = text.strip_prefix("PC: ").and_then(call) {
            innermost = (!function.is_empty()).then(|| frame(function));
        } else if let Some((file, number)) = place(text).filter(|_| !frames.is_empty()) {
            if let Some(frame) = frames.last_mut() {
                let of_call = printed("", file, number);
                (frame.file, frame.line) = (of_call.file, of_call.line);
            }
        } else if !text.starts_with("PC: @") && !text.starts_with("-> ") && !goes_on(&below[at..]) {
            lines = at;
            break;
        }
    }
    let innermost = innermost.filter(|frame| !frames.iter().any(|other| other.function == frame.function));
    (innermost.into_iter().chain(frames).collect(), lines)
}

/// Drains put lines of their own between the calls.
fn goes_on(rest: &[Line<'_>]) -> bool {
    rest.iter().skip(1).take(2).any(|line| call(line.trim_start()).is_some())
}

/// Of `@     0x7fd0c2a3f1b0  (unknown)  shop::load()` the function; nothing where it is not known.
fn call(text: &str) -> Option<&str> {
    let (address, rest) = text.strip_prefix("@ ")?.trim_start().split_once(' ')?;
    let digits = address.strip_prefix("0x").unwrap_or(if address == "(nil)" { "0" } else { address });
    if digits.len() > 16 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    // Abseil has the frame's size before the function
    let rest = rest.trim_start();
    let sized = rest.split_once("  ").filter(|(size, _)| *size == "(unknown)" || size.parse::<u64>().is_ok());
    let function = sized.map_or(rest, |(_, function)| function).trim();
    // of a template's instance the type that it returns stands before it
    let is_function = form::is_symbol(function) || (function.contains("::") && function.ends_with(')'));
    is_function.then_some(if function == "(unknown)" { "" } else { function })
}

/// `/srv/shop/Orders.cpp:12`.
fn place(text: &str) -> Option<(&str, Option<u32>)> {
    let (file, number) = file_line(text);
    (number.is_some() && file.contains('/') && !file.contains(' ')).then_some((file, number))
}

/// Without the calls of the handler and of the log.
fn without_handler(frames: Vec<Frame>) -> Vec<Frame> {
    let own = frames.iter().take_while(|frame| frame.function.as_deref().is_some_and(is_handler)).count();
    if own == frames.len() { frames } else { frames.into_iter().skip(own).collect() }
}

fn is_handler(function: &str) -> bool {
    const HANDLERS: [&str; 8] = [
        "google::LogMessage",
        "google::LogDestination",
        "google::(anonymous namespace)::FailureSignalHandler",
        "folly::symbolizer::",
        "absl::",
        "__restore_rt",
        "raise",
        "abort",
    ];
    HANDLERS.iter().any(|handler| function.starts_with(handler))
}
