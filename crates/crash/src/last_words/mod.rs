//! What a runtime prints when it dies, read from the end of a worker's standard error or output.
//!
//! ```text
//! the end of an output
//!   │  prefix, streams   what containers, journals and loggers put before each line is taken off, the lines of several sources
//!   ▼                    are told apart
//! lines of one source
//!   │  heads             a report may begin at a line's beginning or behind a label
//!   ▼
//! places where a report may begin
//!   │  python, node, …   one reader a runtime knows how its reports begin and where they end; `json` gives them what stands in
//!   ▼                    the fields of a log's records
//! reports
//!   │  choose            the last that only a dying process prints, else the last
//!   ▼
//! LastWords
//! ```
//!
//! **A message is never a type, a frame or a file.** It may hold anything, also what is personal or looks like a report, and the
//! rest of a report is told to everybody. `form` says what a type is; each reader asks a call for its place.

mod choose;
mod cpp;
mod dotnet;
mod form;
mod glibc;
mod glog;
mod go;
mod heads;
mod java;
mod json;
mod node;
mod php;
mod prefix;
mod python;
mod report;
mod ruby;
mod rust;
mod sanitizer;
mod streams;

use model::crash::{Frame, Runtime};
use model::{Exit, Signal};

use self::report::{At, Line, Report};
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
    /// The type of what caused it, where the runtime tells: of a chain the innermost.
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
    /// By SIGABRT.
    ByAbort,
    /// Either way, as the runtime was set.
    Either,
}

impl LastWords {
    /// Could a process that printed this have ended so? A traceback in the log of a worker that was then killed by SIGSEGV
    /// is another story. What ends by a signal may also end by a status, which is a shell's word for it; Python dies of SIGINT
    /// after its traceback.
    pub fn explains(&self, exit: Exit) -> bool {
        const INTERRUPT: Signal = Signal(2);
        const ABORT: Signal = Signal(6);
        match exit {
            Exit::Code(code) => code != 0,
            Exit::Signal(Signal::KILL) => false,
            Exit::Signal(INTERRUPT) => true,
            Exit::Signal(signal) => {
                let ends_so = match self.ends {
                    Ends::ByExit => false,
                    Ends::ByAbort => signal == ABORT,
                    Ends::BySignal | Ends::Either => true,
                };
                self.certain && ends_so
            }
        }
    }
}

/// Reads the report that begins at a place, if one does. Every lookahead in it is bounded by the report's own shape.
type Reader = for<'l, 't> fn(At<'l, 't>) -> Option<Report>;

/// In the order in which they are asked: who needs several lines to be sure comes before who needs one.
const READERS: &[Reader] = &[
    sanitizer::read,
    ruby::read,
    python::read,
    node::read,
    java::read,
    dotnet::read,
    go::read,
    rust::read,
    php::read,
    cpp::read,
    glog::read,
    glibc::read,
];

/// Reads the last words of a worker from the end of what it printed.
pub fn read(tail: &[u8]) -> Option<LastWords> {
    read_where(tail, tail.len(), |_| true)
}

/// The same from the last `limit` bytes, among the reports that `fits` takes.
pub(crate) fn read_where(tail: &[u8], limit: usize, fits: impl Fn(&LastWords) -> bool) -> Option<LastWords> {
    let text = text::plain(tail, limit);
    let text = streams::unwrapped(&text);
    let mut all: Vec<Report> = Vec::new();
    for lines in streams::of(&text) {
        let mut reports = reports(&lines, &|at| json::read(at).or_else(|| plain(at)));
        count_lines_after(&mut reports, &lines);
        all.extend(reports);
    }
    all.sort_by_key(|report| report.number);
    all.retain(|report| fits(&report.words));
    choose::choose(all)
}

/// What one of the readers makes of a place.
fn plain(at: At<'_, '_>) -> Option<Report> {
    READERS.iter().find_map(|read| read(at))
}

/// All reports among the lines, in order.
fn reports<'t>(lines: &[Line<'t>], read: &dyn Fn(At<'_, 't>) -> Option<Report>) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let found = heads::of(lines[at].text).find_map(|head| report(At { lines, start: at, head }, read));
        at = found.as_ref().map_or(at + 1, |report| report.end.max(at + 1));
        reports.extend(found);
    }
    reports
}

fn report<'t>(at: At<'_, 't>, read: &dyn Fn(At<'_, 't>) -> Option<Report>) -> Option<Report> {
    let mut report = read(at)?;
    report.number = at.lines[at.start].number;
    let words = &mut report.words;
    // A sentence of a log may quote the beginning of a report; its calls it does not.
    let is_quoted = !at.label().trim().is_empty() && words.frames.is_empty();
    words.certain = (words.certain && !is_quoted) || choose::is_end(at, report.end);
    Some(report)
}

fn count_lines_after(reports: &mut [Report], lines: &[Line<'_>]) {
    let (mut from, mut count) = (lines.len(), 0);
    for report in reports.iter_mut().rev() {
        let between = lines.get(report.end..from).unwrap_or_default();
        count += between.iter().filter(|line| !line.is_empty()).count();
        from = from.min(report.end);
        report.words.lines_after = count;
    }
}
