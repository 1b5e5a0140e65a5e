//! `GET /api/v1/apps/{app}/deploys`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use insight::deploys::DeployRecord;

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;

/// When an app's workers began to run other code: another revision, program, script or command. Newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/deploys", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<DeployRecord>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn deploys(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<DeployRecord>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    let deploys = console.deploys(&app, range, ROWS_LIMIT).await?;
    Ok(Json(deploys.into_iter().map(DeployRecord::from).collect()))
}
