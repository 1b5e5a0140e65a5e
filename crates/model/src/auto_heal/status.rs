//! How auto-heal of an instance stands, and what is remembered of it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::cpu::CpuState;
use crate::auto_heal::evidence::{Reading, Rule};
use crate::auto_heal::limit::MemoryLimit;

/// What survives a restart of Medic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoHealState {
    /// Proactive CPU monitoring's count.
    pub cpu: Option<CpuState>,
    /// What was last done.
    pub last: Option<LastHeal>,
}

/// What was last done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LastHeal {
    /// For which rule.
    pub rule: Rule,
    /// When.
    pub at: Timestamp,
}

/// How it stands, for the pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealStatus {
    /// A restart is under way.
    pub restarting: bool,
    /// The limit of private bytes.
    pub limit: MemoryLimit,
    /// What each rule sees, and when it acts.
    pub readings: Vec<Reading>,
    /// What was last done.
    pub last: Option<LastHeal>,
}
