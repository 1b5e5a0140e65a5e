//! `GET /api/v1/apps/{app}/instances/{instance}/output`.

use axum::Json;
use axum::extract::Path;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// The end of what an instance wrote to its standard output and error.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct OutputBody {
    /// The log file that holds them; none where nothing was written yet.
    file: Option<String>,
    /// Oldest first.
    lines: Vec<String>,
}

/// The last lines of an instance's output, for Medic's own user and root alone.
#[utoipa::path(get, path = "/api/v1/apps/{app}/instances/{instance}/output",
    params(("app" = String, Path), ("instance" = u16, Path, description = "Its number, from 0.")), responses(
    (status = 200, body = OutputBody),
    (status = 403, body = ErrorBody, description = "The sender is neither Medic's own user nor root, or not known."),
    (status = 404, body = ErrorBody, description = "There is no such app or instance.")))]
pub(in crate::http) async fn output(
    Asked(console): Asked,
    Path((app, instance)): Path<(String, String)>,
) -> Result<Json<OutputBody>, ApiError> {
    let app = app_name(&app)?;
    let missing =
        || ApiError::NotFound(format!("App \"{app}\" has no such instance. See /api/v1/apps/{app}."));
    let index = instance.parse().map_err(|_| missing())?;
    let output = console.output(&app, index).await?.ok_or_else(missing)?;
    Ok(Json(OutputBody { file: output.file, lines: output.lines }))
}
