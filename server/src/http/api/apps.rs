//! `GET /api/v1/apps` and `/api/v1/apps/{app}`: how the apps are.

use app::ConsoleError;
use axum::Json;
use axum::extract::Path;
use insight::healing;
use insight::records::{RestartingRecord, StartingRecord};
use insight::verdict::{Verdict, verdict};
use model::status::{AppHeal, AppStatus, ClosedAddress, Health, InstanceStatus, Snapshot};
use model::streams::OpenStreams;
use model::{AppName, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// An app, and the one answer to how it is.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct AppBody {
    name: AppName,
    /// How it does.
    health: Health,
    /// The address of its front door.
    listen: String,
    /// Why nobody can reach it there, while that is so.
    not_listening: Option<ClosedAddress>,
    /// Its instances, sorted by index.
    instances: Vec<InstanceBody>,
    /// Proactive crash monitoring is on for it.
    crash_monitoring_enabled: bool,
    /// Proactive auto-heal is on for it.
    auto_heal_enabled: bool,
    verdict: Verdict,
}

/// One instance now, with its restart and its start in words.
#[derive(Serialize, ToSchema)]
struct InstanceBody {
    #[serde(flatten)]
    status: InstanceStatus,
    /// Why it is not running, why the last start failed, or what is wrong with its worker.
    message: Option<String>,
    /// The overlapped restart that is under way.
    restarting: Option<RestartingRecord>,
    /// The start that is under way.
    starting: Option<StartingRecord>,
    /// Streams and tunnels that are open at its worker.
    open_streams: OpenStreams,
}

impl InstanceBody {
    fn new(status: InstanceStatus, heal: Option<&AppHeal>) -> Self {
        let heal = heal.and_then(|heal| heal.instances.iter().find(|heal| heal.index == status.index));
        let open_streams = heal.map(|heal| heal.open).unwrap_or_default();
        let restarting = status.restarting.as_ref().map(RestartingRecord::from);
        let starting = status.starting.as_ref().map(StartingRecord::from);
        let message = status.message.as_ref().map(healing::message);
        Self { status, message, restarting, starting, open_streams }
    }
}

impl AppBody {
    fn new(status: &AppStatus, snapshot: &Snapshot, now: Timestamp) -> Self {
        let heal = snapshot.heal.get(&status.name);
        let verdict = verdict(status, heal, now);
        let AppStatus {
            name,
            health,
            listen,
            not_listening,
            instances,
            crash_monitoring_enabled,
            auto_heal_enabled,
        } = status.clone();
        Self {
            name,
            health,
            listen,
            not_listening,
            instances: instances.into_iter().map(|status| InstanceBody::new(status, heal)).collect(),
            crash_monitoring_enabled,
            auto_heal_enabled,
            verdict,
        }
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
