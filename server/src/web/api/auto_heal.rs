//! `/api/v1/apps/{app}/…` of auto-heal and restarts: the rules in App Service's shape, what they did, and what is asked for by
//! hand.

use app::ConsoleError;
use app_service::web_config;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use insight::dry_run::DryRun;
use model::AppName;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::event::HealEvent;
use model::auto_heal::restart::Restart;
use model::status::{AppHeal, InstanceStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::rules_body::{self, Whole};
use super::{ApiError, Console, ErrorBody, FromTo, Port, ROWS_LIMIT, app_name, read_query};
use crate::access::Principal;

/// What an export is called by who saves it.
const WEB_CONFIG: &str = "attachment; filename=\"web.config\"";

/// The routes below `/api/v1`.
pub(super) fn router() -> Router<std::sync::Arc<dyn Console>> {
    Router::new()
        .route("/apps/{app}/auto-heal", get(auto_heal).put(save_auto_heal))
        .route("/apps/{app}/auto-heal/status", get(auto_heal_status))
        .route("/apps/{app}/auto-heal/dry-run", post(dry_run))
        .route("/apps/{app}/auto-heal/fuse/rearm", post(rearm_fuse))
        .route("/apps/{app}/restarts", get(restarts))
        .route("/apps/{app}/heal-events", get(heal_events))
        .route("/apps/{app}/instances/{instance}/restart", post(restart))
}

/// In which form the rules are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Format {
    /// `json` or `web.config`; without it as `Accept` asks for, and JSON where that leaves it open.
    format: Option<String>,
}

impl Format {
    fn is_web_config(&self, headers: &HeaderMap) -> Result<bool, ApiError> {
        match self.format.as_deref() {
            None | Some("") => Ok(asks_for_xml(headers)),
            Some("json") => Ok(false),
            Some("web.config") => Ok(true),
            Some(_) => Err(ApiError::Refused("`format` is json or web.config".to_owned())),
        }
    }
}

/// A browser names XML beside HTML for every address; it is given JSON.
fn asks_for_xml(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let kinds: Vec<String> = accepted
        .flat_map(|value| value.split(','))
        .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    let has = |names: [&str; 2]| kinds.iter().any(|kind| names.contains(&kind.as_str()));
    has(["application/xml", "text/xml"]) && !has(["application/json", "text/html"])
}

/// The user's own rules for an app, in the shape of App Service's `config/web`; none are set where nothing was saved. A custom
/// action's `parameters` are `***` where they are set. As
/// `web.config` it is the old form's `<monitoring>`, with a comment on what that cannot say.
#[utoipa::path(get, path = "/api/v1/apps/{app}/auto-heal", params(("app" = String, Path), Format), responses(
    (status = 200, content((AutoHealConfig = "application/json"), (String = "application/xml"))),
    (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in super::super) async fn auto_heal(
    State(console): Port,
    Path(app): Path<String>,
    query: Result<Query<Format>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let app = app_name(&app)?;
    let as_web_config = read_query(query)?.is_web_config(&headers)?;
    let rules = console.auto_heal(&app).await?;
    if !as_web_config {
        return Ok(Json(rules).into_response());
    }
    let headers = [(CONTENT_TYPE, "application/xml; charset=utf-8"), (CONTENT_DISPOSITION, WEB_CONFIG)];
    Ok((headers, exported(&rules)).into_response())
}

/// What has no place in a web.config is not lost in silence: it stands in a comment.
fn exported(rules: &AutoHealConfig) -> String {
    let web_config::Translated { rules: xml, notes } = web_config::export(rules);
    if notes.is_empty() {
        return xml;
    }
    let (declaration, rest) = xml.split_once('\n').unwrap_or(("", &xml));
    // A comment ends at two hyphens, whatever stands in a note.
    let notes = notes.join("\n  ").replace('-', "\u{2010}");
    format!("{declaration}\n<!--\n  {notes}\n-->\n{rest}")
}

/// The rules as they were saved.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct SavedRules {
    #[serde(flatten)]
    rules: AutoHealConfig,
    /// What was given and is not looked at, and what is not advised; a sentence each. Absent where there is nothing to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Replaces the user's rules for an app, whole or not at all; they are obeyed at once, and no worker is restarted.
///
/// Taken are both properties of `config/web` (what else stands beside them is passed over), the same in ARM's envelope
/// `{"properties": {…}}`, or a web.config (`Content-Type: application/xml` or `text/xml`), whose rules are switched on.
/// `actionType` is a word or the portal's number. A custom action is saved, changed and switched on by Medic's own user and root
/// only. Its `parameters` may hold secrets, so they are answered as `***`; sent as `***`, they stay as they are saved. Both
/// `autoHealEnabled` and `autoHealRules` must be there, since what is left
/// out is removed; `"autoHealRules": null` removes all rules. A value that does not fit is refused with its field and the limit.
#[utoipa::path(put, path = "/api/v1/apps/{app}/auto-heal", params(("app" = String, Path)),
    request_body(content((AutoHealConfig = "application/json"), (String = "application/xml"))), responses(
    (status = 200, body = SavedRules), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(in super::super) async fn save_auto_heal(
    State(console): Port,
    Path(app): Path<String>,
    principal: Principal,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SavedRules>, ApiError> {
    let app = app_name(&app)?;
    let read = rules_body::read(&headers, body, Whole::Yes)?;
    let saved = |held: &AutoHealConfig| principal.may_save(&read.rules, held).map(|()| read.rules.clone());
    console.change_auto_heal(&app, &saved).await?;
    let notes = [read.notes, read.rules.notes(), read.rules.warnings()].concat();
    Ok(Json(SavedRules { rules: read.rules, notes }))
}

/// When rules would have acted in the last 24 hours, whether or not they are saved or switched on. The body is as for saving;
/// `autoHealEnabled` may be left out.
#[utoipa::path(post, path = "/api/v1/apps/{app}/auto-heal/dry-run", params(("app" = String, Path)),
    request_body(content((AutoHealConfig = "application/json"), (String = "application/xml"))), responses(
    (status = 200, body = DryRun), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in super::super) async fn dry_run(
    State(console): Port,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DryRun>, ApiError> {
    let app = app_name(&app)?;
    let read = rules_body::read(&headers, body, Whole::No)?;
    Ok(Json(console.dry_run(&app, &read.rules).await?))
}

/// The fuse, and what each rule sees now on each instance.
#[utoipa::path(get, path = "/api/v1/apps/{app}/auto-heal/status", params(("app" = String, Path)), responses(
    (status = 200, body = AppHeal), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(in super::super) async fn auto_heal_status(
    State(console): Port,
    Path(app): Path<String>,
) -> Result<Json<AppHeal>, ApiError> {
    let app = app_name(&app)?;
    if console.proactive(&app).is_none() {
        return Err(ConsoleError::NoSuchApp(app).into());
    }
    let heal = console.snapshot().heal.get(&app).cloned();
    heal.map(Json).ok_or_else(|| {
        ApiError::Conflict("auto-heal has not looked at this app yet; ask again in a second".to_owned())
    })
}

/// What re-arming found.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct Rearmed {
    /// The fuse was blown; otherwise only its count began anew.
    was_blown: bool,
}

/// Arms the fuse of an app's proactive rules again.
#[utoipa::path(post, path = "/api/v1/apps/{app}/auto-heal/fuse/rearm", params(("app" = String, Path)), responses(
    (status = 200, body = Rearmed), (status = 404, body = ErrorBody)))]
pub(in super::super) async fn rearm_fuse(
    State(console): Port,
    Path(app): Path<String>,
    _: Principal,
) -> Result<Json<Rearmed>, ApiError> {
    let was_blown = console.rearm_fuse(&app_name(&app)?).await?;
    Ok(Json(Rearmed { was_blown }))
}

/// The restarts of an app, with their evidence, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/restarts", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<Restart>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in super::super) async fn restarts(
    State(console): Port,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<Restart>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    Ok(Json(console.restarts(&app, range, ROWS_LIMIT).await?))
}

/// What auto-heal did short of a restart – logged, ran an action, or did nothing and why –, newest first, at most 1,000.
#[utoipa::path(get, path = "/api/v1/apps/{app}/heal-events", params(("app" = String, Path), FromTo), responses(
    (status = 200, body = Vec<HealEvent>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in super::super) async fn heal_events(
    State(console): Port,
    Path(app): Path<String>,
    query: Result<Query<FromTo>, QueryRejection>,
) -> Result<Json<Vec<HealEvent>>, ApiError> {
    let app = app_name(&app)?;
    let range = read_query(query)?.range(console.now())?;
    Ok(Json(console.heal_events(&app, range, ROWS_LIMIT).await?))
}

/// Asks for an overlapped restart of one instance. Answers when it has begun, with how the instance is then; its record is among
/// the app's restarts when it has ended.
#[utoipa::path(post, path = "/api/v1/apps/{app}/instances/{instance}/restart",
    params(("app" = String, Path), ("instance" = u16, Path, description = "Its number, from 0.")), responses(
    (status = 202, body = InstanceStatus, description = "It has begun."),
    (status = 404, body = ErrorBody, description = "There is no such app or instance."),
    (status = 409, body = ErrorBody, description = "It is not running, or a restart is under way.")))]
pub(in super::super) async fn restart(
    State(console): Port,
    Path((app, instance)): Path<(String, String)>,
    _: Principal,
) -> Result<(StatusCode, Json<InstanceStatus>), ApiError> {
    let app = app_name(&app)?;
    let index = instance.parse::<u16>().ok().filter(|index| find(&*console, &app, *index).is_some());
    let missing = || {
        if console.proactive(&app).is_none() {
            return ConsoleError::NoSuchApp(app.clone()).into();
        }
        ApiError::NotFound(format!("there is no such instance of `{app}`; /api/v1/apps/{app} lists all"))
    };
    let index = index.ok_or_else(missing)?;
    console.restart(&app, index).await?;
    find(&*console, &app, index).map(|status| (StatusCode::ACCEPTED, Json(status))).ok_or_else(missing)
}

fn find(console: &dyn Console, app: &AppName, index: u16) -> Option<InstanceStatus> {
    let snapshot = console.snapshot();
    snapshot.app(app)?.instances.iter().find(|instance| instance.index == index).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_xml_and_nothing_else_gets_it() {
        let cases = [
            ("application/xml", true),
            ("text/xml; charset=utf-8", true),
            ("Application/XML, */*;q=0.1", true),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false),
            ("application/json, application/xml", false),
            ("*/*", false),
        ];
        for (accept, xml) in cases {
            let headers = [(ACCEPT, accept.parse().unwrap())].into_iter().collect();
            assert_eq!(asks_for_xml(&headers), xml, "{accept}");
        }
        assert!(!asks_for_xml(&HeaderMap::new()));
    }
}
