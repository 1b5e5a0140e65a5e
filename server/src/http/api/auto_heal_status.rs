//! `GET /api/v1/apps/{app}/auto-heal/status`.

use app::ConsoleError;
use axum::Json;
use axum::extract::Path;
use insight::records::AppHealRecord;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// The restart limit, and what each rule sees now on each instance.
#[utoipa::path(get, path = "/api/v1/apps/{app}/auto-heal/status", params(("app" = String, Path)), responses(
    (status = 200, body = AppHealRecord), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(in crate::http) async fn auto_heal_status(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<AppHealRecord>, ApiError> {
    let app = app_name(&app)?;
    if console.proactive(&app).is_none() {
        return Err(ConsoleError::NoSuchApp(app).into());
    }
    let heal = console.snapshot().heal.get(&app).map(AppHealRecord::from);
    heal.map(Json).ok_or_else(|| {
        ApiError::Conflict("Auto-heal has no reading of this app yet. Retry in 1 s.".to_owned())
    })
}
