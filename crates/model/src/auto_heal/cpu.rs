//! Proactive CPU monitoring as data: the rule, and what is remembered of it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::config::Violation;
use crate::violation::{Accepted, Remedy};

/// What is done to a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum CpuMode {
    /// It is ended, and a new one started.
    Kill,
    /// A dump is taken.
    Collect,
    /// A dump is taken, and it is ended.
    #[default]
    CollectAndKill,
    /// A dump is taken, it is ended, and the dump is analysed.
    CollectKillAndAnalyze,
}

/// The rule as it is set; ranges and defaults are App Service's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CpuRule {
    /// 50–95 % in steps of 5. Default 75.
    pub threshold_percent: u64,
    /// For 30–180 s in steps of 30. Default 30.
    pub seconds: u64,
    /// Checked every 15–60 s in steps of 15. Default 15.
    pub frequency_s: u64,
    /// At most 1–5 actions on an instance. Default 2.
    pub actions: u64,
    /// For 1–2,160 h from when it was set. Default 336.
    pub hours: u64,
    /// What is done.
    pub mode: CpuMode,
}

impl Default for CpuRule {
    fn default() -> Self {
        let mode = CpuMode::default();
        Self { threshold_percent: 75, seconds: 30, frequency_s: 15, actions: 2, hours: 336, mode }
    }
}

impl CpuRule {
    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Violation> {
        let ranges = [
            ("threshold_percent", self.threshold_percent, 50, 95, 5),
            ("seconds", self.seconds, 30, 180, 30),
            ("frequency_s", self.frequency_s, 15, 60, 15),
            ("actions", self.actions, 1, 5, 1),
            ("hours", self.hours, 1, 2_160, 1),
        ];
        let outside = ranges.into_iter().filter(|(_, value, least, most, step)| {
            !(least..=most).contains(&value) || !value.is_multiple_of(*step)
        });
        let mut found: Vec<_> = outside
            .map(|(field, value, least, most, step)| {
                Violation::new(format!("cpu.{field}"), value, Accepted::InSteps { least, most, step })
            })
            .collect();
        if self.mode != CpuMode::Kill {
            let mode = Violation::new("cpu.mode", format!("{:?}", self.mode), Accepted::KillMode);
            found.push(mode.with_remedy(Remedy::NoDumpModes));
        }
        found
    }
}

/// What survives a restart of Medic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuState {
    /// The rule that this is of: another rule begins anew.
    pub rule: CpuRule,
    /// Since when it watches.
    pub since: Timestamp,
    /// How often it acted.
    pub acted: u64,
}
