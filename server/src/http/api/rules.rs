//! `GET` and `PUT /api/v1/apps/{app}/auto-heal`: the user's rules in App Service's shape.

use app_service::arm::Properties;
use app_service::{arm, web_config};
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use insight::custom_rules;
use model::auto_heal::AutoHealConfig;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{ApiError, ErrorBody};
use super::query::{app_name, read_query};
use super::rules_body::{self, Whole};
use crate::http::Asked;

/// What an export is called by who saves it.
const WEB_CONFIG: &str = "attachment; filename=\"web.config\"";

/// In which form the rules are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Format {
    /// `json` or `web.config`; without it as `Accept` asks for, and JSON where that leaves it open.
    format: Option<String>,
}

impl Format {
    fn is_web_config(&self, headers: &HeaderMap) -> Result<bool, ApiError> {
        match self.format.as_deref() {
            None | Some("") => Ok(asks_for_xml(headers)),
            Some("json") => Ok(false),
            Some("web.config") => Ok(true),
            Some(_) => Err(ApiError::Refused("Unknown format. Use json or web.config.".to_owned())),
        }
    }
}

/// The user's own rules for an app, in the shape of App Service's `config/web`; none are set where nothing was saved. A custom
/// action's `parameters` are `***` where they are set. As
/// `web.config` it is the old form's `<monitoring>`, with a comment on what that cannot say.
#[utoipa::path(get, path = "/api/v1/apps/{app}/auto-heal", params(("app" = String, Path), Format), responses(
    (status = 200, content((Properties = "application/json"), (String = "application/xml"))),
    (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn auto_heal(
    Asked(console): Asked,
    Path(app): Path<String>,
    query: Result<Query<Format>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let app = app_name(&app)?;
    let as_web_config = read_query(query)?.is_web_config(&headers)?;
    let rules = console.auto_heal(&app).await?;
    if !as_web_config {
        return Ok(Json(Properties::from(&rules)).into_response());
    }
    let headers = [(CONTENT_TYPE, "application/xml; charset=utf-8"), (CONTENT_DISPOSITION, WEB_CONFIG)];
    Ok((headers, exported(&rules)).into_response())
}

/// The rules as they were saved.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SavedRules {
    #[serde(flatten)]
    rules: Properties,
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
    request_body(content((Properties = "application/json"), (String = "application/xml"))), responses(
    (status = 200, body = SavedRules), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn save_auto_heal(
    Asked(console): Asked,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<SavedRules>, ApiError> {
    let app = app_name(&app)?;
    let read = rules_body::read(&headers, body, Whole::Yes)?;
    console.change_auto_heal(&app, &|_| Ok(read.rules.clone())).await?;
    let (given, unwise) =
        (custom_rules::notes(&read.rules, arm::field), custom_rules::warnings(&read.rules, arm::field));
    Ok(Json(SavedRules { rules: Properties::from(&read.rules), notes: [read.notes, given, unwise].concat() }))
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
