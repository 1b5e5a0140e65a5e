//! The record of what a person changed for an app, with who it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::incident_state::IncidentState;
use crate::settings::Setting;
use crate::{AppName, IncidentId, NodeName, Timestamp};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Change {
    /// For which app.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub app: AppName,
    /// The machine that was asked.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub node: NodeName,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked, such as `alice (uid 1000)`.
    pub by: Option<String>,
    #[serde(flatten)]
    pub what: Changed,
}

/// What was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Changed {
    /// Settings: those that changed, and whether each is on since then.
    Settings {
        #[cfg_attr(feature = "schema", schema(value_type = BTreeMap<String, bool>))]
        settings: BTreeMap<Setting, bool>,
    },
    /// The custom rules of auto-heal. What they say is not kept: a custom action's parameters may hold secrets.
    Rules {
        /// They are on since then.
        enabled: bool,
    },
    /// The proactive rules were to go on.
    Resumed {
        /// They were paused after too many restarts; otherwise only the count of restarts began anew.
        was_paused: bool,
    },
    /// An incident was resolved, ignored for a time, or opened again.
    Incident {
        incident: IncidentId,
        /// What it is since then.
        became: IncidentState,
    },
    /// Crashes of which only the signal is known were to be counted with a captured incident, or apart from it.
    SignalOnly {
        incident: IncidentId,
        /// They are counted with it since then.
        joined: bool,
    },
}

impl Change {
    /// Its name, `node/app/decision in ms/kind`.
    pub fn id(&self) -> String {
        let Self { node, app, at, .. } = self;
        let kind = match &self.what {
            Changed::Settings { .. } => "settings",
            Changed::Rules { .. } => "rules",
            Changed::Resumed { .. } => "resumed",
            Changed::Incident { incident, .. } => incident.as_str(),
            Changed::SignalOnly { incident, .. } => {
                return format!("{node}/{app}/{}/signal-only/{incident}", at.as_ms());
            }
        };
        format!("{node}/{app}/{}/{kind}", at.as_ms())
    }
}
