//! `GET /api/v1/apps/{app}/changes`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::changes::ChangeRecord;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// What people changed – settings, custom rules, proactive rules that were resumed – and who it was, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/changes", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<ChangeRecord>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn changes(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<ChangeRecord>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    let changes = console.changes(&app, range, ROWS_LIMIT).await?;
    Ok(Json(changes.into_iter().map(ChangeRecord::from).collect()))
}
