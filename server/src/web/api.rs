//! `/api/v1`: what the pages say, as JSON. Described by `/api/v1/openapi.json`.

pub(super) mod auto_heal;
mod rules_body;

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{Console, ConsoleError, StoreFailure};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use insight::verdict::{Verdict, verdict};
use model::auto_heal::config::Violation;
use model::crash::{Crash, Incident};
use model::settings::{AppSettings, KNOWN};
use model::status::{AppStatus, Snapshot};
use model::{AppName, IncidentId, TimeRange, Timestamp, range};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Principal;

/// How many rows one answer holds.
const ROWS_LIMIT: u32 = 1_000;

type Port = State<Arc<dyn Console>>;

/// The routes below `/api/v1`.
pub(super) fn router(console: Arc<dyn Console>) -> Router {
    Router::new()
        .route("/openapi.json", get(super::openapi::document))
        .route("/apps", get(apps))
        .route("/apps/{app}", get(app_status))
        .route("/apps/{app}/crashes", get(crashes))
        .route("/apps/{app}/settings", get(settings).put(save_settings))
        .route("/incidents", get(incidents))
        .route("/incidents/{id}", get(incident))
        .merge(auto_heal::router())
        .fallback(|| async {
            ApiError::NotFound("there is no such resource; /api/v1/openapi.json lists all".to_owned())
        })
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .with_state(console)
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// 400.
    #[error("{0}")]
    Refused(String),
    /// 400: fields of the body.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Violation>),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405.
    #[error("the resource exists, but not with this method; /api/v1/openapi.json lists all")]
    MethodNotAllowed,
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 500, 503 or 507.
    #[error("{0}")]
    Store(StoreFailure),
}

/// An error's body.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody {
    /// What was wrong and what to do, for a person.
    pub(super) error: String,
    /// Each field that does not fit, where fields do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Violation>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Refused(_) | Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Store(StoreFailure::Failed) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(StoreFailure::Unavailable(_)) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreFailure::Full) => StatusCode::INSUFFICIENT_STORAGE,
        };
        let error = self.to_string();
        let fields = if let Self::Invalid(violations) = self { violations } else { Vec::new() };
        (status, Json(ErrorBody { error, fields })).into_response()
    }
}

impl From<ConsoleError> for ApiError {
    fn from(error: ConsoleError) -> Self {
        match error {
            ConsoleError::NoSuchApp(_) => Self::NotFound(error.to_string()),
            ConsoleError::Refused(reason) => Self::Refused(reason),
            ConsoleError::Invalid(violations) => Self::Invalid(violations),
            ConsoleError::Forbidden(reason) => Self::Forbidden(reason),
            ConsoleError::Conflict(reason) => Self::Conflict(reason),
            ConsoleError::Store(failure) => Self::Store(failure),
        }
    }
}

fn app_name(text: &str) -> Result<AppName, ApiError> {
    text.parse().map_err(|error: model::names::NameError| ApiError::NotFound(error.to_string()))
}

/// An app, and the one answer to how it is.
#[derive(Serialize, ToSchema)]
pub(super) struct AppBody {
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
pub(super) async fn apps(State(console): Port) -> Json<Vec<AppBody>> {
    let (snapshot, now) = (console.snapshot(), console.now());
    Json(snapshot.apps.iter().map(|app| AppBody::new(app, &snapshot, now)).collect())
}

/// One app and its instances.
#[utoipa::path(get, path = "/api/v1/apps/{app}", params(("app" = String, Path)), responses(
    (status = 200, body = AppBody), (status = 404, body = ErrorBody)))]
pub(super) async fn app_status(
    State(console): Port,
    Path(app): Path<String>,
) -> Result<Json<AppBody>, ApiError> {
    let app = app_name(&app)?;
    let (snapshot, now) = (console.snapshot(), console.now());
    let status = snapshot.app(&app).ok_or(ConsoleError::NoSuchApp(app))?;
    Ok(Json(AppBody::new(status, &snapshot, now)))
}

/// A time range; without it the last 24 hours. It may reach as far back as crashes are kept.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct FromTo {
    /// RFC 3339; the first moment.
    from: Option<String>,
    /// RFC 3339; the first moment after it.
    to: Option<String>,
}

impl FromTo {
    fn range(&self, now: Timestamp) -> Result<TimeRange, ApiError> {
        let read = |name: &str, text: &Option<String>| {
            let given = text.as_deref().filter(|text| !text.is_empty());
            let parsed = given.map(str::parse::<Timestamp>).transpose();
            parsed.map_err(|error| ApiError::Refused(format!("`{name}`: {error}")))
        };
        let latest = TimeRange::last(now, range::LONGEST);
        let end = read("to", &self.to)?.unwrap_or(latest.end);
        let start = read("from", &self.from)?.unwrap_or(end - range::LONGEST);
        if start < end {
            Ok(TimeRange { start, end })
        } else {
            Err(ApiError::Refused("`from` must lie before `to`".to_owned()))
        }
    }
}

/// The crashes of an app, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/crashes", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<Crash>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn crashes(
    State(console): Port,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Crash>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    Ok(Json(console.crashes(&app, range, ROWS_LIMIT).await?))
}

/// Whose incidents.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OfApp {
    /// An app's name; without it those of all apps.
    app: Option<String>,
}

/// The incidents, last seen first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/incidents", params(OfApp), responses(
    (status = 200, body = Vec<Incident>), (status = 404, body = ErrorBody)))]
pub(super) async fn incidents(
    State(console): Port,
    query: Result<Query<OfApp>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Vec<Incident>>, ApiError> {
    let app = read_query(query)?.app.as_deref().filter(|app| !app.is_empty()).map(app_name).transpose()?;
    Ok(Json(console.incidents(app.as_ref(), ROWS_LIMIT).await?))
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", params(("id" = String, Path)), responses(
    (status = 200, body = Incident), (status = 404, body = ErrorBody)))]
pub(super) async fn incident(
    State(console): Port,
    Path(id): Path<String>,
) -> Result<Json<Incident>, ApiError> {
    let missing =
        || ApiError::NotFound("there is no such incident; it may be older than crashes are kept".to_owned());
    let id: IncidentId = id.parse().map_err(|_| missing())?;
    console.incident(&id).await?.map(Json).ok_or_else(missing)
}

/// An app's settings; one that was never set has App Service's default, `True`.
#[utoipa::path(get, path = "/api/v1/apps/{app}/settings", params(("app" = String, Path)), responses(
    (status = 200, body = AppSettings), (status = 404, body = ErrorBody)))]
pub(super) async fn settings(
    State(console): Port,
    Path(app): Path<String>,
) -> Result<Json<AppSettings>, ApiError> {
    let mut settings = console.settings(&app_name(&app)?).await?;
    for name in KNOWN {
        settings.0.entry(name.to_owned()).or_insert_with(|| "True".to_owned());
    }
    Ok(Json(settings))
}

/// A setting as people send it: the text that App Service takes, or a JSON truth value.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(super) enum SettingValue {
    Truth(bool),
    Text(String),
}

/// Changes an app's settings, all that are named or none; they are obeyed at once, and no worker is restarted. A setting that is
/// not named stays as it is; `null` leaves it to the app's environment and the default.
#[utoipa::path(put, path = "/api/v1/apps/{app}/settings", params(("app" = String, Path)),
    request_body = BTreeMap<String, SettingValue>, responses(
    (status = 200, body = AppSettings), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody, description = "There is no database to save them in."),
    (status = 507, body = ErrorBody, description = "The database's disk is full.")))]
pub(super) async fn save_settings(
    State(console): Port,
    Path(app): Path<String>,
    _: Principal,
    body: Result<Json<BTreeMap<String, Option<SettingValue>>>, JsonRejection>,
) -> Result<Json<AppSettings>, ApiError> {
    let app_name = app_name(&app)?;
    let Json(values) = body.map_err(|rejection| ApiError::Refused(rejection.body_text()))?;
    let text = |value| match value {
        SettingValue::Truth(true) => "True".to_owned(),
        SettingValue::Truth(false) => "False".to_owned(),
        SettingValue::Text(text) => text,
    };
    let changes = values.into_iter().map(|(name, value)| (name, value.map(text))).collect();
    console.change_settings(&app_name, changes).await?;
    settings(State(console), Path(app)).await
}

fn read_query<T>(query: Result<Query<T>, axum::extract::rejection::QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| ApiError::Refused(rejection.body_text()))
}
