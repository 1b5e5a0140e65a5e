//! `PUT /api/v1/incidents/{id}/signal-only`.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use insight::records::IncidentRecord;
use model::IncidentId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::incidents::missing;
use crate::http::Asked;

/// Where crashes with only a signal known are counted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SignalOnly {
    /// `true`: with this incident, as probably the same. `false`: as a separate incident.
    joined: bool,
}

/// Counts crashes with only a signal known with a captured incident, or separately. Applies to recorded and future crashes of the
/// same executable, build, signal and instance. Answers with the changed incident.
#[utoipa::path(put, path = "/api/v1/incidents/{id}/signal-only", params(("id" = String, Path)), request_body = SignalOnly,
    responses((status = 200, body = IncidentRecord), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn join_signal_only(
    Asked(console): Asked,
    Path(id): Path<String>,
    body: Result<Json<SignalOnly>, JsonRejection>,
) -> Result<Json<IncidentRecord>, ApiError> {
    let id: IncidentId = id.parse().map_err(|_| missing())?;
    let Json(SignalOnly { joined }) = body.map_err(|rejection| ApiError::Refused(rejection.body_text()))?;
    let incident = console.join_signal_only(&id, joined).await?.ok_or_else(missing)?;
    Ok(Json(incident.into()))
}
