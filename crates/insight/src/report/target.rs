//! Links as what they lead to; who shows them knows the addresses.

use model::IncidentId;
use serde::Serialize;

/// What a link leads to, of the app that the report is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "page", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Target {
    /// Another detector's page, for the same time range.
    Detector { id: &'static str },
    /// An incident.
    Incident { id: IncidentId },
    /// The rules of auto-heal.
    AutoHeal,
    /// The proactive rules and their restart limit.
    ProactiveRules,
    /// Each restart with its evidence.
    AutoHealHistory,
    /// The app's settings.
    Settings,
}
