//! `/s/{token}`: what a share link shows. Whoever has the link reads it; nobody is asked who they are, no cookie is set or read, and
//! whatever opens nothing is answered the same, so that a stranger does not learn what there was.

mod misses;
mod opener;

use std::net::IpAddr;
use std::sync::Arc;

use app::shared;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use insight::share::SharedReport;

use crate::access::Arrival;
use crate::console::SharedLinks;
use misses::Misses;

/// Behind the token, for the text.
const MARKDOWN: &str = "/markdown";

const HEADERS: [(HeaderName, &str); 5] = [
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow, noarchive"),
    (header::CACHE_CONTROL, "private, no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

#[derive(Clone)]
struct Shared {
    links: SharedLinks,
    misses: Arc<Misses>,
    /// Where the style sheet is.
    style: Arc<str>,
}

/// One route for all that begins so: no other part of the site answers there.
pub(super) fn router(links: SharedLinks) -> Router {
    let misses = Arc::new(Misses::new(links.clock()));
    let shared = Shared { links, misses, style: super::site::style().into() };
    Router::new().route("/s/{*rest}", get(open)).layer(map_response(add_headers)).with_state(shared)
}

async fn add_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn open(
    State(shared): State<Shared>,
    Path(rest): Path<String>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    let (token, is_text) = match rest.strip_suffix(MARKDOWN) {
        Some(token) => (token, true),
        None => (rest.as_str(), false),
    };
    let by = opener::of(request.method(), request.headers());
    match shared.links.open(token, by).await {
        Ok(Some(report)) if is_text => text(report),
        Ok(Some(report)) => {
            let markdown = app::address::SHARED_MARKDOWN.of_token(token);
            html(StatusCode::OK, shared::page(report, &shared.style, &markdown))
        }
        Ok(None) => shared.miss(arrival.from),
        Err(_) => html(StatusCode::SERVICE_UNAVAILABLE, shared::unavailable(&shared.style)),
    }
}

impl Shared {
    fn miss(&self, from: Option<IpAddr>) -> Response {
        if from.is_none_or(|from| self.misses.allow(from)) {
            return html(StatusCode::NOT_FOUND, shared::not_found(&self.style));
        }
        let wait = misses::REFILL.as_secs().to_string();
        (
            StatusCode::TOO_MANY_REQUESTS,
            [(header::RETRY_AFTER, wait)],
            "Too many links that were not found.\n",
        )
            .into_response()
    }
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// As browsers show it.
fn text(report: SharedReport) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], shared::markdown(report)).into_response()
}
