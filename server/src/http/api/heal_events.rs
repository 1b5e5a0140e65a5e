//! `GET /api/v1/apps/{app}/heal-events`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::records::HealEventRecord;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// What auto-heal did short of a restart – logged, ran an action, or did nothing and why –, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/heal-events", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<HealEventRecord>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn heal_events(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<HealEventRecord>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    let events = console.heal_events(&app, range, ROWS_LIMIT).await?;
    Ok(Json(events.into_iter().map(HealEventRecord::from).collect()))
}
