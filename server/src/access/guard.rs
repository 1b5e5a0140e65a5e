//! What every request passes before it is answered: a page from elsewhere that the user's browser has open must neither change
//! anything (cross-site requests) nor read anything (DNS rebinding, see [`super::host`]), which [`super::arrival`] sees to, and a
//! change needs a caller who is known: while there is no account by the kernel's word, from the first one on by a session
//! ([`super::entry`]). Whoever may be on another machine needs an account: while there is none, they get nothing.

use std::sync::Arc;

use app::address;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use super::arrival::{Arrival, Way};
use super::asked::{is_change, is_shared, proxy_header};
use super::caller::{Caller, Unproven};
use super::entry;
use super::principal::Principal;
use super::refusal::{Refusal, answer};
use crate::accounts::Accounts;

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

async fn prove(caller: Option<&Caller>, headers: &HeaderMap) -> Result<Principal, Unproven> {
    if let Some(header) = proxy_header(headers) {
        return Err(Unproven::Proxy(header));
    }
    let caller = caller.ok_or(Unproven::NotConnected)?;
    caller.user().await.map(Principal::of)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_write_a_log_line() {
        assert_eq!(logged("/a\nb\u{1b}[1m\u{202e}"), "/a\\nb\\u{1b}[1m\\u{202e}");
        assert!(logged(&"x".repeat(10_000)).len() <= LOGGED_PATH);
        assert_eq!(logged("/s/token/markdown"), "/s/***");
    }
}
