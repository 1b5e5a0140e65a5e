//! What auto-heal did short of a restart: a line in the log, an action of the user's own, or a rule that was broken and did
//! nothing, with the reason. A restart has a record of its own ([`super::restart::Restart`]).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::auto_heal::evidence::{Evidence, RefusalReason};
use crate::time::humanise;
use crate::{Timestamp, WorkerId, text};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HealEvent {
    /// The worker that it is about.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub worker: WorkerId,
    /// The machine.
    pub node: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What the rule saw; also says which rule.
    pub evidence: Evidence,
    /// What came of it.
    #[serde(flatten)]
    pub what: EventKind,
}

/// What came of a rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// `LogEvent`: it was written down, here and in Medic's log.
    Logged,
    /// `CustomAction`: this was run. Its parameters are not kept: they may hold secrets.
    Ran {
        /// The program.
        #[serde(deserialize_with = "text::text")]
        exe: String,
        /// How it ended; one sentence.
        #[serde(deserialize_with = "text::text")]
        result: String,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        refused: RefusalReason,
    },
}

impl HealEvent {
    /// Its name, `app/instance/start in ms/decision in ms/rule`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.worker, self.at.as_ms(), self.evidence.rule).replace(' ', "-")
    }

    /// What happened, in one sentence; the evidence says why.
    pub fn summary(&self) -> String {
        let rule = self.evidence.rule;
        match &self.what {
            EventKind::Logged => format!("{rule} was broken and logged."),
            EventKind::Ran { exe, result } => format!("{rule} ran {exe}: {result}"),
            EventKind::Refused { refused } => format!("{rule} was broken and did nothing: {refused}."),
        }
    }
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MinimumProcessTime { remaining_ms } => {
                let remaining = humanise(std::time::Duration::from_millis(*remaining_ms));
                write!(f, "the worker had {remaining} left of its minimum time")
            }
            Self::FuseBlown { until } => write!(f, "the fuse is blown until {until}"),
            Self::RestartUnderWay => f.write_str("a restart of this instance is in progress"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto_heal::evidence::{Rule, Unit};

    #[test]
    fn an_event_says_what_happened_and_reads_back() {
        let evidence = Evidence {
            rule: Rule::SlowRequests,
            condition: "when 5 requests take 30 s".to_owned(),
            observed: "6 did".to_owned(),
            threshold: 5,
            unit: Unit::Requests,
            window_ms: 120_000,
            samples: vec![],
            not_fired: vec![],
        };
        let refused = RefusalReason::MinimumProcessTime { remaining_ms: 90_000 };
        let event = HealEvent {
            worker: "shop/1/1769847300000".parse().unwrap(),
            node: "node-a".to_owned(),
            at: Timestamp::from_ms(1_769_847_400_000),
            evidence,
            what: EventKind::Refused { refused },
        };
        assert_eq!(event.id(), "shop/1/1769847300000/1769847400000/Slow-requests");
        assert!(
            event.summary().ends_with("the worker had 1 min 30 s left of its minimum time."),
            "{}",
            event.summary()
        );
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""event":"refused""#), "{json}");
        assert_eq!(serde_json::from_str::<HealEvent>(&json).unwrap(), event);
    }
}
