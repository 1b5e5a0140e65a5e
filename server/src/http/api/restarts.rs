//! `GET /api/v1/apps/{app}/restarts`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::records::RestartRecord;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// The restarts of an app, with their evidence, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/restarts", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<RestartRecord>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn restarts(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<RestartRecord>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    let restarts = console.restarts(&app, range, ROWS_LIMIT).await?;
    Ok(Json(restarts.into_iter().map(RestartRecord::from).collect()))
}
