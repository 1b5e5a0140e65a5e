//! A value that was refused: what was received, what would have been accepted, and what to do. Its sentence is made here alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// So much of a received value is repeated.
const RECEIVED_LIMIT: usize = 40;

/// One field whose value was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Violation {
    /// Its path, such as `autoHealRules.triggers.statusCodes[0].count`.
    pub field: String,
    /// What was given, shortened; absent where nothing was.
    pub received: Option<String>,
    /// What is taken, to be read after "must be", such as `1 to 64`.
    pub accepted: String,
    /// What else to do about it; empty where giving what is taken is all.
    pub remedy: String,
}

impl Violation {
    /// A value that is not among those that are taken.
    pub fn new(field: impl Into<String>, received: impl fmt::Display, accepted: impl Into<String>) -> Self {
        let received = received.to_string();
        let mut shown: String = received.chars().take(RECEIVED_LIMIT).collect();
        if shown.len() < received.len() {
            shown.push('…');
        }
        Self { field: field.into(), received: Some(shown), accepted: accepted.into(), remedy: String::new() }
    }

    /// A value that is not there.
    pub fn missing(field: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self { field: field.into(), received: None, accepted: accepted.into(), remedy: String::new() }
    }

    /// The same, with what to do about it; a sentence without its period.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// `Must be 1 to 64 (got 0)`, and what to do where there is more to do.
    pub fn message(&self) -> String {
        let got = self.received.as_ref().map(|received| format!(" (got {received})")).unwrap_or_default();
        let remedy = if self.remedy.is_empty() { String::new() } else { format!(". {}", self.remedy) };
        format!("Must be {}{got}{remedy}", self.accepted)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_says_what_was_received_and_what_is_accepted() {
        let violation = Violation::new("app.instances", 0, "1 to 64");
        assert_eq!(violation.to_string(), "app.instances: Must be 1 to 64 (got 0)");
        let missing = Violation::missing("a", "a path").with_remedy("Set one");
        assert_eq!(missing.message(), "Must be a path. Set one");
        let long = Violation::new("a", "x".repeat(1_000), "short");
        assert!(long.message().len() < 100, "{long}");
    }
}
