//! Why a rule acted: what it measured over its window, beside what it compares with, and how far every other rule was from
//! acting. People who were shown a restart without these could not tell what it was for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::words::percent;

/// The most points of a piece of evidence: enough for a chart, few enough for a row.
pub const POINTS_LIMIT: usize = 120;

/// One condition under which an instance is healed. `index` is the place in the rule's list, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Rule {
    /// Proactive: private bytes near the limit.
    PercentMemory,
    /// Proactive: most requests take minutes.
    PercentRequest,
    /// Proactive, and Medic's own: nobody gets an answer.
    NotResponding,
    /// Proactive CPU monitoring.
    ProactiveCpu,
    /// The user's: so many requests.
    Requests,
    /// The user's: so much memory.
    PrivateBytes,
    /// The user's: so many slow requests.
    SlowRequests,
    /// The user's: so many slow requests of some paths.
    SlowRequestsWithPath {
        /// Which.
        index: u16,
    },
    /// The user's: so many answers of one status.
    StatusCode {
        /// Which.
        index: u16,
    },
    /// The user's: so many answers of a range of statuses.
    StatusCodeRange {
        /// Which.
        index: u16,
    },
}

impl Rule {
    /// One of the rules that every app has and that the fuse guards.
    pub const fn is_proactive(self) -> bool {
        matches!(self, Self::PercentMemory | Self::PercentRequest | Self::NotResponding)
    }
}

/// As the pages say it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, index) = match self {
            Self::PercentMemory => ("Percent memory", None),
            Self::PercentRequest => ("Percent request", None),
            Self::NotResponding => ("Not responding", None),
            Self::ProactiveCpu => ("Proactive CPU", None),
            Self::Requests => ("Request count", None),
            Self::PrivateBytes => ("Private bytes", None),
            Self::SlowRequests => ("Slow requests", None),
            Self::SlowRequestsWithPath { index } => ("Slow requests with path", Some(index)),
            Self::StatusCode { index } => ("Status code", Some(index)),
            Self::StatusCodeRange { index } => ("Status code range", Some(index)),
        };
        match index {
            Some(index) => write!(f, "{name} {}", index + 1),
            None => f.write_str(name),
        }
    }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Unit {
    /// Bytes of memory.
    Bytes,
    /// Hundredths.
    Percent,
    /// Requests within the rule's window.
    Requests,
    /// Seconds.
    Seconds,
}

/// One measured value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Sample {
    /// When.
    pub at: Timestamp,
    /// How much, in the unit that stands beside.
    pub value: u64,
}

/// Does a rule look at all?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Standing {
    /// It does.
    Watching,
    /// It does, and has nothing to look at yet.
    Waiting {
        /// For what; one sentence.
        why: String,
    },
    /// Another rule on the same matter has priority.
    Silent {
        /// Which; one sentence.
        why: String,
    },
    /// It is switched off.
    Off {
        /// By what; one sentence.
        why: String,
    },
}

/// A rule's present value beside its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Reading {
    /// Whose.
    pub rule: Rule,
    /// Does it look?
    #[serde(flatten)]
    pub standing: Standing,
    /// What it sees and when it acts, in words and numbers.
    pub text: String,
    /// What it sees now; absent when it sees nothing.
    pub value: Option<u64>,
    /// What it compares with; absent when it is not known.
    pub threshold: Option<u64>,
    /// What both count.
    pub unit: Unit,
}

impl Reading {
    /// How far it is on its way to the threshold: 100 and above is there.
    pub fn towards_percent(&self) -> Option<u64> {
        Some(percent(self.value?, self.threshold?))
    }

    /// The same reading of a rule that does not look.
    #[must_use]
    pub fn standing(self, standing: Standing) -> Self {
        Self { standing, value: None, ..self }
    }
}

/// Why a rule acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// Which rule.
    pub rule: Rule,
    /// When it acts, in words and numbers: begins with `when`.
    pub condition: String,
    /// What it saw, in words and numbers.
    pub observed: String,
    /// What the samples are compared with.
    pub threshold: u64,
    /// What threshold and samples count.
    pub unit: Unit,
    /// How long the rule looks back.
    pub window_ms: u64,
    /// What it saw over that time, oldest first; at most [`POINTS_LIMIT`], the highest of each stretch.
    pub samples: Vec<Sample>,
    /// The rules that did not act, and how far each was from it.
    #[serde(default)]
    pub not_fired: Vec<Reading>,
}

impl Evidence {
    /// All of it in one sentence.
    pub fn summary(&self) -> String {
        format!("{}: {}; it acts {}.", self.rule, self.observed, self.condition)
    }
}

/// A rule acted, or would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    pub evidence: Evidence,
    /// Why nothing comes of it.
    pub refused: Option<RefusalReason>,
}

/// Why a rule that was broken did nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RefusalReason {
    /// The worker has not run for `minProcessExecutionTime`.
    MinimumProcessTime {
        /// How much is left of it.
        remaining_ms: u64,
    },
    /// Too many proactive restarts: the proactive rules are off.
    FuseBlown {
        /// Until then.
        until: Timestamp,
    },
    /// The last restart of the instance is not over: its old worker still finishes its requests.
    RestartUnderWay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_its_name() {
        assert_eq!(Rule::StatusCode { index: 0 }.to_string(), "Status code 1");
        let json = serde_json::to_string(&Rule::SlowRequestsWithPath { index: 2 }).unwrap();
        assert_eq!(json, r#"{"name":"slow_requests_with_path","index":2}"#);
    }
}
