//! What every request passes before it is answered: a page from elsewhere that the user's browser has open must neither change
//! anything (cross-site requests) nor read anything (DNS rebinding, see [`super::host`]), which [`super::arrival`] sees to, and a
//! change needs a caller who is known: while there is no account by the kernel's word, from the first one on by a session
//! ([`super::entry`]). Whoever may be on another machine needs an account: while there is none, they get nothing.

use std::sync::Arc;

use app::address;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::arrival::{Arrival, Way};
use super::caller::{Caller, Unproven};
use super::entry;
use super::host::NameRefusal;
use super::principal::Principal;
use crate::accounts::Accounts;

/// What proxies add to what they pass on. (Names that begin with `x-forwarded` are theirs, too.)
const PROXY_HEADERS: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];
const FORWARDED: &str = "x-forwarded";
/// How much of a path the log is told.
const LOGGED_PATH: usize = 200;

/// Lets through what may be asked, with the [`Principal`] who asks.
pub async fn let_in(State(accounts): State<Accounts>, request: Request, next: Next) -> Response {
    // what a link opens is the same for everybody, and nothing there changes anything
    let is_shared = is_shared(request.uri().path());
    let is_change = !is_shared && is_change(request.method());
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    if accounts.are_in_force() && is_shared {
        return pass(Principal::stranger(), request, next).await;
    }
    if accounts.are_in_force() {
        let arrival = request.extensions().get::<Arrival>().copied().unwrap_or_default();
        let asked = (request.method(), request.uri().path(), request.headers());
        let Some(principal) = entry::principal(&accounts, caller.as_deref(), arrival, asked).await else {
            return entry::lead_to_sign_in(&request);
        };
        return if is_change {
            change(principal, request, next).await
        } else {
            pass(principal, request, next).await
        };
    }
    let way = request.extensions().get::<Way>().copied();
    if way.is_none_or(|way| way.may_be_elsewhere) {
        return answer(&Refusal::NoAccount, request.uri().path());
    }
    if !is_change {
        let is_private = [address::OUTPUT, address::OUTPUT_API]
            .iter()
            .any(|address| address.matches(request.uri().path()));
        // what is not everybody's is for this server's own pages, as a change is
        let is_own = is_private && way.is_some_and(|way| way.is_own_page);
        let principal = reader(caller.as_deref(), is_own, request.headers()).await;
        return pass(principal, request, next).await;
    }
    let principal = match prove(caller.as_deref(), request.headers()).await {
        Ok(principal) => principal,
        Err(unproven) => {
            let from = caller.map(|caller| caller.to_string()).unwrap_or_default();
            let refusal = Refusal::Unproven(unproven);
            let what = described(&request);
            tracing::warn!(from, "{what}: {refusal}");
            return answer(&refusal, request.uri().path());
        }
    };
    change(principal, request, next).await
}

async fn pass(principal: Principal, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// The log says who asked for it.
async fn change(principal: Principal, request: Request, next: Next) -> Response {
    let (by, what) = (principal.label(), described(&request));
    let response = pass(principal, request, next).await;
    tracing::info!(by, status = response.status().as_u16(), "change requested: {what}");
    response
}

fn described(request: &Request) -> String {
    format!("{} {}", request.method(), logged(request.uri().path()))
}

/// Who reads is asked where that is not everybody's; whoever cannot be told is nobody there, too.
async fn reader(caller: Option<&Caller>, is_asked: bool, headers: &HeaderMap) -> Principal {
    let known = if is_asked { prove(caller, headers).await.ok() } else { None };
    known.unwrap_or(Principal::anybody())
}

pub(super) fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

async fn prove(caller: Option<&Caller>, headers: &HeaderMap) -> Result<Principal, Unproven> {
    if let Some(header) = proxy_header(headers) {
        return Err(Unproven::Proxy(header));
    }
    let caller = caller.ok_or(Unproven::NotConnected)?;
    caller.user().await.map(Principal::of)
}

/// A proxy on this machine is somebody's process, and not whoever it speaks for.
pub(super) fn proxy_header(headers: &HeaderMap) -> Option<&'static str> {
    let of_proxy = |name: &str| {
        let known = PROXY_HEADERS.into_iter().find(|header| *header == name);
        known.or_else(|| name.starts_with(FORWARDED).then_some("x-forwarded-*"))
    };
    headers.keys().find_map(|name| of_proxy(name.as_str()))
}

/// Below this whoever has a link reads, and whoever else asks is told nothing.
pub(super) fn is_shared(path: &str) -> bool {
    path.starts_with("/s/")
}

/// A path is anybody's text: nothing of it may look like another line, or like another direction of writing. A link's token opens the
/// link, so it stands in no log.
fn logged(path: &str) -> String {
    if is_shared(path) {
        return "/s/***".to_owned();
    }
    let shown: String = path.chars().take(LOGGED_PATH).collect();
    shown.escape_debug().to_string()
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{}", said_of_name(*.0))]
    Name(NameRefusal),
    #[error("{}", said_of_proof(.0))]
    Unproven(Unproven),
    /// Whoever may be on another machine must sign in, and nobody can.
    #[error(
        "No account exists yet, so the dashboard is closed here. Make one on the machine that Medic runs on, with: medic user add \
         NAME --role owner"
    )]
    NoAccount,
}

const fn said_of_name(refusal: NameRefusal) -> &'static str {
    match refusal {
        NameRefusal::Malformed => {
            "Invalid Host header: send exactly one, such as 127.0.0.1:3000, localhost:3000 or [::1]:3000."
        }
        NameRefusal::Foreign => {
            "Host not accepted: Medic answers to 127.0.0.1, localhost, [::1] and the host of server.public_url only. Open \
             http://127.0.0.1 or http://localhost with the dashboard's port, from elsewhere through an SSH tunnel. A proxy \
             must pass on the Host header."
        }
        NameRefusal::Forwarded => {
            "Invalid X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host or Forwarded header: the proxy must send one kind of \
             them, X-Forwarded-… or Forwarded, and remove the other."
        }
        NameRefusal::Unencrypted => {
            "Open the address of server.public_url: it is served over https only. A proxy must be named in \
             server.trusted_proxies and send X-Forwarded-Proto."
        }
        NameRefusal::Origin => {
            "Change refused: a page of another site sent the request. Send it from Medic's own pages, or from a \
             program without an Origin header."
        }
    }
}

fn said_of_proof(unproven: &Unproven) -> String {
    let remedy = "or through the Unix socket medic.sock in Medic's data_dir";
    match unproven {
        Unproven::Proxy(header) => format!(
            "Change refused: the request came through a proxy (header {header}), which makes its sender unknown. Send \
             it from this machine without a proxy, {remedy}."
        ),
        Unproven::NotConnected => format!(
            "Change refused: the sender is unknown, because this machine has no established connection for the \
             request. Send it from this machine and keep the connection open until the answer arrives, {remedy}."
        ),
        Unproven::NoAnswer(why) => format!(
            "Change refused: the sender is unknown, because the kernel did not say who sent the request ({why}). \
             Allow Medic to use AF_NETLINK sockets, or send it through the Unix socket medic.sock in Medic's data_dir."
        ),
    }
}

impl Refusal {
    const fn code(&self) -> &'static str {
        match self {
            Self::Name(NameRefusal::Malformed) => "invalid_host",
            Self::Name(NameRefusal::Foreign) => "foreign_host",
            Self::Name(NameRefusal::Origin) => "foreign_origin",
            Self::Name(NameRefusal::Forwarded) => "invalid_forwarded",
            Self::Name(NameRefusal::Unencrypted) => "https_required",
            Self::NoAccount => "no_account",
            Self::Unproven(_) => "unknown_sender",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::Name(NameRefusal::Malformed | NameRefusal::Forwarded) => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// In the shape of what was asked.
pub(super) fn answer(refusal: &Refusal, path: &str) -> Response {
    #[derive(Serialize)]
    struct ErrorBody {
        error: String,
        code: &'static str,
    }
    let (status, error) = (refusal.status(), refusal.to_string());
    if path.starts_with("/api/") {
        let code = refusal.code();
        (status, Json(ErrorBody { error, code })).into_response()
    } else {
        (status, format!("{error}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_passes_on_is_known_by_any_of_its_headers() {
        let of = |name: &str| {
            let name: axum::http::HeaderName = name.parse().unwrap();
            proxy_header(&[(name, "x".parse().unwrap())].into_iter().collect())
        };
        for name in ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded", "X-Real-IP"] {
            assert!(of(name).is_some(), "{name}");
        }
        for name in ["Host", "User-Agent", "X-Requested-With", "Forward"] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn a_path_cannot_write_a_log_line() {
        assert_eq!(logged("/a\nb\u{1b}[1m\u{202e}"), "/a\\nb\\u{1b}[1m\\u{202e}");
        assert!(logged(&"x".repeat(10_000)).len() <= LOGGED_PATH);
        assert_eq!(logged("/s/token/markdown"), "/s/***");
    }
}
