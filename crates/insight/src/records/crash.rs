//! Crashes and incidents as the API tells them.

use model::crash::{Crash, Incident};
use serde::Serialize;

use crate::notes;

/// One crash.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CrashRecord {
    #[serde(flatten)]
    crash: Crash,
    /// What the reader should know about the analysis.
    notes: Vec<String>,
}

impl From<Crash> for CrashRecord {
    fn from(mut crash: Crash) -> Self {
        let notes = std::mem::take(&mut crash.findings.notes);
        Self { crash, notes: notes::sentences(&notes) }
    }
}

/// Crashes with one signature.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IncidentRecord {
    #[serde(flatten)]
    incident: Incident,
    /// What the reader should know about the analysis.
    notes: Vec<String>,
}

impl From<Incident> for IncidentRecord {
    fn from(incident: Incident) -> Self {
        Self { notes: notes::sentences(&incident.notes), incident }
    }
}
