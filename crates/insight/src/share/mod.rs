//! What a share link shows: a snapshot for readers of whom nothing is known. Its type has no place for a message, an environment, a
//! command line, a user, a process number, a worker or an address, so none can be in it by mistake. Names of machines and of the app
//! and whole paths are in it only where whoever shares has said so.
//!
//! ```text
//! evidence, incident, restart ─▶ redaction ─▶ the detector, words and tables that everybody reads ─▶ only what has a place here
//! ```
//!
//! What is said is said by the same functions as on the pages, of what was redacted before: what a sentence was never told it cannot
//! tell. [`SharedReport`] takes over what is known to be fit; a table's column that is added is left out until its detector names it.

mod redaction;
mod snapshot;
mod text;

use model::auto_heal::evidence::Unit;
use model::crash::{Frame, Thread, Trust};
use model::{AppName, TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::report::{Chart, DeployMark, Layout, Line, LineChart, Mark, MarkKind, Series};
use crate::severity::Severity;

pub use snapshot::CRASHES;

/// All that a link shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedReport {
    /// What it is, such as `Incident`.
    pub kind: String,
    pub title: String,
    /// Where it was asked for.
    pub app: Option<AppName>,
    pub made_at: Timestamp,
    pub range: Option<TimeRange>,
    pub findings: Vec<SharedFinding>,
    pub charts: Vec<SharedChart>,
    pub lines: Vec<SharedLines>,
    pub tables: Vec<SharedTable>,
}

/// One finding; of a report that is a single one, the finding without its own title.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFinding {
    pub heading: Option<(Severity, String)>,
    pub details: Vec<SharedDetail>,
    pub stack: Option<SharedStack>,
    /// What the reader should know about the analysis.
    pub notes: Vec<String>,
    /// What to do next.
    pub actions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedDetail {
    pub name: String,
    pub value: SharedValue,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedValue {
    Text(String),
    Code(String),
    Time(Timestamp),
}

/// The crashing thread's calls, without the thread's name, which a program may choose as it likes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedStack {
    /// Innermost first.
    pub frames: Vec<SharedFrame>,
    /// The one to look at first.
    pub telling: Option<usize>,
    pub truncated: bool,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFrame {
    pub module: Option<String>,
    pub function: Option<String>,
    /// Without the folders above the code, unless paths are shared.
    pub file: Option<String>,
    pub line: Option<u32>,
    pub offset: Option<u64>,
    pub trust: Trust,
    pub inline: bool,
}

/// Counts over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedChart {
    pub title: String,
    pub unit: String,
    pub range: TimeRange,
    pub bucket_ms: u64,
    pub series: Vec<SharedSeries>,
    pub deploys: Vec<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedSeries {
    pub name: String,
    pub values: Vec<u64>,
}

/// Measured values over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLines {
    pub title: String,
    pub unit: Unit,
    pub range: TimeRange,
    pub bucket_ms: u64,
    pub lines: Vec<SharedLine>,
    pub marks: Vec<SharedMark>,
    pub deploys: Vec<Timestamp>,
    pub note: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLine {
    pub name: String,
    pub values: Vec<Option<u64>>,
    pub limits: Vec<Option<u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedMark {
    pub at: Timestamp,
    pub place: String,
    pub kind: MarkKind,
    pub count: u64,
    pub text: String,
}

/// Rows under headings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedTable {
    pub title: String,
    pub columns: Vec<SharedColumn>,
    /// Each with a cell for each column.
    pub rows: Vec<Vec<SharedCell>>,
    /// What is said where there is no row.
    pub empty: String,
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedColumn {
    pub title: String,
    pub layout: Layout,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedCell {
    None,
    Text(String),
    Code(String),
    Time(Timestamp),
    Count(u64),
    Bytes(u64),
    DurationMs(u64),
    Percent(u64),
    Status { severity: Severity, word: String, details: Option<String> },
}

impl SharedReport {
    /// As it stands on a tab, in a list and in a chat's preview.
    pub fn full_title(&self) -> String {
        self.app.as_ref().map_or_else(|| self.title.clone(), |app| format!("{app}: {}", self.title))
    }
}

impl SharedStack {
    /// As a stack is drawn.
    pub fn into_thread(self) -> Thread {
        let frame = |frame: SharedFrame| {
            let SharedFrame { module, function, file, line, offset, trust, inline } = frame;
            Frame { module, function, file, line, offset, trust, inline }
        };
        Thread {
            name: None,
            frames: self.frames.into_iter().map(frame).collect(),
            truncated: self.truncated,
            telling: self.telling,
        }
    }
}

/// What was deployed has a name that comes from the app's environment or its repository.
fn deploy_marks(deploys: Vec<Timestamp>) -> Vec<DeployMark> {
    let mark =
        |at| DeployMark { at, label: "other code".to_owned(), text: "its name is not shared".to_owned() };
    deploys.into_iter().map(mark).collect()
}

/// As a chart is drawn.
impl From<SharedChart> for Chart {
    fn from(SharedChart { title, unit, range, bucket_ms, series, deploys }: SharedChart) -> Self {
        let series =
            series.into_iter().map(|SharedSeries { name, values }| Series { name, values }).collect();
        Self { title, unit, range, bucket_ms, series, deploys: deploy_marks(deploys) }
    }
}

/// As a chart is drawn. Its note stands beside it.
impl From<SharedLines> for LineChart {
    fn from(shared: SharedLines) -> Self {
        let SharedLines { title, unit, range, bucket_ms, lines, marks, deploys, note: _ } = shared;
        let line = |SharedLine { name, values, limits }: SharedLine| Line { name, values, limits };
        let mark = |mark: SharedMark| {
            let SharedMark { at, place, kind, count, text } = mark;
            Mark { at, place, kind, count, text }
        };
        Self {
            title,
            unit,
            range,
            bucket_ms,
            lines: lines.into_iter().map(line).collect(),
            marks: marks.into_iter().map(mark).collect(),
            deploys: deploy_marks(deploys),
            note: None,
        }
    }
}

#[cfg(test)]
mod tests;
