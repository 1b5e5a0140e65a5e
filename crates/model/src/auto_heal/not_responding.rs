//! The rule Not responding as data: its numbers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auto_heal::config::Violation;
use crate::time::humanise;
use crate::violation::Accepted;

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
        let (hour, minute) = (Duration::from_hours(1), Duration::from_mins(1));
        let checks = [("after", self.after, hour), ("probe", self.answer_within, minute)];
        let wrong = checks.into_iter().filter(|(_, value, most)| !(second..=*most).contains(value));
        wrong
            .map(|(field, value, most)| {
                let accepted = Accepted::between(second, most);
                Violation::new(format!("not_responding.{field}"), humanise(value), accepted)
            })
            .collect()
    }
}
