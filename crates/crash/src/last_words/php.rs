//! PHP: `PHP Fatal error:  Uncaught Type: message in file:line` with its stack trace, and fatal errors that are no exceptions.
//!
//! What differs: on standard output there is no `PHP` before it; php-fpm puts `NOTICE: PHP message: ` before the first line; 5
//! wrote `Uncaught exception 'Type' with message 'message' in file:line`; Symfony logs `Uncaught PHP Exception Type: "message" at
//! file line 3`, Laravel `[object] (Type(code: 0): message at file:3)` and `[stacktrace]`.

use model::crash::{Frame, Runtime};

use super::report::{At, Line, MESSAGE_LINES, Report, ahead, message};
use super::{Ends, LastWords, form};
use crate::kinds;
use crate::text::{extension, file_line, printed};

const KINDS: [&str; 6] = [
    "Fatal error",
    "Parse error",
    "Recoverable fatal error",
    "Core error",
    "Compile error",
    "Uncaught exception",
];
const UNCAUGHT: &str = "Uncaught exception";
/// How many calls are read.
const MAX_CALLS: usize = 1_000;

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    fatal(at).or_else(|| symfony(at)).or_else(|| laravel(at)).or_else(|| logged(at))
}

fn fatal(at: At<'_, '_>) -> Option<Report> {
    // Apache's log has the whole report on one line
    if at.head.contains("\\nStack trace:\\n") {
        let lines: Vec<Line<'_>> = at.head.split("\\n").map(|line| Line::bare(line, 0)).collect();
        let report = fatal(At { lines: &lines, start: 0, head: lines.first()?.text })?;
        return Some(Report::of(report.words, at, 0));
    }
    let (kind, text) = head(at.head)?;
    let words = match text.strip_prefix("Uncaught ") {
        Some(error) => return Some(uncaught(at, error)),
        None => plain_error(kind, text),
    };
    Some(Report::of(words.ending(Ends::ByExit), at, 0))
}

/// `PHP Fatal error:  text` apart.
fn head(line: &str) -> Option<(&'static str, &str)> {
    let (is_log, line) = line.strip_prefix("PHP ").map_or((false, line), |line| (true, line));
    let kind = KINDS.iter().find(|kind| line.starts_with(**kind) && line[kind.len()..].starts_with(':'))?;
    let text = line[kind.len() + 1..].trim_start();
    // `Fatal error: ` is also what others print: theirs has no place in a file.
    let is_ours = is_log || text.starts_with("Uncaught ") || text.contains(" on line ");
    is_ours.then_some((*kind, text))
}

/// Memory and time limits, syntax errors: the text is PHP's, with the place at its end.
fn plain_error(kind: &'static str, text: &str) -> LastWords {
    let place = text.rsplit_once(" in ").and_then(|(text, place)| Some((text, place_on_line(place)?)));
    let (text, frame) =
        place.map_or((text, None), |(text, (file, line))| (text, Some(printed("{main}", file, line))));
    let kind = if text.starts_with("Allowed memory size of") || text.starts_with("Out of memory") {
        kinds::OUT_OF_MEMORY
    } else if text.starts_with("Maximum execution time") {
        "Maximum execution time exceeded"
    } else {
        kind
    };
    LastWords::new(Runtime::Php, kind).with_message(text).with_frames(frame.into_iter().collect())
}

/// An uncaught exception. Its previous ones are printed before it, each but the first after `Next `.
fn uncaught(at: At<'_, '_>, error: &str) -> Report {
    let mut first = None;
    let mut last = exception(at.lines, at.start, error);
    while let Some((next, error)) = next_exception(at.lines, last.end) {
        first.get_or_insert_with(|| last.kind.clone());
        last = exception(at.lines, next, error);
    }
    let thrown = at.lines.get(last.end).is_some_and(|line| line.trim_start().starts_with("thrown in "));
    let words = LastWords::new(Runtime::Php, &last.kind)
        .with_message(&last.message)
        .with_frames(last.frames)
        .with_cause(first.as_deref())
        .ending(Ends::ByExit);
    Report::new(words, last.end + usize::from(thrown))
}

struct Exception {
    kind: String,
    message: String,
    frames: Vec<Frame>,
    end: usize,
}

fn next_exception<'t>(lines: &[Line<'t>], end: usize) -> Option<(usize, &'t str)> {
    let at = end + usize::from(lines.get(end)?.is_empty());
    Some((at, lines.get(at)?.text.strip_prefix("Next ")?))
}

fn exception(lines: &[Line<'_>], start: usize, error: &str) -> Exception {
    let body = ahead(lines, start + 1, MESSAGE_LINES);
    let trace = trace(error, body);
    let (kind, text) = typed(error).unwrap_or((UNCAUGHT, error));
    let whole = message(text, &body[..trace.unwrap_or(0)], |_| false);
    let place = whole
        .rsplit_once("in ")
        .and_then(|(text, place)| Some((text, place_of(place).or_else(|| place_on_line(place))?)));
    let (text, (file, line)) = place.unwrap_or((whole.as_str(), ("", None)));
    let calls_at = start + 2 + trace.unwrap_or(0);
    let calls = trace.map_or(&[][..], |_| ahead(lines, calls_at, MAX_CALLS));
    let count = calls.iter().take_while(|line| numbered(line).is_some()).count();
    let end = if trace.is_some() { calls_at + count } else { start + 1 };
    let frames = frames(file, line, &calls[..count]);
    Exception { kind: kind.to_owned(), message: text.trim().to_owned(), frames, end }
}

/// Where the trace begins among the lines below an exception's first: a line with a place stands above it, and a message may have
/// lines of any kind.
fn trace(error: &str, body: &[Line<'_>]) -> Option<usize> {
    let above = std::iter::once(error).chain(body.iter().map(|line| line.text));
    let has_place = |line: &str| line.rsplit_once("in ").is_some_and(|(_, place)| place_of(place).is_some());
    body.iter()
        .zip(above)
        .take_while(|(line, _)| head(line).is_none())
        .position(|(line, above)| line.text == "Stack trace:" && has_place(above))
}

/// What an exception is as a text, which programs print and log: `Type: message in file:line` and its trace.
fn logged(at: At<'_, '_>) -> Option<Report> {
    form::typed(at.head, form::is_error)?;
    trace(at.head, at.below(MESSAGE_LINES))?;
    let exception = exception(at.lines, at.start, at.head);
    let words = LastWords::new(Runtime::Php, &exception.kind)
        .with_message(&exception.message)
        .with_frames(exception.frames)
        .ending(Ends::ByExit);
    (!words.frames.is_empty()).then(|| Report::new(words.perhaps(), exception.end))
}

/// `App\OrderNotFound: message`, `Type in file:line`, and PHP 5's `exception 'Type' with message 'message'`.
fn typed(error: &str) -> Option<(&str, &str)> {
    if let Some(old) = error.strip_prefix("exception '") {
        return old.split_once('\'').filter(|(kind, _)| form::is_own(kind));
    }
    // of an anonymous class the one that it extends
    if let Some((kind, rest)) = error.split_once("@anonymous").filter(|(kind, _)| form::is_own(kind)) {
        return Some((kind, rest.strip_prefix(": ").unwrap_or(rest)));
    }
    let of_place = || error.split_once(" in ").map(|(kind, _)| (kind, &error[kind.len()..]));
    form::typed(error, form::is_own).or_else(of_place).filter(|(kind, _)| form::is_own(kind))
}

/// What follows `#12 `.
fn numbered(line: &str) -> Option<&str> {
    let (number, call) = line.trim_start().strip_prefix('#')?.split_once(' ')?;
    number.parse::<u16>().is_ok().then_some(call)
}

/// `#0 /srv/a.php(4): App\Orders->load()` names the function that was called and the place that called it: the function's own
/// place is the line before.
fn frames(file: &str, line: Option<u32>, calls: &[Line<'_>]) -> Vec<Frame> {
    let (mut file, mut line) = (file, line);
    let mut frames = Vec::new();
    for call in calls.iter().filter_map(|line| numbered(line.text)) {
        let (place, function) = call.split_once(": ").unwrap_or(("", call));
        let bare = function.split('(').next().unwrap_or(function);
        let is_called = function == "{main}" || (function.contains('(') && is_function(bare));
        if !is_called
            || !(place.is_empty() || place == "[internal function]" || parenthesized(place).is_some())
        {
            continue;
        }
        frames.push(printed(bare, file, line));
        (file, line) = parenthesized(place).unwrap_or(("", None));
    }
    if frames.is_empty() && !file.is_empty() {
        frames.push(printed("{main}", file, line));
    }
    frames
}

/// `App\Orders->load`, `Closure::{closure}`, `App\{closure:App\f():12}`, `include_once`.
fn is_function(function: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || "_\\:->{}$/.@".contains(c);
    let is_anonymous = function.contains("class@anonymous");
    !function.is_empty() && function.chars().all(is_name) && (is_anonymous || !function.contains('@'))
}

/// `/srv/a.php(4)`.
fn parenthesized(place: &str) -> Option<(&str, Option<u32>)> {
    let (file, line) = place.strip_suffix(')')?.rsplit_once('(')?;
    is_file(file).then_some((file, line.parse().ok()))
}

/// `/srv/a.php:4`.
fn place_of(place: &str) -> Option<(&str, Option<u32>)> {
    let (file, line) = file_line(place);
    (line.is_some() && is_file(file)).then_some((file, line))
}

/// `/srv/a.php on line 4`.
fn place_on_line(place: &str) -> Option<(&str, Option<u32>)> {
    let (file, line) = place.split_once(" on line ")?;
    is_file(file).then_some((file, Some(line.trim().parse().ok()?)))
}

/// A path, or what PHP calls code without one.
fn is_file(file: &str) -> bool {
    file.starts_with('/')
        || file.starts_with("phar://")
        || file.get(1..3) == Some(":\\")
        || (extension(file) == "php" && !file.contains(' '))
        || ["Command line code", "Standard input code", "php shell code"].contains(&file)
}

/// `Uncaught PHP Exception App\OrderNotFound: "message" at /srv/src/Orders.php line 12`.
fn symfony(at: At<'_, '_>) -> Option<Report> {
    let error = at.head.strip_prefix("Uncaught PHP Exception ")?;
    let (kind, text) = form::typed(error, form::is_own)?;
    let place = text.rsplit_once(" at ").and_then(|(_, place)| place.split_once(" line "));
    let frame = place.filter(|(file, _)| is_file(file)).map(|(file, line)| {
        let digits = line.find(|c: char| !c.is_ascii_digit()).unwrap_or(line.len());
        printed("", file, line[..digits].parse().ok())
    });
    let words = LastWords::new(Runtime::Php, kind)
        .with_message(text)
        .with_frames(frame.into_iter().collect())
        .ending(Ends::ByExit);
    Some(Report::of(words.perhaps(), at, 0))
}

/// `message {"exception":"[object] (App\\OrderNotFound(code: 0): message at /srv/a.php:12)` and below `[stacktrace]` the calls.
fn laravel(at: At<'_, '_>) -> Option<Report> {
    let object = at
        .head
        .strip_prefix("[object] (")
        .or_else(|| at.head.split_once("\"[object] (").map(|(_, object)| object))?;
    let (kind, text) = object.split_once("(code: ")?;
    let kind = kind.replace("\\\\", "\\");
    let (_, text) = text.split_once("): ").filter(|_| form::is_own(&kind))?;
    let body = at.below(MESSAGE_LINES);
    let trace = body.iter().position(|line| line.text == "[stacktrace]")?;
    let whole = message(text, &body[..trace], |_| false);
    let place = whole
        .trim_end_matches(')')
        .rsplit_once(" at ")
        .and_then(|(text, place)| Some((text, place_of(place)?)));
    let (text, (file, line)) = place.unwrap_or((whole.as_str(), ("", None)));
    let calls = ahead(at.lines, at.start + 2 + trace, MAX_CALLS);
    let count = calls.iter().take_while(|line| numbered(line).is_some()).count();
    let words = LastWords::new(Runtime::Php, &kind)
        .with_message(text)
        .with_frames(frames(file, line, &calls[..count]))
        .ending(Ends::ByExit);
    Some(Report::of(words.perhaps(), at, trace + 1 + count))
}
