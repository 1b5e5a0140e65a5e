//! What a detector answers: insights, charts and tables, ready to be shown, sent as JSON or copied as Markdown.

use serde::{Deserialize, Serialize};

use crate::auto_heal::evidence::Unit;
use crate::{TimeRange, Timestamp};

/// How bad it is, worst first; the words are App Service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Severity {
    /// Users are hurt.
    Critical,
    /// Somebody should look.
    Warning,
    /// Worth knowing.
    Info,
    /// Looked at and found well.
    Success,
    /// No statement.
    None,
}

impl Severity {
    /// The word on the page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Warning => "Warning",
            Self::Info => "Info",
            Self::Success => "Success",
            Self::None => "None",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Insight {
    /// How bad it is.
    pub severity: Severity,
    /// One line that says it all.
    pub title: String,
    /// Key and value, in the order to be read.
    pub details: Vec<Detail>,
    /// What to do next, most promising first.
    pub advice: Vec<String>,
    /// The incident it is about, for its stack and its address.
    pub incident: Option<crate::crash::Incident>,
}

/// One line of an insight's details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// What.
    pub name: String,
    /// Which.
    pub value: DetailValue,
}

/// A value that the page knows how to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetailValue {
    /// Plain text.
    Text(String),
    /// A name from a program, shown in the code face.
    Code(String),
    /// A point in time.
    Time(Timestamp),
}

impl Detail {
    /// A line of plain text.
    pub fn text(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: DetailValue::Text(value.into()) }
    }

    /// A line with a program's name.
    pub fn code(name: &str, value: impl Into<String>) -> Self {
        Self { name: name.to_owned(), value: DetailValue::Code(value.into()) }
    }

    /// A line with a time.
    pub fn time(name: &str, value: Timestamp) -> Self {
        Self { name: name.to_owned(), value: DetailValue::Time(value) }
    }
}

/// Counts over time, one series an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// What is counted.
    pub title: String,
    /// What one of it is, such as `crashes`.
    pub unit: String,
    /// The whole range.
    pub range: TimeRange,
    /// The width of one bucket; bucket `i` begins at `range.start + i · bucket_ms`.
    pub bucket_ms: u64,
    /// The lines or stacked bars.
    pub series: Vec<Series>,
}

/// One line of a chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// One value a bucket.
    pub values: Vec<u64>,
}

impl Chart {
    /// When bucket `index` begins.
    pub fn bucket_start(&self, index: usize) -> Timestamp {
        bucket_start(self.range, self.bucket_ms, index)
    }
}

/// Measured values over time, a line each, beside what they are compared with and what happened meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineChart {
    /// What is measured.
    pub title: String,
    /// What the values count.
    pub unit: Unit,
    /// The whole range.
    pub range: TimeRange,
    /// The width of one bucket; bucket `i` begins at `range.start + i · bucket_ms`.
    pub bucket_ms: u64,
    /// The lines.
    pub lines: Vec<Line>,
    /// What happened, oldest first.
    pub marks: Vec<Mark>,
}

/// One line of measured values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// The highest value of each bucket; nothing where none was measured.
    pub values: Vec<Option<u64>>,
    /// What the values were compared with, where that is to be shown.
    pub limits: Vec<Option<u64>>,
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Timestamp,
    /// Where, as `node/instance`.
    pub place: String,
    /// What.
    pub kind: MarkKind,
    /// Why; a few words, empty where the kind says it all.
    pub text: String,
}

/// What a mark stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A worker was replaced.
    Restart,
    /// The kernel killed one for want of memory.
    OutOfMemory,
    /// A worker crashed otherwise.
    Crash,
}

impl MarkKind {
    /// The words on the page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restart => "Restart",
            Self::OutOfMemory => "Killed for want of memory",
            Self::Crash => "Crash",
        }
    }
}

impl LineChart {
    /// When bucket `index` begins.
    pub fn bucket_start(&self, index: usize) -> Timestamp {
        bucket_start(self.range, self.bucket_ms, index)
    }
}

fn bucket_start(range: TimeRange, bucket_ms: u64, index: usize) -> Timestamp {
    let ms = u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(bucket_ms);
    range.start + std::time::Duration::from_millis(ms)
}

/// Everything a detector says about one time range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The range it speaks of.
    pub range: TimeRange,
    /// The findings, worst first.
    pub insights: Vec<Insight>,
    /// Counts over time.
    pub charts: Vec<Chart>,
    /// Measured values over time.
    #[serde(default)]
    pub lines: Vec<LineChart>,
}
