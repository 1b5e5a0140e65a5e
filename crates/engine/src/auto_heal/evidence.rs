//! Why a rule acted: what it measured over its window, beside what it compares with, and how far every other rule was from
//! acting. People who were shown a restart without these could not tell what it was for.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::words::percent;
use crate::{Monotonic, Now, Timestamp};

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
    /// Why.
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

/// What a rule saw over its window: never more than [`POINTS_LIMIT`] points, the highest of each stretch of time. Their times
/// are told by the wall clock as it was at the last of them, so that a clock that was set leaves no gap and no loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Samples {
    span: Duration,
    points: VecDeque<(Monotonic, u64)>,
    latest: Now,
}

impl Samples {
    pub(crate) fn new(span: Duration) -> Self {
        Self { span, points: VecDeque::new(), latest: Now::default() }
    }

    pub(crate) fn push(&mut self, now: Now, value: u64) {
        self.latest = now;
        let now = now.monotonic;
        let stretch = self.span / u32::try_from(POINTS_LIMIT).unwrap_or(u32::MAX);
        match self.points.back_mut() {
            Some((at, last)) if now < *at + stretch => *last = value.max(*last),
            _ => self.points.push_back((now, value)),
        }
        while self
            .points
            .front()
            .is_some_and(|(first, _)| now >= *first + self.span || self.points.len() > POINTS_LIMIT)
        {
            self.points.pop_front();
        }
    }

    pub(super) fn clear(&mut self) {
        self.points.clear();
    }

    pub(crate) fn to_vec(&self) -> Vec<Sample> {
        let sample = |(at, value): &(Monotonic, u64)| Sample { at: self.latest.wall_at(*at), value: *value };
        self.points.iter().map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn samples_are_bounded_and_keep_the_peak(span_s in 1_u64..90_000, steps in prop::collection::vec((0_u64..4_000, any::<u64>()), 1..600)) {
            let span = Duration::from_secs(span_s);
            let mut samples = Samples::new(span);
            let mut now = Now { wall: Timestamp::from_ms(1_769_847_300_000), ..Now::default() };
            for (pass, value) in steps {
                now = now + Duration::from_millis(pass);
                samples.push(now, value);
                let kept = samples.to_vec();
                prop_assert!(kept.len() <= POINTS_LIMIT);
                prop_assert!(kept.iter().all(|sample| now.wall < sample.at + span));
                prop_assert!(kept.last().unwrap().value >= value, "the last value is in the last point");
            }
        }
    }

    #[test]
    fn a_rule_says_its_name() {
        assert_eq!(Rule::StatusCode { index: 0 }.to_string(), "Status code 1");
        let json = serde_json::to_string(&Rule::SlowRequestsWithPath { index: 2 }).unwrap();
        assert_eq!(json, r#"{"name":"slow_requests_with_path","index":2}"#);
    }
}
