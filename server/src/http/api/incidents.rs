//! `GET /api/v1/incidents` and `/api/v1/incidents/{id}`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::records::IncidentRecord;
use model::IncidentId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{app_name, read_query};
use crate::http::Asked;

/// Whose incidents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct OfApp {
    /// An app's name; without it those of all apps.
    app: Option<String>,
}

/// The incidents, last seen first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/incidents", params(OfApp), responses(
    (status = 200, body = Vec<IncidentRecord>), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn incidents(
    Asked(console): Asked,
    query: Result<Query<OfApp>, QueryRejection>,
) -> Result<Json<Vec<IncidentRecord>>, ApiError> {
    let app = read_query(query)?.app.as_deref().filter(|app| !app.is_empty()).map(app_name).transpose()?;
    let incidents = console.incidents(app.as_ref(), ROWS_LIMIT).await?;
    Ok(Json(incidents.into_iter().map(IncidentRecord::from).collect()))
}

pub(super) fn missing() -> ApiError {
    ApiError::NotFound("Incident not found. It may be past the retention period.".to_owned())
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = IncidentRecord), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn incident(
    Asked(console): Asked,
    Path(id): Path<String>,
) -> Result<Json<IncidentRecord>, ApiError> {
    let id: IncidentId = id.parse().map_err(|_| missing())?;
    let incident = console.incident(&id).await?.ok_or_else(missing)?;
    Ok(Json(incident.into()))
}
