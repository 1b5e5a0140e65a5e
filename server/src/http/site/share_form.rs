//! `POST …/share`: the form that makes a share link, and `POST /shares/{id}/revoke`. A link that was made stands in the answer alone:
//! an address that led back to it would stand in the browser's history and in logs.

use app::{Console, LinkBase, ShareReply, ShareTicks, ToShare};
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use insight::detectors::detector;
use model::range::read_range;
use serde::Deserialize;

use super::Site;
use crate::http::Asked;
use crate::http::link::Base;

type Fields = Form<Vec<(String, String)>>;

/// Of an incident.
pub(super) async fn incident(
    State(site): State<Site>,
    Asked(console): Asked,
    Base(base): Base,
    Path(id): Path<String>,
    parts: Parts,
    Form(fields): Fields,
) -> Response {
    let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
    submit(&site, &*console, &base, ToShare::Incident(id), parts, fields).await
}

/// The range, as the page's address has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Times {
    start_time: Option<String>,
    end_time: Option<String>,
}

/// Of a detector's report.
pub(super) async fn report(
    State(site): State<Site>,
    Asked(console): Asked,
    Base(base): Base,
    Path((app, _category, id)): Path<(String, String, String)>,
    Query(times): Query<Times>,
    parts: Parts,
    Form(fields): Fields,
) -> Response {
    let (Ok(app), Some(detector)) = (app.parse(), detector(&id)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let range = read_range(console.now(), times.start_time.as_deref(), times.end_time.as_deref()).range;
    submit(&site, &*console, &base, ToShare::Report { app, detector, range }, parts, fields).await
}

/// Of a restart.
pub(super) async fn restart(
    State(site): State<Site>,
    Asked(console): Asked,
    Base(base): Base,
    Path((app, restart)): Path<(String, String)>,
    parts: Parts,
    Form(fields): Fields,
) -> Response {
    let (Ok(app), Ok(restart)) = (app.parse(), restart.parse()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    submit(&site, &*console, &base, ToShare::Restart { app, restart }, parts, fields).await
}

async fn submit(
    site: &Site,
    console: &dyn Console,
    base: &LinkBase,
    what: ToShare,
    parts: Parts,
    fields: Vec<(String, String)>,
) -> Response {
    let field = |name: &str| fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
    let ticks = ShareTicks::read(field);
    let was_shown = field("shown") == Some(ShareTicks::word(ticks.included));
    let reply = if was_shown {
        match console.share(&what, ticks.included, ticks.expires_in).await {
            Ok(None) => return StatusCode::NOT_FOUND.into_response(),
            Ok(Some(made)) => ShareReply::Made {
                ticks,
                url: format!("{}{}", base.url, app::address::SHARED.of_token(&made.token.0)),
                expires_at: made.expires_at,
                is_shortened: made.is_shortened,
            },
            Err(error) => ShareReply::Refused { ticks, why: error.to_string(), status: error.status() },
        }
    } else {
        ShareReply::LookAgain { ticks }
    };
    let status = reply.status();
    site.show_again(parts, reply, status).await
}

/// Leads back to the list (303); `?revoked=` tells it how it went.
pub(super) async fn revoke(Asked(console): Asked, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse() else { return StatusCode::NOT_FOUND.into_response() };
    let word = match console.end_share(&id).await {
        Ok(true) => "yes",
        Ok(false) => return StatusCode::NOT_FOUND.into_response(),
        Err(app::ConsoleError::Forbidden(why)) => return super::forbidden(&why),
        Err(app::ConsoleError::Store(_)) => "failed",
        Err(_) => "refused",
    };
    Redirect::to(&format!("{}?revoked={word}", app::address::SHARES.template())).into_response()
}
