//! `PUT /api/v1/incidents/{id}/state`.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use insight::records::IncidentRecord;
use model::incident_state::IncidentDecision;
use model::{IncidentId, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::incidents::missing;
use crate::http::Asked;

/// What becomes of an incident.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::http) enum NewState {
    /// It is somebody's task again.
    Open {},
    /// The fault is mended. If it crashes in later code, it is `regressed`.
    Resolved {
        /// The build id, revision or deploy with the mended code, at most 200 characters.
        #[serde(default)]
        fixed_in: Option<String>,
    },
    /// Nobody wants to hear of it for a time.
    Ignored {
        /// RFC 3339, within the next 366 days.
        until: Timestamp,
    },
}

impl From<NewState> for IncidentDecision {
    fn from(state: NewState) -> Self {
        match state {
            NewState::Open {} => Self::Reopen,
            NewState::Resolved { fixed_in } => Self::Resolve { fixed_in },
            NewState::Ignored { until } => Self::Ignore { until },
        }
    }
}

/// Resolves an incident, ignores it for a time, or opens it again. Answers with what it is then.
#[utoipa::path(put, path = "/api/v1/incidents/{id}/state", params(("id" = String, Path)), request_body = NewState,
    responses((status = 200, body = IncidentRecord), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn change_incident(
    Asked(console): Asked,
    Path(id): Path<String>,
    body: Result<Json<NewState>, JsonRejection>,
) -> Result<Json<IncidentRecord>, ApiError> {
    let id: IncidentId = id.parse().map_err(|_| missing())?;
    let Json(state) = body.map_err(|rejection| ApiError::Refused(rejection.body_text()))?;
    let incident = console.change_incident(&id, state.into()).await?.ok_or_else(missing)?;
    Ok(Json(incident.into()))
}
