//! What auto-heal did short of a restart: a line in the log, an action of the user's own, or a rule that was broken and did
//! nothing, with the reason. A restart has a record of its own ([`super::restart::Restart`]).

use serde::{Deserialize, Serialize};

use crate::auto_heal::evidence::{Evidence, RefusalReason};
use crate::{Timestamp, WorkerId, text};

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealEvent {
    /// The worker that it is about.
    pub worker: WorkerId,
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
pub enum EventKind {
    /// `LogEvent`: it was written down, here and in Medic's log.
    Logged,
    /// `CustomAction`: this was run. Its parameters are not kept: they may hold secrets.
    Ran {
        /// The program.
        #[serde(deserialize_with = "text::text")]
        exe: String,
        result: ActionResult,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        refused: RefusalReason,
    },
}

/// What came of a custom action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ActionResult {
    Ended {
        #[serde(flatten)]
        end: ActionEnd,
        /// Why its output was not kept, where it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_lost: Option<String>,
    },
    /// As older releases recorded it, in a sentence.
    Recorded(#[serde(deserialize_with = "text::text")] String),
}

impl From<ActionEnd> for ActionResult {
    fn from(end: ActionEnd) -> Self {
        Self::Ended { end, output_lost: None }
    }
}

/// How a custom action ended. An error is the system's word for its kind, such as `permission denied`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "end", rename_all = "snake_case")]
pub enum ActionEnd {
    NotStarted {
        why: NotStarted,
    },
    StartFailed {
        error: String,
    },
    Exited {
        code: i32,
    },
    Signal {
        signal: String,
    },
    /// It was killed at its time limit.
    TimedOut {
        limit_ms: u64,
    },
    /// It was killed because Medic was shutting down.
    MedicStopped,
    /// It could not be waited for.
    Lost {
        error: String,
    },
}

/// Why a custom action was not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotStarted {
    /// Medic was shutting down.
    MedicStopped,
    /// The last action of the instance was still running.
    LastIsRunning,
    /// A quote or a `\\` of its parameters is followed by nothing.
    UnbalancedParameters,
    /// The app is not configured any more.
    AppRemoved,
}

impl HealEvent {
    /// Its name, `node/app/instance/start in ms/decision in ms/rule`.
    pub fn id(&self) -> String {
        let (name, index) = self.evidence.rule.stored();
        let number = index.map(|index| format!("-{}", index + 1)).unwrap_or_default();
        format!("{}/{}/{name}{number}", self.worker, self.at.as_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auto_heal::Measured;
    use crate::auto_heal::evidence::{Rule, Unit};

    #[test]
    fn an_actions_result_reads_back_and_so_does_a_sentence_of_an_older_release() {
        let lost = ActionEnd::Lost { error: "no such process".to_owned() };
        let results = [
            ActionEnd::NotStarted { why: NotStarted::LastIsRunning }.into(),
            ActionEnd::Exited { code: 3 }.into(),
            ActionEnd::MedicStopped.into(),
            ActionResult::Ended { end: lost, output_lost: Some("storage full".to_owned()) },
            ActionResult::Recorded("It ended with status 0.".to_owned()),
        ];
        for result in results {
            let ran = EventKind::Ran { exe: "/bin/x".to_owned(), result };
            let json = serde_json::to_string(&ran).unwrap();
            assert_eq!(serde_json::from_str::<EventKind>(&json).unwrap(), ran, "{json}");
        }
        let older = r#"{"event":"ran","exe":"/bin/x","result":"It ended\u202e."}"#;
        let result = ActionResult::Recorded("It ended\u{fffd}.".to_owned());
        let ran = EventKind::Ran { exe: "/bin/x".to_owned(), result };
        assert_eq!(serde_json::from_str::<EventKind>(older).unwrap(), ran);
    }

    #[test]
    fn an_event_has_its_name_and_reads_back() {
        let evidence = Evidence {
            rule: Rule::SlowRequests,
            seen: Measured::PrivateBytes { threshold_bytes: 5, bytes: None }.into(),
            threshold: 5,
            unit: Unit::Requests,
            window_ms: 120_000,
            samples: vec![],
            not_fired: vec![],
        };
        let refused = RefusalReason::MinimumProcessTime { remaining_ms: 90_000 };
        let event = HealEvent {
            worker: "node-a/shop/1/1769847300000".parse().unwrap(),
            at: Timestamp::from_ms(1_769_847_400_000),
            evidence,
            what: EventKind::Refused { refused },
        };
        assert_eq!(event.id(), "node-a/shop/1/1769847300000/1769847400000/slow_requests");
        let second = Evidence { rule: Rule::StatusCode { index: 1 }, ..event.evidence.clone() };
        assert!(HealEvent { evidence: second, ..event.clone() }.id().ends_with("/status_code-2"));
        let json = serde_json::to_string(&event).unwrap();
        assert!(json.contains(r#""event":"refused""#), "{json}");
        assert_eq!(serde_json::from_str::<HealEvent>(&json).unwrap(), event);
    }
}
