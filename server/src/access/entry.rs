//! Who comes in when everybody must sign in: whoever brings a session's cookie, and Medic's own user and root by the Unix socket.
//! Whoever is neither gets the few things that are there before a sign-in, and is led to that from everything else.
//!
//! Tokens of programs, once there are some, are taken here as well.

use app::address;
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::arrival::Arrival;
use super::asked::proxy_header;
use super::caller::Caller;
use super::cookie;
use super::principal::Principal;
use crate::accounts::Accounts;

/// Where the site's own style, scripts and pictures are.
const PUBLIC: [&str; 2] = ["/pkg/", "/favicon.svg"];

/// Who asks; nobody where they must sign in first.
pub(super) async fn principal(
    accounts: &Accounts,
    caller: Option<&Caller>,
    arrival: Arrival,
    (method, path, headers): (&Method, &str, &HeaderMap),
) -> Option<Principal> {
    let known = match caller {
        // a proxy of Medic's user speaks for others
        Some(caller) if caller.is_unix() && proxy_header(headers).is_some() => None,
        Some(caller) if caller.is_unix() => operator(caller).await,
        _ => person(accounts, arrival, headers),
    };
    known.or_else(|| is_public(method, path).then(Principal::stranger))
}

/// Over TCP not even root is known without a session: programs of this machine's may speak for anybody.
async fn operator(caller: &Caller) -> Option<Principal> {
    caller.user().await.ok().map(Principal::of).filter(Principal::is_operator)
}

fn person(accounts: &Accounts, arrival: Arrival, headers: &HeaderMap) -> Option<Principal> {
    accounts.person_of(cookie::token(headers, arrival)?).map(Principal::person_of)
}

fn is_public(method: &Method, path: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let is_file = PUBLIC.iter().any(|public| path.starts_with(public));
    (reads && (is_file || address::HEALTH.matches(path)))
        || ((reads || *method == Method::POST) && address::SIGN_IN.matches(path))
        || (*method == Method::POST && address::SESSION_API.matches(path))
}

/// In the shape of what was asked: a person is led to the page for it and back, a program is told.
pub(super) fn lead_to_sign_in(request: &Request) -> Response {
    #[derive(Serialize)]
    struct ErrorBody {
        error: &'static str,
        code: &'static str,
        remedy: &'static str,
    }
    let (path, reads) = (request.uri().path(), matches!(*request.method(), Method::GET | Method::HEAD));
    if path.starts_with("/api/") {
        let body = ErrorBody {
            error: "Not signed in.",
            code: "sign_in_required",
            remedy: "Send the cookie of POST /api/v1/session, or use the Unix socket medic.sock in Medic's data_dir.",
        };
        return (StatusCode::UNAUTHORIZED, Json(body)).into_response();
    }
    if address::EVENTS.matches(path) {
        return (StatusCode::UNAUTHORIZED, "Not signed in.\n").into_response();
    }
    let back = request.uri().path_and_query().filter(|_| reads).map_or("/", |to| to.as_str());
    let location = HeaderValue::from_str(&address::sign_in_and_back_to(back));
    let location = location.unwrap_or(HeaderValue::from_static("/sign-in"));
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_there_before_a_sign_in() {
        let public = [
            ("GET", "/sign-in"),
            ("HEAD", "/sign-in"),
            ("POST", "/sign-in"),
            ("POST", "/api/v1/session"),
            ("GET", "/healthz"),
            ("GET", "/pkg/medic.css"),
            ("GET", "/favicon.svg"),
        ];
        for (method, path) in public {
            assert!(is_public(&method.parse().unwrap(), path), "{method} {path}");
        }
        let others = [
            ("GET", "/"),
            ("GET", "/pkg"),
            ("GET", "/events"),
            ("PUT", "/sign-in"),
            ("GET", "/sign-in/"),
            ("GET", "/api/v1/session"),
            ("DELETE", "/api/v1/session"),
            ("POST", "/healthz"),
            ("POST", "/pkg/medic.css"),
            ("GET", "/api/v1/apps"),
        ];
        for (method, path) in others {
            assert!(!is_public(&method.parse().unwrap(), path), "{method} {path}");
        }
    }
}
