//! `POST …/shares` of an incident, a detector and a restart, `GET /api/v1/shares` and `DELETE /api/v1/shares/{id}`.

use std::time::Duration;

use app::{Console, LinkBase, ToShare};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::StatusCode;
use insight::detectors::detector;
use model::auto_heal::restart::RestartKey;
use model::share::{Included, Share, ShareId, ShareState, USUAL};
use model::{IncidentId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ROWS_LIMIT;
use super::error::{ApiError, ErrorBody};
use super::incidents::missing;
use super::query::{FromTo, app_name, read_query};
use crate::http::Asked;
use crate::http::link::Base;

/// How to share.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewShare {
    /// How long the link works, `1h` to `90d`; `7d` where nothing is given. The link never outlives the data that it shows.
    #[serde(default)]
    expires_in: Option<String>,
    /// What the snapshot has that it would leave out otherwise: `app` (the app's name), `hosts` (names of machines), `paths` (whole
    /// paths of files, and paths of requests).
    #[serde(default)]
    include: Vec<String>,
}

/// The link. Its address is shown this once.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct NewLink {
    id: ShareId,
    url: String,
    expires_at: Timestamp,
}

/// A link, without its address.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ShareRecord {
    #[serde(flatten)]
    share: Share,
    state: ShareState,
}

/// Whose links.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SharesOf {
    /// An app's name; without it those of all apps.
    app: Option<String>,
}

impl NewShare {
    fn read(&self) -> Result<(Included, Duration), ApiError> {
        let expires_in = match &self.expires_in {
            None => USUAL,
            Some(text) => humantime::parse_duration(text.trim()).map_err(|_| {
                let shown: String = model::text::seen(text).chars().take(40).collect();
                ApiError::Refused(format!("expires_in: invalid duration \"{shown}\". Use 1h to 90d."))
            })?,
        };
        let mut included = Included::default();
        for word in &self.include {
            match word.as_str() {
                "app" => included.app = true,
                "hosts" => included.hosts = true,
                "paths" => included.paths = true,
                other => {
                    let shown: String = model::text::seen(other).chars().take(40).collect();
                    let why = format!("include: unknown value \"{shown}\". Accepted: app, hosts, paths.");
                    return Err(ApiError::Refused(why));
                }
            }
        }
        Ok((included, expires_in))
    }
}

async fn share(
    console: &dyn Console,
    base: &LinkBase,
    what: &ToShare,
    body: Result<Json<NewShare>, JsonRejection>,
    missing: fn() -> ApiError,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    let Json(new) = body.map_err(|rejection| ApiError::Refused(rejection.body_text()))?;
    let (included, expires_in) = new.read()?;
    let made = console.share(what, included, expires_in).await?.ok_or_else(missing)?;
    let url = format!("{}{}", base.url, app::address::SHARED.of_token(&made.token.0));
    Ok((StatusCode::CREATED, Json(NewLink { id: made.id, url, expires_at: made.expires_at })))
}

/// Makes a link to a snapshot of an incident, which anybody who has it reads without an account.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/shares", params(("id" = String, Path)), request_body = NewShare,
    responses((status = 201, body = NewLink), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(in crate::http) async fn share_incident(
    Asked(console): Asked,
    Base(base): Base,
    Path(id): Path<String>,
    body: Result<Json<NewShare>, JsonRejection>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    let id: IncidentId = id.parse().map_err(|_| missing())?;
    share(&*console, &base, &ToShare::Incident(id), body, missing).await
}

/// Makes a link to a snapshot of what a detector says of a time range of at most 24 hours.
#[utoipa::path(post, path = "/api/v1/apps/{app}/detectors/{detector}/shares",
    params(("app" = String, Path), ("detector" = String, Path), FromTo), request_body = NewShare,
    responses((status = 201, body = NewLink), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(in crate::http) async fn share_report(
    Asked(console): Asked,
    Base(base): Base,
    Path((app, id)): Path<(String, String)>,
    query: Result<Query<FromTo>, QueryRejection>,
    body: Result<Json<NewShare>, JsonRejection>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    let app = app_name(&app)?;
    let unknown = || ApiError::NotFound("Detector not found. See the app's /detectors.".to_owned());
    let detector = detector(&id).ok_or_else(unknown)?;
    let range = read_query(query)?.range(console.now())?;
    share(&*console, &base, &ToShare::Report { app, detector, range }, body, unknown).await
}

/// Makes a link to a snapshot of one restart, by its id among the app's restarts.
#[utoipa::path(post, path = "/api/v1/apps/{app}/restarts/{restart}/shares",
    params(("app" = String, Path), ("restart" = String, Path)), request_body = NewShare,
    responses((status = 201, body = NewLink), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
pub(in crate::http) async fn share_restart(
    Asked(console): Asked,
    Base(base): Base,
    Path((app, restart)): Path<(String, String)>,
    body: Result<Json<NewShare>, JsonRejection>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    let unknown = || ApiError::NotFound("Restart not found. It may be past the retention period.".to_owned());
    let app = app_name(&app)?;
    let restart: RestartKey = restart.parse().map_err(|_| unknown())?;
    share(&*console, &base, &ToShare::Restart { app, restart }, body, unknown).await
}

/// The share links, created last first, at most 1,000. A link's address is not among what is known of it.
#[utoipa::path(get, path = "/api/v1/shares", params(SharesOf), responses(
    (status = 200, body = Vec<ShareRecord>), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn shares(
    Asked(console): Asked,
    query: Result<Query<SharesOf>, QueryRejection>,
) -> Result<Json<Vec<ShareRecord>>, ApiError> {
    let app = read_query(query)?.app.as_deref().filter(|app| !app.is_empty()).map(app_name).transpose()?;
    let (now, shares) = (console.now(), console.shares(app.as_ref(), ROWS_LIMIT).await?);
    Ok(Json(shares.into_iter().map(|share| ShareRecord { state: share.state(now), share }).collect()))
}

/// Revokes a share link: whoever opens it then finds nothing. One that has ended stays as it is.
#[utoipa::path(delete, path = "/api/v1/shares/{id}", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn end_share(
    Asked(console): Asked,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let unknown = || ApiError::NotFound("Share link not found. See /api/v1/shares.".to_owned());
    let id: ShareId = id.parse().map_err(|_| unknown())?;
    if console.end_share(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}
