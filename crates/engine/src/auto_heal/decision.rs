//! What auto-heal decides: data, to be carried out by whoever asked.

use model::auto_heal::{Action, Refusal};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use model::Timestamp;
use model::auto_heal::evidence::{Evidence, Rule};

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Do it.
    Heal(Heal),
    /// A rule was broken and nothing is done.
    Refuse(Refusal),
    /// Ask the worker for its health path, and tell by [`super::Input::Probed`] whether it answered within this time.
    Probe {
        /// How long an answer may take.
        within: Duration,
    },
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heal {
    /// When it was decided.
    pub at: Timestamp,
    /// For which rule.
    pub rule: Rule,
    pub action: Action,
    pub evidence: Evidence,
    /// With it the fuse blew.
    pub blew_fuse: bool,
}
