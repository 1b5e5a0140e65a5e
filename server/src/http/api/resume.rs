//! `POST /api/v1/apps/{app}/auto-heal/fuse/rearm`: the proactive rules go on after too many restarts.

use axum::Json;
use axum::extract::Path;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// What re-arming found.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct Rearmed {
    /// The fuse was blown; otherwise only its count began anew.
    was_blown: bool,
}

/// Arms the fuse of an app's proactive rules again.
#[utoipa::path(post, path = "/api/v1/apps/{app}/auto-heal/fuse/rearm", params(("app" = String, Path)), responses(
    (status = 200, body = Rearmed), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn rearm_fuse(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<Rearmed>, ApiError> {
    let was_blown = console.rearm_fuse(&app_name(&app)?).await?;
    Ok(Json(Rearmed { was_blown }))
}
