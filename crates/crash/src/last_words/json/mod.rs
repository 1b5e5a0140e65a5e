//! Records of logs that are JSON objects, one a line, with an error's trace in a field.
//!
//! | logger | type | trace |
//! |---|---|---|
//! | pino, bunyan | `err.type`, `err.name` | `err.stack`, as Node.js prints it |
//! | winston | in the trace | `stack`; uncaught: `trace`, objects with `function`, `file`, `line` |
//! | zap | none | `stacktrace`: Go's calls without a heading |
//! | zerolog | none | `stack`: objects with `func`, `source`, `line` |
//! | structlog | in the trace; `exc_type` | `exception`: a traceback, or objects with `name`, `filename`, `lineno` |
//! | python-json-logger | in the trace | `exc_info` |
//! | logback, log4j, ECS | in the trace; `error.type`, `thrown.name` | `stack_trace`, `error.stack_trace`, `thrown.extendedStackTrace` |
//! | .NET, Serilog | in the trace | `Exception`, `@x`, as `ToString()` makes it |
//! | Monolog, `FrankenPHP` (Caddy) | `class` | `trace`: `/srv/a.php:12`; `msg`: as PHP prints it |
//! | `semantic_logger` | `exception.name` | `exception.stack_trace`, a list |
//!
//! A string of several lines, and a list of strings, are read by the readers of the runtimes; calls that are objects, and calls
//! without a heading, by `calls`. The record's other fields may hold anything, so a type is a type only by its form.

mod calls;

use model::crash::{Frame, Runtime};
use serde_json::{Map, Value};

use self::calls::Calls;
use super::report::{At, Line, Report};
use super::{LastWords, choose, form};

/// What parts the calls of a trace on one line.
const FLAT_CALL: &str = "   at ";

/// How deep objects are looked into.
const MAX_DEPTH: usize = 6;
/// How many fields of a record are looked at.
const MAX_FIELDS: usize = 500;

/// Fields that hold a type and nothing else, and those that hold a type where they have one's form.
const TYPES: [&str; 7] =
    ["exc_type", "errorType", "error.type", "exception.type", "exception_class", "exceptionClass", "class"];
const NAMES: [&str; 6] = ["type", "name", "kind", "error_class", "exception", "error"];
const MESSAGES: [&str; 7] =
    ["message", "msg", "error", "errorMessage", "exc_value", "error.message", "exception.message"];
const CAUSES: [&str; 5] = ["cause", "causedBy", "innerException", "previous", "inner"];
const LEVELS: [&str; 7] = ["level", "severity", "lvl", "log.level", "@l", "levelname", "Level"];

pub(super) fn read(at: At<'_, '_>) -> Option<Report> {
    let (record, below) = record(at)?;
    let mut found = Found::default();
    found.object(&record, 0, false);
    let words = found.words()?;
    let sentences = MESSAGES.iter().filter_map(|name| record.get(*name)?.as_str());
    let is_last = level(&record).is_some_and(is_last) || sentences.into_iter().any(choose::announces);
    Some(Report::of(LastWords { certain: is_last, ..words }, at, below))
}

/// The object that begins here, and how many lines below it has: some loggers indent their records.
fn record(at: At<'_, '_>) -> Option<(Map<String, Value>, usize)> {
    const MAX_LINES: usize = 300;
    if at.head.starts_with('{') && at.head.ends_with('}') {
        return Some((serde_json::from_str(at.head).ok()?, 0));
    }
    let below = at.below(MAX_LINES);
    let end = below.iter().position(|line| line.text == "}").filter(|_| at.head == "{")?;
    let text: String = below[..=end].iter().flat_map(|line| ["\n", line.text]).collect();
    Some((serde_json::from_str(&format!("{{{text}")).ok()?, end + 1))
}

fn level(record: &Map<String, Value>) -> Option<&Value> {
    LEVELS.iter().find_map(|name| record.get(*name)).or_else(|| record.get("log")?.get("level"))
}

/// A level that is written before a program ends itself: zap and zerolog then do, and pino's users.
fn is_last(level: &Value) -> bool {
    const FATAL_OF_PINO: u64 = 60;
    level.as_u64() == Some(FATAL_OF_PINO)
        || level.as_str().is_some_and(|level| {
            ["fatal", "panic", "dpanic", "emergency", "emerg"].contains(&level.to_lowercase().as_str())
        })
}

/// What a record holds of an error.
#[derive(Default)]
struct Found {
    /// What a runtime's reader made of a field.
    words: Option<LastWords>,
    kind: Option<String>,
    /// Of causes that are told as objects the innermost.
    cause: Option<String>,
    message: Option<String>,
    calls: Calls,
    fields: usize,
}

impl Found {
    /// `of_cause`: the field's name says that it holds what caused the error.
    fn object(&mut self, object: &Map<String, Value>, depth: usize, of_cause: bool) {
        let text = |name: &&str| object.get(*name).and_then(Value::as_str);
        let kind = TYPES
            .iter()
            .filter_map(text)
            .find(|kind| form::is_own(kind))
            .or_else(|| NAMES.iter().filter_map(text).find(|kind| form::is_error(kind)));
        let is_cause = object.get("is_cause").and_then(Value::as_bool) == Some(true);
        match kind {
            Some(kind) if self.kind.is_none() => self.kind = Some(kind.to_owned()),
            Some(kind) if is_cause || of_cause => self.cause = Some(kind.to_owned()),
            _ => {}
        }
        if self.message.is_none() || kind.is_some() {
            self.message = MESSAGES.iter().find_map(text).map(str::to_owned).or(self.message.take());
        }
        for (name, value) in object {
            self.value(value, depth + 1, of_cause || CAUSES.contains(&name.as_str()));
        }
    }

    fn value(&mut self, value: &Value, depth: usize, of_cause: bool) {
        self.fields += 1;
        if depth > MAX_DEPTH || self.fields > MAX_FIELDS {
            return;
        }
        match value {
            Value::String(text) if text.contains('\n') => self.lines(text.split('\n')),
            // .NET's console put blanks for the ends of lines, before 7
            Value::String(text) if text.contains(FLAT_CALL) => {
                let lines = text.split(FLAT_CALL).enumerate();
                let lines: Vec<String> = lines
                    .map(|(at, line)| if at == 0 { line.to_owned() } else { format!("   at {line}") })
                    .collect();
                self.lines(lines.iter().map(String::as_str));
            }
            Value::Array(list) => {
                let lines: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
                if lines.len() == list.len() {
                    self.lines(lines.iter().flat_map(|line| line.split('\n')));
                } else {
                    self.calls.take(calls::of_objects(list));
                    for value in list {
                        self.value(value, depth + 1, of_cause);
                    }
                }
            }
            Value::Object(object) => self.object(object, depth, of_cause),
            _ => {}
        }
    }

    /// A field of several lines: a whole report, or only calls.
    fn lines<'t>(&mut self, lines: impl Iterator<Item = &'t str>) {
        let lines: Vec<Line<'t>> =
            lines.enumerate().map(|(number, line)| Line::bare(line.trim_end_matches('\r'), number)).collect();
        let reports = super::reports(&lines, &super::plain);
        let best = reports.iter().rposition(|report| report.words.certain).or(reports.len().checked_sub(1));
        match best.and_then(|best| reports.into_iter().nth(best)) {
            Some(report) => {
                let is_better = self.words.as_ref().is_none_or(|words| words.frames.is_empty());
                self.words = Some(report.words).filter(|_| is_better).or(self.words.take());
            }
            None => self.calls.take(calls::of_lines(&lines)),
        }
    }

    fn words(self) -> Option<LastWords> {
        let Calls { runtime, frames } = self.calls;
        if self.words.is_some() {
            return self.words;
        }
        let runtime = runtime.unwrap_or(Runtime::Native);
        let kind = self.kind.or_else(|| (!frames.is_empty()).then(|| "Logged error".to_owned()))?;
        (!frames.is_empty() || runtime != Runtime::Native || form::is_error(&kind)).then(|| {
            LastWords::new(runtime, &kind)
                .with_message(&self.message.unwrap_or_default())
                .with_frames(frames)
                .with_cause(self.cause.as_deref())
        })
    }
}

impl Calls {
    /// The first list of calls in a record is the error's own.
    fn take(&mut self, other: Option<(Runtime, Vec<Frame>)>) {
        if let Some((runtime, frames)) = other.filter(|_| self.frames.is_empty()) {
            *self = Calls { runtime: Some(runtime), frames };
        }
    }
}
