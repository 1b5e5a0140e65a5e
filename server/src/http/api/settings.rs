//! `GET` and `PUT /api/v1/apps/{app}/settings`.

use std::collections::BTreeMap;

use app_service::settings::{SettingError, name, setting};
use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use model::settings::Setting;
use serde::Deserialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::query::app_name;
use crate::http::Asked;

/// An app's settings. One that was never set has its default: `True`, and `False` for `MEDIC_CAPTURE_FIRST_CRASH`, which attaches
/// the debugger before the first crash.
#[utoipa::path(get, path = "/api/v1/apps/{app}/settings", params(("app" = String, Path)), responses(
    (status = 200, body = BTreeMap<String, String>), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn settings(
    Asked(console): Asked,
    Path(app): Path<String>,
) -> Result<Json<BTreeMap<&'static str, String>>, ApiError> {
    let mut settings = console.settings(&app_name(&app)?).await?;
    let default = |setting: Setting| if setting.is_on_by_default() { "True" } else { "False" };
    let mut value = |setting| settings.0.remove(&setting).unwrap_or_else(|| default(setting).to_owned());
    Ok(Json(Setting::ALL.into_iter().map(|setting| (name(setting), value(setting))).collect()))
}

/// A setting as people send it: the text that App Service takes, or a JSON truth value.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(in crate::http) enum SettingValue {
    Truth(bool),
    Text(String),
}

const fn refusal(rejection: &JsonRejection) -> &'static str {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => {
            "Missing header. Send the settings with Content-Type: application/json."
        }
        JsonRejection::JsonSyntaxError(_) => "Invalid JSON. Send an object of setting names and values.",
        JsonRejection::JsonDataError(_) => {
            "Invalid settings. Send an object of setting names and values. A value must be true, false, text or null."
        }
        _ => "Cannot read the body. It must be UTF-8 and at most 64 KiB.",
    }
}

/// Changes an app's settings, all that are named or none; they are obeyed at once, and no worker is restarted. A setting that is
/// not named stays as it is; `null` leaves it to the app's environment and the default.
#[utoipa::path(put, path = "/api/v1/apps/{app}/settings", params(("app" = String, Path)),
    request_body = BTreeMap<String, SettingValue>, responses(
    (status = 200, body = BTreeMap<String, String>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 503, body = ErrorBody, description = "The database is unavailable."),
    (status = 507, body = ErrorBody, description = "The database's disk is full.")))]
pub(in crate::http) async fn save_settings(
    Asked(console): Asked,
    Path(app): Path<String>,
    body: Result<Json<BTreeMap<String, Option<SettingValue>>>, JsonRejection>,
) -> Result<Json<BTreeMap<&'static str, String>>, ApiError> {
    let app_name = app_name(&app)?;
    let Json(values) = body.map_err(|rejection| ApiError::Refused(refusal(&rejection).to_owned()))?;
    let text = |value| match value {
        SettingValue::Truth(true) => "True".to_owned(),
        SettingValue::Truth(false) => "False".to_owned(),
        SettingValue::Text(text) => text,
    };
    let change = |(name, value): (String, Option<SettingValue>)| Ok((setting(&name)?, value.map(text)));
    let changes = values.into_iter().map(change).collect::<Result<_, SettingError>>();
    let changes = changes.map_err(|error| ApiError::Refused(error.to_string()))?;
    console.change_settings(&app_name, changes).await?;
    settings(Asked(console), Path(app)).await
}
