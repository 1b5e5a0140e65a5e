//! The rule Not responding as data: its numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auto_heal::config::Violation;
use crate::time::humanise;

/// So many requests must have waited or been given up on.
pub const LEAST: u64 = 3;

/// So many questions must have got no answer.
pub const PROBES: u32 = 2;

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRespondingNumbers {
    /// The app did not opt out of this rule alone. Default true.
    pub enabled: bool,
    /// No byte for this long. Default 60 s.
    pub after: Duration,
    /// A question must be answered within this long. Default 10 s.
    pub answer_within: Duration,
}

impl Default for NotRespondingNumbers {
    fn default() -> Self {
        Self { enabled: true, after: Duration::from_mins(1), answer_within: Duration::from_secs(10) }
    }
}

impl NotRespondingNumbers {
    /// Everything that is wrong with them.
    pub fn check(&self) -> Vec<Violation> {
        let second = Duration::from_secs(1);
        let checks = [
            ("after", (second..=Duration::from_hours(1)).contains(&self.after), "1 second to 1 hour"),
            (
                "probe",
                (second..=Duration::from_mins(1)).contains(&self.answer_within),
                "1 second to 1 minute",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        wrong
            .map(|(field, _, limit)| Violation {
                field: format!("not_responding.{field}"),
                message: format!("it does not fit: {limit}"),
            })
            .collect()
    }

    /// When it acts, to be read after "it acts".
    pub fn condition(&self) -> String {
        format!(
            "when no byte comes back for {} while at least {LEAST} requests wait or are given up on, and {PROBES} probes get no answer within {}",
            humanise(self.after),
            humanise(self.answer_within)
        )
    }
}
