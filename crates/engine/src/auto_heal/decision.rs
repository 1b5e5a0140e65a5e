//! What auto-heal decides: data, to be carried out by whoever asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::CustomAction;
use super::cpu::CpuMode;
use super::evidence::{Evidence, RefusalReason, Rule};
use crate::Timestamp;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Action {
    /// An overlapped restart of this instance.
    Recycle,
    /// Nothing but the record.
    LogEvent,
    /// Run this as the app's user.
    CustomAction(CustomAction),
    /// What proactive CPU monitoring is set to do.
    Cpu(CpuMode),
}

impl Action {
    /// Is there another worker afterwards?
    pub const fn restarts(&self) -> bool {
        match self {
            Self::Recycle => true,
            Self::Cpu(mode) => !matches!(mode, CpuMode::Collect),
            Self::LogEvent | Self::CustomAction(_) => false,
        }
    }
}

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
    /// What.
    pub action: Action,
    /// Why.
    pub evidence: Evidence,
    /// With it the fuse blew.
    pub blew_fuse: bool,
}

/// Something that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Which rule was broken.
    pub rule: Rule,
    /// Why nothing is done.
    pub refused: RefusalReason,
    /// What the rule saw.
    pub evidence: Evidence,
}
