//! The record of a restart: one replacement of a worker, with its reason and its evidence.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::auto_heal::evidence::{Evidence, Rule};
use crate::crash_monitor::LastEnd;
use crate::{NodeName, Place, Timestamp, WorkerId, text};

/// Why a worker was to be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RestartReason {
    /// Somebody asked for it, on the page or by the API.
    ByHand {
        /// Who, such as `alice (uid 1000)`; unknown in what older releases recorded.
        #[serde(default, deserialize_with = "by", skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A rule acted.
    Rule {
        /// Which.
        rule: Rule,
        /// With it the app's fuse blew.
        blew_fuse: bool,
    },
    /// The app's command or environment changed.
    ConfigurationChanged,
}

fn by<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let by = Option::<String>::deserialize(deserializer)?;
    Ok(by.map(|by| text::seen(&by).into_owned()))
}

/// Why a restart failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum RestartFailure {
    /// The new worker ended, or was not ready in time; the old one stayed.
    NewWorker { end: LastEnd },
    /// The old worker ended before the new one was ready, which has the place now.
    OldWorker,
    /// Medic was stopped meanwhile.
    MedicStopped,
    /// The instance was taken out of the configuration meanwhile.
    InstanceRemoved,
    /// In a sentence, as older releases recorded it.
    #[serde(untagged)]
    Recorded(#[serde(deserialize_with = "text::text")] String),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum RestartOutcome {
    /// A new worker took over.
    Done,
    /// It did not.
    Failed { why: RestartFailure },
}

/// One replacement of a worker, or the attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The worker that was to go.
    pub old: WorkerId,
    /// The worker that came; after a failed attempt the one that did not come up, where one was started.
    pub new: Option<WorkerId>,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// When it was decided.
    pub at: Timestamp,
    /// Why.
    pub reason: RestartReason,
    /// What the rule saw, where a rule acted.
    pub evidence: Option<Evidence>,
    /// From the decision to the old worker's end, or to the attempt's.
    pub duration_ms: u64,
    /// Requests that the old worker finished after the new one had taken over.
    pub drained: u64,
    /// Requests that were answered by an error for it, as the front door counted.
    pub failed: u64,
    /// Streams that it ended.
    pub streams_ended: u64,
    /// Tunnels, such as WebSockets, that it ended.
    pub tunnels_ended: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RestartOutcome,
}

impl Restart {
    /// Whether it ended anything that was meant to last.
    pub const fn ended_streams(&self) -> bool {
        self.streams_ended > 0 || self.tunnels_ended > 0
    }

    /// Its name, `node/app/instance/start in ms/decision in ms`: a worker may be tried to be replaced more than once.
    pub fn id(&self) -> String {
        format!("{}/{}", self.old, self.at.as_ms())
    }

    /// Its name among those of its app.
    pub fn key(&self) -> RestartKey {
        RestartKey { at: self.at, instance: self.place.instance, node: self.place.node.clone() }
    }
}

/// A restart's name among those of its app, which can stand in an address: `1769847400000-1-node-a`. No place has two decisions in
/// one millisecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartKey {
    /// When it was decided.
    pub at: Timestamp,
    pub instance: u16,
    pub node: NodeName,
}

impl fmt::Display for RestartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.at.as_ms(), self.instance, self.node)
    }
}

/// Not a restart's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid restart ID: must be decision in ms-instance-node")]
pub struct RestartKeyError;

impl FromStr for RestartKey {
    type Err = RestartKeyError;

    fn from_str(text: &str) -> Result<Self, RestartKeyError> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(RestartKeyError);
        Ok(Self {
            at: Timestamp::from_ms(part()?.parse().map_err(|_| RestartKeyError)?),
            instance: part()?.parse().map_err(|_| RestartKeyError)?,
            node: part()?.parse().map_err(|_| RestartKeyError)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_restart_names_who_asked_and_older_records_are_read() {
        let old: RestartReason = serde_json::from_str(r#"{"kind":"by_hand"}"#).unwrap();
        assert_eq!(old, RestartReason::ByHand { by: None });
        let by = RestartReason::ByHand { by: Some("alice (uid 1000)".to_owned()) };
        let json = serde_json::to_string(&by).unwrap();
        assert_eq!(serde_json::from_str::<RestartReason>(&json).unwrap(), by);
    }

    #[test]
    fn a_restart_reads_back() {
        let old: WorkerId = "node-a/shop/1/1769847300000".parse().unwrap();
        let restart = Restart {
            place: old.place.clone(),
            old,
            new: None,
            at: Timestamp::from_ms(1_769_847_400_000),
            reason: RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse: true },
            evidence: None,
            duration_ms: 1_200,
            drained: 3,
            failed: 0,
            streams_ended: 6,
            tunnels_ended: 2,
            outcome: RestartOutcome::Failed {
                why: RestartFailure::NewWorker {
                    end: LastEnd::NotReady { limit_ms: 5_000, readiness: None, fault: None },
                },
            },
        };
        assert_eq!(restart.id(), "node-a/shop/1/1769847300000/1769847400000");
        assert_eq!(restart.key().to_string(), "1769847400000-1-node-a");
        assert_eq!("1769847400000-1-node-a".parse(), Ok(restart.key()));
        for wrong in ["", "1769847400000-1", "x-1-node-a", "1-x-node-a", "1-1-", "1-1-a/b"] {
            assert_eq!(wrong.parse::<RestartKey>(), Err(RestartKeyError), "{wrong}");
        }
        let json = serde_json::to_string(&restart).unwrap();
        let why =
            r#""outcome":"failed","why":{"failure":"new_worker","end":{"kind":"not_ready","limit_ms":5000}}"#;
        assert!(json.contains(why), "{json}");
        assert_eq!(serde_json::from_str::<Restart>(&json).unwrap(), restart);
        let older = r#"{"outcome":"failed","why":"The new worker\u202e did not listen."}"#;
        let told = RestartFailure::Recorded("The new worker\u{fffd} did not listen.".to_owned());
        assert_eq!(
            serde_json::from_str::<RestartOutcome>(older).unwrap(),
            RestartOutcome::Failed { why: told }
        );
    }
}
