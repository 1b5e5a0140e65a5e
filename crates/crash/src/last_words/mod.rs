//! What a runtime prints when it dies, read from the end of a worker's standard error or output.
//!
//! One file a runtime; each tries to read a report that begins at a given line. The last report that only a dying process prints
//! wins. A report that also stands in logs (a caught exception that was printed) is taken only where there is nothing better:
//! many programs print what they caught and then exit by themselves.

mod cpp;
mod dotnet;
mod glibc;
mod go;
mod java;
mod node;
mod node_native;
mod php;
mod python;
mod python_group;
mod ruby;
mod rust;
mod sanitizer;

use model::crash::{Frame, Runtime};
use model::{Exit, Signal};

use crate::text;

/// The last fatal report of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWords {
    /// Who printed it.
    pub runtime: Runtime,
    /// The exception's type with its namespaces; for a signal its name.
    pub exception_type: String,
    /// The exception's message: for the local file alone.
    pub message: Option<String>,
    /// The thread's name, where the runtime names it.
    pub thread: Option<String>,
    /// The calls, innermost first.
    pub frames: Vec<Frame>,
    /// The type of what caused it, where the runtime tells.
    pub cause: Option<String>,
    /// How a process ends that prints this.
    pub ends: Ends,
    /// Only a dying process prints this; otherwise a log may hold it too.
    pub certain: bool,
    /// How many lines that are not empty came after it.
    pub lines_after: usize,
}

/// How a process ends that prints a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// By itself, with an exit status.
    ByExit,
    /// By a fatal signal.
    BySignal,
    /// Either way, as the runtime was set.
    Either,
}

impl LastWords {
    fn new(runtime: Runtime, exception_type: &str) -> Self {
        Self {
            runtime,
            exception_type: text::name(exception_type, text::TYPE_CHARS),
            message: None,
            thread: None,
            frames: Vec::new(),
            cause: None,
            ends: Ends::Either,
            certain: true,
            lines_after: 0,
        }
    }

    fn with_message(mut self, message: &str) -> Self {
        let message = message.trim();
        self.message = (!message.is_empty()).then(|| message.to_owned());
        self
    }

    fn with_thread(mut self, thread: Option<&str>) -> Self {
        self.thread = thread.and_then(|thread| text::name_of(thread, text::THREAD_CHARS));
        self
    }

    fn with_frames(mut self, frames: Vec<Frame>) -> Self {
        self.frames = frames;
        self
    }

    fn with_cause(mut self, cause: Option<&str>) -> Self {
        self.cause = cause.and_then(|cause| text::name_of(cause, text::TYPE_CHARS));
        self
    }

    fn ending(mut self, ends: Ends) -> Self {
        self.ends = ends;
        self
    }

    fn perhaps(mut self) -> Self {
        self.certain = false;
        self
    }

    /// Could a process that printed this have ended so? A traceback in the log of a worker that was then killed by SIGSEGV
    /// is another story. What ends by a signal may also end by a status, which is a shell's word for it; Python dies of SIGINT
    /// after its traceback.
    pub fn explains(&self, exit: Exit) -> bool {
        const INTERRUPT: Signal = Signal(2);
        match exit {
            Exit::Code(code) => code != 0,
            Exit::Signal(Signal::KILL) => false,
            Exit::Signal(INTERRUPT) => true,
            Exit::Signal(_) => self.certain && self.ends != Ends::ByExit,
        }
    }
}

/// One report and where the reading goes on.
struct Report {
    words: LastWords,
    /// The first line after the report; always after the line where it began.
    end: usize,
}

/// Reads the report that begins at line `at`, if one does. Every lookahead in it is bounded by the report's own shape.
type Reader = fn(lines: &[&str], at: usize) -> Option<Report>;

/// In the order in which they are asked: who needs several lines to be sure comes before who needs one.
const READERS: &[Reader] = &[
    sanitizer::read,
    ruby::read,
    python::read,
    node::read,
    node_native::read,
    java::read,
    dotnet::read,
    go::read,
    rust::read,
    php::read,
    cpp::read,
    glibc::read,
];

/// Reads the last words of a worker from the end of what it printed.
pub fn read(tail: &[u8]) -> Option<LastWords> {
    read_last(tail, tail.len())
}

/// The same from the last `limit` bytes.
pub(crate) fn read_last(tail: &[u8], limit: usize) -> Option<LastWords> {
    read_where(tail, limit, |_| true)
}

/// The same among the reports that `fits` takes.
pub(crate) fn read_where(tail: &[u8], limit: usize, fits: impl Fn(&LastWords) -> bool) -> Option<LastWords> {
    let text = text::plain(tail, limit);
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let mut reports = reports(&lines);
    count_lines_after(&mut reports, &lines);
    choose(reports.into_iter().filter(|report| fits(&report.words)).collect())
}

fn reports(lines: &[&str]) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let found =
            (!lines[at].is_empty()).then(|| READERS.iter().find_map(|read| read(lines, at))).flatten();
        at = found.as_ref().map_or(at + 1, |report| report.end.max(at + 1));
        reports.extend(found);
    }
    reports
}

fn count_lines_after(reports: &mut [Report], lines: &[&str]) {
    let (mut from, mut count) = (lines.len(), 0);
    for report in reports.iter_mut().rev() {
        let between = lines.get(report.end..from).unwrap_or_default();
        count += between.iter().filter(|line| !line.is_empty()).count();
        from = from.min(report.end);
        report.words.lines_after = count;
    }
}

/// The last certain report, else the last.
fn choose(mut reports: Vec<Report>) -> Option<LastWords> {
    let index = reports.iter().rposition(|report| report.words.certain).or(reports.len().checked_sub(1))?;
    let Report { mut words, .. } = reports.swap_remove(index);
    if let Some(before) = index.checked_sub(1).and_then(|before| reports.get(before)) {
        let lines_after = words.lines_after;
        join(&mut words, &before.words);
        words.lines_after = lines_after;
    }
    Some(words)
}

/// Some deaths are told in two reports: glibc or C++ says what, then a runtime's signal handler or a second panic says where.
fn join(last: &mut LastWords, before: &LastWords) {
    let names_the_signal = last.exception_type == "SIGABRT" && last.runtime != before.runtime;
    let told_first = matches!(before.runtime, Runtime::Glibc | Runtime::Cpp);
    if names_the_signal && told_first && before.certain {
        last.exception_type.clone_from(&before.exception_type);
        last.message.clone_from(&before.message);
    }
    if rust::is_second_panic(last) && before.runtime == Runtime::Rust {
        *last = before.clone();
    }
}

/// The lines from `at` on, at most `max` of them.
fn ahead<'t, 'l>(lines: &'l [&'t str], at: usize, max: usize) -> &'l [&'t str] {
    let end = lines.len().min(at.saturating_add(max));
    lines.get(at..end).unwrap_or_default()
}

/// How many lines of a message are kept. Ours: the tail has hundreds at most.
const MESSAGE_LINES: usize = 50;

/// A message's first line and those of `more` up to the first that `ends` it.
fn message(first: &str, more: &[&str], ends: impl Fn(&str) -> bool) -> String {
    let mut whole = first.to_owned();
    for line in more.iter().take(MESSAGE_LINES).take_while(|line| !ends(line)) {
        whole.push('\n');
        whole.push_str(line);
    }
    whole.trim_end().to_owned()
}
