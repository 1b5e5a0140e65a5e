//! A value that was refused: what was received, what would have been accepted, and what else to do. `insight::violation` says it.

use std::fmt;
use std::time::Duration;

use crate::time_span::TimeSpan;

/// So much of a received value is repeated.
const RECEIVED_LIMIT: usize = 40;

/// One field whose value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its path, such as `rules.triggers.status_codes[0].count`.
    pub field: String,
    /// What was given, shortened; absent where nothing was, and where it may be a secret.
    pub received: Option<String>,
    pub accepted: Accepted,
    /// What else to do about it, where giving what is accepted is not all.
    pub remedy: Option<Remedy>,
}

/// What a field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    Between(Bound, Bound),
    InSteps {
        least: u64,
        most: u64,
        step: u64,
    },
    AtLeast(Bound),
    AtLeastTimeTaken(TimeSpan),
    AtMost(usize, Counted),
    WholeNumber,
    TimeSpan,
    Text,
    /// Text without characters that cannot be seen.
    VisibleText,
    Boolean,
    List,
    Object,
    /// An object that has these two.
    ObjectWith(&'static str, &'static str),
    RulesOrNull,
    /// At least one condition.
    Condition,
    Path,
    PathPattern,
    StatusRange,
    ActionType,
    /// As a word or as the portal's number.
    ActionTypeOrNumber,
    ExecutablePath,
    /// Parameters themselves: none are saved that could be kept.
    Parameters,
    /// The only mode of proactive CPU monitoring that is supported.
    KillMode,
    Nothing,
    /// Nothing: the trigger has no such field.
    NoSuchField,
    FormAction,
    FormField,
    /// As the reader of a format lists it.
    Listed(String),
}

/// A limit, written as its field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    Number(u64),
    Span(TimeSpan),
    Duration(Duration),
}

impl From<u64> for Bound {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<TimeSpan> for Bound {
    fn from(span: TimeSpan) -> Self {
        Self::Span(span)
    }
}

impl From<Duration> for Bound {
    fn from(duration: Duration) -> Self {
        Self::Duration(duration)
    }
}

/// What [`Accepted::AtMost`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Rows,
    Bytes,
    Characters,
}

/// What to do about a violation besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    SetConditionOrDisable,
    LeaveConditionEmpty,
    UseSlowRequestsWithPath,
    SetPathOrUseSlowRequests,
    EnterParametersOrNone,
    /// `MemoryDump` and `Profiler` are not supported yet.
    NoDiagnosticTools,
    /// Modes that take a dump are not supported yet.
    NoDumpModes,
}

impl Accepted {
    pub fn between(least: impl Into<Bound>, most: impl Into<Bound>) -> Self {
        Self::Between(least.into(), most.into())
    }
}

impl Violation {
    /// A value that is not among those that are taken.
    pub fn new(field: impl Into<String>, received: impl fmt::Display, accepted: Accepted) -> Self {
        let received = received.to_string();
        let mut shown: String = received.chars().take(RECEIVED_LIMIT).collect();
        if shown.len() < received.len() {
            shown.push('…');
        }
        Self { field: field.into(), received: Some(shown), accepted, remedy: None }
    }

    /// A value that is not there, or that is not to be repeated.
    pub fn missing(field: impl Into<String>, accepted: Accepted) -> Self {
        Self { field: field.into(), received: None, accepted, remedy: None }
    }

    /// The same, with what else to do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: Remedy) -> Self {
        self.remedy = Some(remedy);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_repeated_shortened() {
        let long = Violation::new("a", "x".repeat(1_000), Accepted::Text);
        assert_eq!(long.received.unwrap().chars().count(), RECEIVED_LIMIT + 1);
        assert_eq!(Violation::new("a", "é", Accepted::Text).received.as_deref(), Some("é"));
    }
}
