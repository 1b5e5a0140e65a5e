//! What people changed, in words.

use model::IncidentId;
use model::change::{Change, Changed};
use model::incident_state::{IncidentState, Resolution};
use model::settings::Setting;
use serde::Serialize;

use crate::report::{Cell, Column, Table};
use crate::words;

/// A change as the API tells it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChangeRecord {
    #[serde(flatten)]
    pub change: Change,
    /// What was changed, in words.
    pub summary: String,
}

impl From<Change> for ChangeRecord {
    fn from(change: Change) -> Self {
        Self { summary: summary(&change), change }
    }
}

/// What was changed, as a cell or a sentence begins.
pub fn summary(change: &Change) -> String {
    match &change.what {
        Changed::Settings { settings } => {
            let each: Vec<String> = settings.iter().map(|(setting, on)| turned(*setting, *on)).collect();
            words::capitalized(&each.join(", "))
        }
        Changed::Rules { enabled: true } => "Custom rules saved (enabled)".to_owned(),
        Changed::Rules { enabled: false } => "Custom rules saved (disabled)".to_owned(),
        Changed::Resumed { was_paused: true } => "Proactive rules resumed".to_owned(),
        Changed::Resumed { was_paused: false } => "Restart counter reset".to_owned(),
        Changed::Incident { incident, became } => became_of(incident, became),
        Changed::SignalOnly { incident, joined: true } => {
            format!("Crashes with only a signal known counted with incident {incident}")
        }
        Changed::SignalOnly { incident, joined: false } => {
            format!("Crashes with only a signal known separated from incident {incident}")
        }
    }
}

fn became_of(incident: &IncidentId, state: &IncidentState) -> String {
    match state {
        IncidentState::Open => format!("Incident {incident} reopened"),
        IncidentState::Resolved(Resolution { fixed_in: Some(build), .. }) => {
            format!("Incident {incident} resolved, fixed in {build}")
        }
        IncidentState::Resolved(_) => format!("Incident {incident} resolved"),
        IncidentState::Regressed { .. } => format!("Incident {incident} regressed"),
        IncidentState::Ignored { until, .. } => {
            format!("Incident {incident} ignored until {}", words::minute(*until))
        }
    }
}

fn turned(setting: Setting, on: bool) -> String {
    let name = match setting {
        Setting::CrashMonitoring => "proactive crash monitoring",
        Setting::AutoHeal => "proactive auto-heal",
        Setting::CaptureFirstCrash => "capture from the first crash",
    };
    format!("{name} turned {}", if on { "on" } else { "off" })
}

/// Changes, newest first.
pub fn table(changes: &[Change]) -> Table {
    let columns = vec![
        Column::short("at", "Time (UTC)"),
        Column::long("change", "Change"),
        Column::short("by", "Changed by"),
    ];
    let mut table = Table::new("Changes", columns, "No changes in this time range");
    let row = |change: &Change| {
        vec![Cell::Time(change.at), Cell::Text(summary(change)), Cell::text(change.by.clone())]
    };
    table.rows = changes.iter().map(row).collect();
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn a_change_says_what_is_so_since_then() {
        let said = |what| {
            let at = Timestamp::from_ms(0);
            let (app, node) = ("shop".parse().unwrap(), "node-a".parse().unwrap());
            summary(&Change { app, node, at, by: None, what })
        };
        let settings = [(Setting::AutoHeal, true), (Setting::CrashMonitoring, false)].into();
        assert_eq!(
            said(Changed::Settings { settings }),
            "Proactive crash monitoring turned off, proactive auto-heal turned on"
        );
        assert_eq!(said(Changed::Rules { enabled: false }), "Custom rules saved (disabled)");
        assert_eq!(said(Changed::Resumed { was_paused: true }), "Proactive rules resumed");
        assert_eq!(said(Changed::Resumed { was_paused: false }), "Restart counter reset");
    }
}
