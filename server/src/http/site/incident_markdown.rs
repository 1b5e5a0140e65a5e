//! `/incidents/{id}/markdown`: an incident as text, to be copied by the page's button or read where there is no JavaScript.

use app::IncidentDeploys;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::IncidentId;

use crate::http::Asked;
use crate::http::link::Base;

/// So many of its crashes are listed.
const LISTED: u32 = 20;

/// The text. It is sent as `text/markdown` for programs; browsers that only show `text/plain` get that.
pub(super) async fn show(
    Asked(console): Asked,
    Path(id): Path<String>,
    Base(base): Base,
    headers: HeaderMap,
) -> Response {
    let Ok(id) = id.parse::<IncidentId>() else { return StatusCode::NOT_FOUND.into_response() };
    let incident = match console.incident(&id).await {
        Ok(Some(incident)) => incident,
        Ok(None) => {
            return (StatusCode::NOT_FOUND, format!("No incident {id} is recorded.\n")).into_response();
        }
        Err(error) => return refused(&error),
    };
    // of crashes that are counted with another incident, that one
    let id = &incident.id;
    let crashes = match console.crashes_of(id, LISTED).await {
        Ok(crashes) => crashes,
        Err(error) => return refused(&error),
    };
    let deploys = match IncidentDeploys::read(&*console, &incident).await {
        Ok(deploys) => deploys,
        Err(error) => return refused(&error),
    };
    let address = base.url + &app::address::INCIDENT.of_incident(id);
    let is_read =
        headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    let content_type = if is_read { "text/plain; charset=utf-8" } else { "text/markdown; charset=utf-8" };
    let text = app::markdown::incident(&incident, &crashes, &deploys, Some(&address));
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "private, no-store")], text)
        .into_response()
}

fn refused(error: &app::ConsoleError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, format!("{error}\n")).into_response()
}
