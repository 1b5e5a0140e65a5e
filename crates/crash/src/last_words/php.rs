//! PHP: `PHP Fatal error:  Uncaught Type: message in file:line` with its stack trace, and fatal errors that are no exceptions.

use model::crash::{Frame, Runtime};

use super::{Ends, LastWords, Report, ahead, message};
use crate::text::{is_path, printed, type_and_message};

const KINDS: [&str; 6] = [
    "Fatal error",
    "Parse error",
    "Recoverable fatal error",
    "Core error",
    "Compile error",
    "Uncaught exception",
];

pub(super) fn read(lines: &[&str], start: usize) -> Option<Report> {
    let (kind, text) = head(lines[start])?;
    let words = match text.strip_prefix("Uncaught ") {
        Some(error) => return uncaught(lines, start, error),
        None => plain_error(kind, text),
    };
    Some(Report { words: words.ending(Ends::ByExit), end: start + 1 })
}

/// `[21-Nov-2026 10:00:00 UTC] PHP Fatal error:  text` apart. On standard output there is no `PHP` before it.
fn head(line: &str) -> Option<(&'static str, &str)> {
    let line = match line.strip_prefix('[').and_then(|line| line.split_once("] ")) {
        Some((_, line)) => line,
        None => line,
    };
    let (is_log, line) = line.strip_prefix("PHP ").map_or((false, line), |line| (true, line));
    let kind = KINDS.iter().find(|kind| line.starts_with(**kind) && line[kind.len()..].starts_with(':'))?;
    let text = line[kind.len() + 1..].trim_start();
    // `Fatal error: ` is also what others print: theirs has no place in a file.
    let is_ours = is_log || text.starts_with("Uncaught ") || text.contains(" on line ");
    is_ours.then_some((*kind, text))
}

/// Memory and time limits, syntax errors: the text is PHP's, with the place at its end.
fn plain_error(kind: &'static str, text: &str) -> LastWords {
    let (text, frame) = match text
        .rsplit_once(" on line ")
        .and_then(|(text, line)| Some((text.rsplit_once(" in ")?, line)))
    {
        Some(((text, file), line)) => (text, Some(printed("{main}", file, line.trim().parse().ok()))),
        None => (text, None),
    };
    let kind = if text.starts_with("Allowed memory size of") || text.starts_with("Out of memory") {
        "Out of memory"
    } else if text.starts_with("Maximum execution time") {
        "Maximum execution time exceeded"
    } else {
        kind
    };
    LastWords::new(Runtime::Php, kind).with_message(text).with_frames(frame.into_iter().collect())
}

/// An uncaught exception. Its previous ones are printed before it, each but the first after `Next `.
fn uncaught(lines: &[&str], start: usize, error: &str) -> Option<Report> {
    let mut first = None;
    let mut last = exception(lines, start, error)?;
    while let Some((at, next)) = next_exception(lines, last.end) {
        // as for Python's chains
        let Some(link) = exception(lines, at, next) else { break };
        first.get_or_insert(last.kind);
        last = link;
    }
    let end =
        last.end + usize::from(lines.get(last.end).is_some_and(|line| line.starts_with("  thrown in ")));
    let words = LastWords::new(Runtime::Php, last.kind)
        .with_message(&last.message)
        .with_frames(last.frames)
        .with_cause(first)
        .ending(Ends::ByExit);
    Some(Report { words, end })
}

struct Exception<'t> {
    kind: &'t str,
    message: String,
    frames: Vec<Frame>,
    end: usize,
}

fn next_exception<'t>(lines: &[&'t str], end: usize) -> Option<(usize, &'t str)> {
    let at = end + usize::from(lines.get(end)?.is_empty());
    Some((at, lines.get(at)?.strip_prefix("Next ")?))
}

fn exception<'t>(lines: &[&'t str], start: usize, error: &'t str) -> Option<Exception<'t>> {
    let body = ahead(lines, start + 1, super::MESSAGE_LINES);
    let trace = body.iter().position(|line| *line == "Stack trace:");
    let (kind, text) = type_and_message(error)
        .or_else(|| error.split_once(" in ").map(|(kind, _)| (kind, &error[kind.len()..])))
        .filter(|(kind, _)| is_path(kind))?;
    let whole = message(text, &body[..trace.unwrap_or(0)], |_| false);
    let (text, place) = whole.rsplit_once(" in ").unwrap_or((whole.as_str(), ""));
    let (file, line) = place.rsplit_once(':').map_or((place, None), |(file, line)| (file, line.parse().ok()));
    let calls_at = start + 2 + trace.unwrap_or(0);
    let calls: Vec<&str> =
        ahead(lines, calls_at, 1_000).iter().take_while(|line| line.starts_with('#')).copied().collect();
    let end = if trace.is_some() { calls_at + calls.len() } else { start + 1 };
    Some(Exception { kind, message: text.trim().to_owned(), frames: frames(file, line, &calls), end })
}

/// `#0 /srv/a.php(4): App\Orders->load()` names the function that was called and the place that called it: the function's own
/// place is the line before.
fn frames(file: &str, line: Option<u32>, calls: &[&str]) -> Vec<Frame> {
    let (mut file, mut line) = (file, line);
    let mut frames = Vec::new();
    for call in calls.iter().filter_map(|call| call.split_once(' ').map(|(_, call)| call)) {
        let (place, function) = call.split_once(": ").unwrap_or(("", call));
        frames.push(printed(function.split('(').next().unwrap_or(function), file, line));
        (file, line) = match place.strip_suffix(')').and_then(|place| place.rsplit_once('(')) {
            Some((file, line)) => (file, line.parse().ok()),
            None => ("", None),
        };
    }
    if frames.is_empty() && !file.is_empty() {
        frames.push(printed("{main}", file, line));
    }
    frames
}
