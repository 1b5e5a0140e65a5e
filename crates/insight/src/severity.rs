//! How bad a fact is: decided here, once, so that every page and the API say the same of it.
//!
//! Critical: requests fail now. Warning: it happened in the last 24 hours, or will soon. Info: notable. Healthy: checked and fine.

use std::time::Duration;

use model::Timestamp;
use model::auto_heal::restart::{Restart, RestartOutcome};
use model::status::{Health, InstanceState, InstanceStatus, Monitoring};
use serde::{Deserialize, Serialize};

/// Worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Severity {
    /// Requests fail now.
    Critical,
    /// It happened in the last 24 hours, or will soon.
    Warning,
    /// Notable.
    Info,
    /// Checked and fine.
    Healthy,
}

/// What fails requests and happened this recently is still going on.
pub const GOING_ON: Duration = Duration::from_mins(15);
/// What happened longer ago is history.
pub const RECENT: Duration = Duration::from_hours(24);

impl Severity {
    /// The word on the page.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Critical => "Critical",
            Self::Warning => "Warning",
            Self::Info => "Info",
            Self::Healthy => "Healthy",
        }
    }

    /// Of what failed requests and happened last at `last`: a crash, an out-of-memory kill, a restart that cut requests off.
    pub fn of_failure(last: Timestamp, now: Timestamp) -> Self {
        if now.since(last) <= GOING_ON { Self::Critical } else { Self::of_past(last, now) }
    }

    /// Of what failed no request and happened last at `last`.
    pub fn of_past(last: Timestamp, now: Timestamp) -> Self {
        if now.since(last) <= RECENT { Self::Warning } else { Self::Info }
    }

    /// Of an app's health.
    pub const fn of_health(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Healthy,
            Health::Degraded => Self::Warning,
            Health::Down => Self::Critical,
            Health::Stopped => Self::Info,
        }
    }

    /// Of an instance's state.
    pub const fn of_instance(instance: &InstanceStatus) -> Self {
        match instance.state {
            InstanceState::Running => Self::Healthy,
            InstanceState::Starting if instance.ends_in_a_row == 0 => Self::Info,
            InstanceState::Starting | InstanceState::Waiting => Self::Critical,
            InstanceState::Stopping | InstanceState::Stopped => Self::Info,
        }
    }

    /// Of one restart: a failed one left the old worker where it was.
    pub const fn of_restart(restart: &Restart) -> Self {
        match restart.outcome {
            RestartOutcome::Done if restart.failed == 0 => Self::Healthy,
            RestartOutcome::Done | RestartOutcome::Failed { .. } => Self::Warning,
        }
    }

    /// Of what the crash monitoring of an instance does.
    pub const fn of_monitoring(monitoring: &Monitoring) -> Self {
        match monitoring {
            Monitoring::Counting { crashes: 0, .. } => Self::Healthy,
            Monitoring::Armed | Monitoring::Arming { refused: Some(_) } => Self::Warning,
            Monitoring::Counting { .. }
            | Monitoring::Arming { refused: None }
            | Monitoring::Analysing
            | Monitoring::Paused { .. }
            | Monitoring::OptedOut => Self::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_critical_for_15_minutes_and_a_warning_for_a_day() {
        let now = Timestamp::from_ms(1_769_847_300_000);
        let millisecond = Duration::from_millis(1);
        for (ago, failure, past) in [
            (Duration::ZERO, Severity::Critical, Severity::Warning),
            (GOING_ON, Severity::Critical, Severity::Warning),
            (GOING_ON + millisecond, Severity::Warning, Severity::Warning),
            (RECENT, Severity::Warning, Severity::Warning),
            (RECENT + millisecond, Severity::Info, Severity::Info),
        ] {
            assert_eq!(Severity::of_failure(now - ago, now), failure, "{ago:?}");
            assert_eq!(Severity::of_past(now - ago, now), past, "{ago:?}");
        }
    }
}
