//! `GET /api/v1/apps/{app}/crashes`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::records::CrashRecord;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// The crashes of an app, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/crashes", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<CrashRecord>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn crashes(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<CrashRecord>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    let crashes = console.crashes(&app, range, ROWS_LIMIT).await?;
    Ok(Json(crashes.into_iter().map(CrashRecord::from).collect()))
}
