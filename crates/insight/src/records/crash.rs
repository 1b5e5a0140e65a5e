//! Crashes and incidents as the API tells them.

use model::crash::{Crash, Incident};
use serde::Serialize;

use crate::exception::{signature, type_name};
use crate::notes::{causes, sentences};

/// One crash.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CrashRecord {
    #[serde(flatten)]
    crash: Crash,
    /// The types of the exceptions that led to this one.
    causes: Vec<String>,
    /// What the reader should know about the analysis.
    notes: Vec<String>,
}

impl From<Crash> for CrashRecord {
    fn from(mut crash: Crash) -> Self {
        let findings = &mut crash.findings;
        let notes = std::mem::take(&mut findings.notes);
        findings.exception_type = type_name(&findings.exception_type).into_owned();
        findings.signature = signature(&findings.signature).into_owned();
        Self { crash, causes: causes(&notes), notes: sentences(&notes) }
    }
}

/// Crashes with one signature.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IncidentRecord {
    #[serde(flatten)]
    incident: Incident,
    /// The types of the exceptions that led to the crash shown.
    causes: Vec<String>,
    /// What the reader should know about the analysis.
    notes: Vec<String>,
}

impl From<Incident> for IncidentRecord {
    fn from(mut incident: Incident) -> Self {
        incident.exception_type = type_name(&incident.exception_type).into_owned();
        incident.signature = signature(&incident.signature).into_owned();
        Self { causes: causes(&incident.notes), notes: sentences(&incident.notes), incident }
    }
}
