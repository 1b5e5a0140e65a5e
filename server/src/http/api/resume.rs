//! `POST /api/v1/apps/{app}/auto-heal/resume`: the proactive rules go on after too many restarts.

use axum::Json;
use axum::extract::Path;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// What was resumed.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Resumed {
    /// The proactive rules were paused; otherwise only the count of restarts began anew.
    was_paused: bool,
}

/// Resumes an app's proactive rules after the restart limit, or resets its count of restarts.
#[utoipa::path(post, path = "/api/v1/apps/{app}/auto-heal/resume", params(("app" = String, Path)), responses(
    (status = 200, body = Resumed), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn resume(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<Resumed>, ApiError> {
    let was_paused = console.rearm_fuse(&app_name(&app)?).await?;
    Ok(Json(Resumed { was_paused }))
}
