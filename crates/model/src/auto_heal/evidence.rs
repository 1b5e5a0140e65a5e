//! Why a rule acted: what it measured over its window, beside what it compares with, and how far every other rule was from
//! acting. People who were shown a restart without these could not tell what it was for.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::arithmetic::percent;
use crate::auto_heal::measured::Measured;

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

impl Rule {
    /// Its name and its number in the rule's list from 0, as they are stored.
    pub(crate) const fn stored(self) -> (&'static str, Option<u16>) {
        match self {
            Self::PercentMemory => ("percent_memory", None),
            Self::PercentRequest => ("percent_request", None),
            Self::NotResponding => ("not_responding", None),
            Self::ProactiveCpu => ("proactive_cpu", None),
            Self::Requests => ("requests", None),
            Self::PrivateBytes => ("private_bytes", None),
            Self::SlowRequests => ("slow_requests", None),
            Self::SlowRequestsWithPath { index } => ("slow_requests_with_path", Some(index)),
            Self::StatusCode { index } => ("status_code", Some(index)),
            Self::StatusCodeRange { index } => ("status_code_range", Some(index)),
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

/// Whether a rule looks, and why it does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum RuleState {
    /// It does.
    Watching,
    /// It does, and has nothing to look at before the worker is warm.
    WarmingUp,
    /// A custom rule on the same matter has priority.
    Overridden {
        /// Which.
        by: Rule,
    },
    /// The app opted out of the proactive rules.
    OptedOut,
    /// This rule alone is off in medic.toml.
    SwitchedOff,
    /// Too many proactive restarts: the proactive rules are off.
    Paused {
        /// Until then.
        until: Timestamp,
    },
    /// It has acted as often as it may.
    ActionsUsed,
    /// The time for which it was set is over.
    Expired,
    /// As older releases recorded it, in a sentence.
    #[serde(untagged)]
    Recorded(RuleStateText),
}

/// Why a rule did not look, as a recorded sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum RuleStateText {
    Waiting { why: String },
    Silent { why: String },
    Off { why: String },
}

/// What a rule saw and when it acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Seen<Text> {
    /// As data.
    Measured { measured: Measured },
    /// As older releases recorded it, in sentences.
    Recorded(Text),
}

impl<Text> From<Measured> for Seen<Text> {
    fn from(measured: Measured) -> Self {
        Self::Measured { measured }
    }
}

/// A rule's present value beside its threshold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Whose.
    pub rule: Rule,
    #[serde(flatten)]
    pub state: RuleState,
    #[serde(flatten)]
    pub seen: Seen<ReadingText>,
    /// It fired in the same second as the rule that acted.
    #[serde(default)]
    pub fired_too: bool,
    /// What it sees now; absent when it sees nothing.
    pub value: Option<u64>,
    /// What it compares with; absent when it is not known.
    pub threshold: Option<u64>,
    /// What both count.
    pub unit: Unit,
}

/// What a rule saw and when it acts, as one recorded sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingText {
    pub text: String,
}

impl Reading {
    /// Of a rule that looks.
    pub fn new(rule: Rule, measured: Measured, value: Option<u64>, threshold: u64, unit: Unit) -> Self {
        let seen = measured.into();
        Self {
            rule,
            state: RuleState::Watching,
            seen,
            fired_too: false,
            value,
            threshold: Some(threshold),
            unit,
        }
    }

    /// How far it is on its way to the threshold: 100 and above is there.
    pub fn towards_percent(&self) -> Option<u64> {
        Some(percent(self.value?, self.threshold?))
    }

    /// The same reading of a rule that does not look.
    #[must_use]
    pub fn in_state(self, state: RuleState) -> Self {
        Self { state, value: None, ..self }
    }
}

/// Why a rule acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which rule.
    pub rule: Rule,
    #[serde(flatten)]
    pub seen: Seen<EvidenceText>,
    /// What the samples are compared with.
    pub threshold: u64,
    /// What threshold and samples count.
    pub unit: Unit,
    /// How long the rule looks back.
    pub window_ms: u64,
    /// What it saw over that time, oldest first; at most [`POINTS_LIMIT`], the highest of each stretch. None where evidence was read
    /// in brief, as lists have it.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// The rules that did not act, and how far each was from it; none in brief.
    #[serde(default)]
    pub not_fired: Vec<Reading>,
}

/// Why a rule acted, as two recorded sentences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceText {
    /// When it acts: begins with `when`.
    pub condition: String,
    /// What it saw.
    pub observed: String,
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
mod tests;
