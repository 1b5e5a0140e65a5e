//! What auto-heal does to a worker, and what it did not do.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::config::CustomAction;
use crate::auto_heal::cpu::CpuMode;
use crate::auto_heal::evidence::{Evidence, RefusalReason, Rule};

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", rename_all = "snake_case")]
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

/// Something that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
