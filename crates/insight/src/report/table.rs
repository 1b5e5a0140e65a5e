//! Tables: columns with a name that stays, and cells that are values.

use model::Timestamp;
use serde::{Deserialize, Serialize};

use super::target::Target;
use crate::severity::Severity;

/// Rows under headings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Table {
    pub title: &'static str,
    pub columns: Vec<Column>,
    /// Each with a cell for each column.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Vec<Cell>>))]
    pub rows: Vec<Vec<Cell>>,
    /// What is said where there is no row.
    pub empty: String,
    /// What the reader should know about the rows.
    pub notes: Vec<Note>,
    /// It is unfolded by who looks for it.
    pub folded: bool,
}

impl Table {
    /// One that is yet to be filled.
    pub fn new(title: &'static str, columns: Vec<Column>, empty: impl Into<String>) -> Self {
        Self { title, columns, rows: Vec::new(), empty: empty.into(), notes: Vec::new(), folded: false }
    }
}

/// A column's heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Column {
    /// For programs; it stays when the title is worded anew.
    pub key: &'static str,
    pub title: &'static str,
    #[serde(skip)]
    pub layout: Layout,
}

/// How a column's cells stand on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// On one line.
    #[default]
    Short,
    /// Numbers, one below the other.
    Number,
    /// On as many lines as it takes.
    Long,
}

impl Column {
    /// What is short.
    pub const fn short(key: &'static str, title: &'static str) -> Self {
        Self { key, title, layout: Layout::Short }
    }

    pub const fn number(key: &'static str, title: &'static str) -> Self {
        Self { key, title, layout: Layout::Number }
    }

    /// Names and sentences.
    pub const fn long(key: &'static str, title: &'static str) -> Self {
        Self { key, title, layout: Layout::Long }
    }
}

/// A value that the page knows how to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Cell {
    /// Unknown, or there is none.
    None,
    Text(String),
    /// A name from a program.
    Code(String),
    /// A name from a program that leads somewhere.
    Link {
        text: String,
        to: Target,
    },
    /// Hexadecimal digits, of which a page shows the first.
    Hash(String),
    /// A name from a program in a tree; the root's depth is 0.
    Branch {
        depth: u16,
        name: String,
    },
    Time(Timestamp),
    Count(u64),
    Bytes(u64),
    DurationMs(u64),
    DurationUs(u64),
    /// Hundredths.
    Percent(u32),
    /// A word with its severity, and more where there is more to say.
    Status {
        severity: Severity,
        word: String,
        details: Option<String>,
    },
}

impl Cell {
    /// A text that may be missing.
    pub fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::None, |text| Self::Text(text.into()))
    }

    /// A number that may be missing.
    pub fn count(number: Option<impl Into<u64>>) -> Self {
        number.map_or(Self::None, |number| Self::Count(number.into()))
    }

    /// A size that may be missing.
    pub fn bytes(bytes: Option<u64>) -> Self {
        bytes.map_or(Self::None, Self::Bytes)
    }
}

/// A sentence beside a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Note {
    pub text: String,
    pub link: Option<Target>,
}

impl Note {
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), link: None }
    }

    /// With a link.
    pub fn at(text: impl Into<String>, link: Target) -> Self {
        Self { text: text.into(), link: Some(link) }
    }
}
