//! `GET /api/v1/apps` and `/api/v1/apps/{app}`: how the apps are.

use app::ConsoleError;
use axum::Json;
use axum::extract::Path;
use insight::verdict::{Verdict, verdict};
use model::Timestamp;
use model::status::{AppStatus, Snapshot};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// An app, and the one answer to how it is.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AppBody {
    #[serde(flatten)]
    status: AppStatus,
    verdict: Verdict,
}

impl AppBody {
    fn new(status: &AppStatus, snapshot: &Snapshot, now: Timestamp) -> Self {
        let verdict = verdict(status, snapshot.heal.get(&status.name), now);
        Self { status: status.clone(), verdict }
    }
}

/// All apps and how they are.
#[utoipa::path(get, path = "/api/v1/apps", responses((status = 200, body = Vec<AppBody>)))]
pub(in crate::http) async fn apps(Asked(console): Asked) -> Json<Vec<AppBody>> {
    let (snapshot, now) = (console.snapshot(), console.now());
    Json(snapshot.apps.iter().map(|app| AppBody::new(app, &snapshot, now)).collect())
}

/// One app and its instances.
#[utoipa::path(get, path = "/api/v1/apps/{app}", params(("app" = String, Path)), responses(
    (status = 200, body = AppBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn app_status(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<AppBody>, ApiError> {
    let app = app_name(&app)?;
    let (snapshot, now) = (console.snapshot(), console.now());
    let status = snapshot.app(&app).ok_or(ConsoleError::NoSuchApp(app))?;
    Ok(Json(AppBody::new(status, &snapshot, now)))
}
