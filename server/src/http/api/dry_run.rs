//! `POST /api/v1/apps/{app}/auto-heal/dry-run`.

use app_service::arm::Properties;
use axum::Json;
use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use insight::dry_run::DryRun;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use super::rules_body::{self, Whole};
use crate::http::Asked;

/// When rules would have acted in the last 24 hours, whether or not they are saved or switched on. The body is as for saving;
/// `autoHealEnabled` may be left out.
#[utoipa::path(post, path = "/api/v1/apps/{app}/auto-heal/dry-run", params(("app" = String, Path)),
    request_body(content((Properties = "application/json"), (String = "application/xml"))), responses(
    (status = 200, body = DryRun), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn dry_run(
    Asked(console): Asked,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DryRun>, ApiError> {
    let app = app_name(&app)?;
    let read = rules_body::read(&headers, body, Whole::No)?;
    Ok(Json(console.dry_run(&app, &read.rules).await?))
}
