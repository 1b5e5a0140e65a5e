//! `POST /api/v1/apps/{app}/instances/{instance}/restart`.

use app::{Console, ConsoleError};
use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use model::AppName;
use model::status::InstanceStatus;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// Asks for an overlapped restart of one instance. Answers when it has begun, with how the instance is then; its record is among
/// the app's restarts when it has ended.
#[utoipa::path(post, path = "/api/v1/apps/{app}/instances/{instance}/restart",
    params(("app" = String, Path), ("instance" = u16, Path, description = "Its number, from 0.")), responses(
    (status = 202, body = InstanceStatus, description = "It has begun."),
    (status = 404, body = ErrorBody, description = "There is no such app or instance."),
    (status = 409, body = ErrorBody, description = "It is not running, or a restart is under way.")))]
pub(in crate::http) async fn restart(
    Asked(console): Asked,
    Path((app, instance)): Path<(String, String)>,
) -> Result<(StatusCode, Json<InstanceStatus>), ApiError> {
    let app = app_name(&app)?;
    let index = instance.parse::<u16>().ok().filter(|index| find(&*console, &app, *index).is_some());
    let missing = || {
        if console.proactive(&app).is_none() {
            return ConsoleError::NoSuchApp(app.clone()).into();
        }
        ApiError::NotFound(format!("App \"{app}\" has no such instance. See /api/v1/apps/{app}."))
    };
    let index = index.ok_or_else(missing)?;
    console.restart(&app, index).await?;
    find(&*console, &app, index).map(|status| (StatusCode::ACCEPTED, Json(status))).ok_or_else(missing)
}

fn find(console: &dyn Console, app: &AppName, index: u16) -> Option<InstanceStatus> {
    let snapshot = console.snapshot();
    snapshot.app(app)?.instances.iter().find(|instance| instance.index == index).cloned()
}
