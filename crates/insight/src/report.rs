//! What a detector answers: findings, charts and tables, ready to be shown, sent as JSON or copied as Markdown.
//!
//! It holds values, not their texts, where a reader may want to reckon with them (times, sizes, durations), and links as what they
//! lead to, not as addresses.

mod chart;
mod table;
mod target;

use model::crash::{Frame, Incident, Thread};
use model::{IncidentId, TimeRange, Timestamp};
use serde::Serialize;

use crate::notes;

pub use crate::severity::Severity;
pub use chart::{Chart, DeployMark, Line, LineChart, Mark, MarkKind, Series};
pub use table::{Cell, Column, Layout, Note, Table};
pub use target::Target;

/// Everything a detector says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// The range it speaks of.
    pub range: TimeRange,
    /// How many of what the detector is about happened in it, where that can be counted.
    pub total: Option<Total>,
    /// The findings, worst first; never empty.
    pub insights: Vec<Insight>,
    /// Counts over time.
    pub charts: Vec<Chart>,
    /// Measured values over time.
    pub lines: Vec<LineChart>,
    /// What the findings are made of.
    pub tables: Vec<Table>,
}

/// A number and what it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Total {
    pub count: u64,
    /// What one is called, such as `crash`.
    pub one: &'static str,
    /// What several are called.
    pub many: &'static str,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Insight {
    pub severity: Severity,
    /// One line that says it all.
    pub title: String,
    /// In the order to be read.
    pub details: Vec<Detail>,
    /// What to do next, most promising first.
    pub actions: Vec<Action>,
    /// The incident it is about.
    pub incident: Option<IncidentExcerpt>,
}

impl Insight {
    /// A finding that needs no more than its title.
    pub fn new(severity: Severity, title: impl Into<String>) -> Self {
        Self { severity, title: title.into(), details: Vec::new(), actions: Vec::new(), incident: None }
    }
}

/// What a finding shows of an incident; the rest is at the incident's own address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IncidentExcerpt {
    pub id: IncidentId,
    pub crashing_thread: Thread,
    /// What the reader should know about the analysis.
    pub notes: Vec<String>,
}

impl IncidentExcerpt {
    /// The frame that a reader should look at first.
    pub fn top_frame(&self) -> Option<&Frame> {
        self.crashing_thread.top_frame()
    }
}

impl From<&Incident> for IncidentExcerpt {
    fn from(incident: &Incident) -> Self {
        Self {
            id: incident.id.clone(),
            crashing_thread: incident.crashing_thread.clone(),
            notes: notes::sentences(&incident.notes),
        }
    }
}

/// One line of a finding's details.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Detail {
    pub name: String,
    pub value: DetailValue,
}

/// A value that the page knows how to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Action {
    /// A sentence or two, beginning with a verb.
    pub text: String,
    /// Where it is done or where more is said.
    pub link: Option<Target>,
}

impl Action {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), link: None }
    }

    /// With a link.
    pub fn at(text: impl Into<String>, link: Target) -> Self {
        Self { text: text.into(), link: Some(link) }
    }
}
