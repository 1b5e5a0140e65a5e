//! `POST /sign-in`, `/first-owner` and `/sign-out`: plain forms. Who has signed in is led back to the page that was asked for; who
//! has not sees the form again, with the name that was typed and never the password.

use app::{FirstOwnerReply, SignInReply, address};
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use model::account::AccountRole;
use serde::Deserialize;

use super::Site;
use crate::access::{Arrival, Principal, cookie};
use crate::accounts::{Accounts, ChangeError, NewAccount, SignInError, SignedIn};
use crate::http::origin::origin;

/// What the form of the sign-in holds.
#[derive(Deserialize)]
pub(super) struct Fields {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    to: String,
}

/// Signs in.
pub(super) async fn submit(
    State(site): State<Site>,
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    Extension(principal): Extension<Principal>,
    headers: HeaderMap,
    parts: Parts,
    Form(Fields { name, password, to }): Form<Fields>,
) -> Response {
    match accounts.sign_in(&name, password, origin(arrival, &headers)).await {
        Ok(signed_in) => {
            if let Some(person) = principal.person() {
                // the browser forgets the session that it had
                end(&accounts, person).await;
            }
            welcome(&signed_in, arrival, address::own_page(&to))
        }
        Err(error) => {
            let status = match &error {
                SignInError::Wrong => StatusCode::UNAUTHORIZED,
                SignInError::NoAccount => StatusCode::CONFLICT,
                SignInError::Paused(_) | SignInError::Busy => StatusCode::TOO_MANY_REQUESTS,
                SignInError::Store(_) | SignInError::Random => StatusCode::SERVICE_UNAVAILABLE,
            };
            let name: String = name.chars().take(64).collect();
            let reply = SignInReply { error: error.to_string(), name, to };
            let mut answer = site.show_again(parts, reply, status.as_u16()).await;
            if let SignInError::Paused(left) = error {
                answer.headers_mut().insert(header::RETRY_AFTER, (left.as_secs() + 1).into());
            }
            answer
        }
    }
}

/// What the form of the first owner holds.
#[derive(Deserialize)]
pub(super) struct FirstOwner {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

/// Makes the first owner by the address that was printed on the terminal.
pub(super) async fn add_first_owner(
    State(site): State<Site>,
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    parts: Parts,
    Form(FirstOwner { token, name, password, again }): Form<FirstOwner>,
) -> Response {
    let made = async {
        if password != again {
            return Err("The two passwords differ.".to_owned());
        }
        let parsed = name.trim().parse().map_err(|error| sentence(&error))?;
        let owner = NewAccount {
            name: parsed,
            email: None,
            role: AccountRole::Owner,
            apps: std::collections::BTreeSet::new(),
            password,
        };
        let added = accounts.add_first_owner(&token, owner, origin(arrival, &headers)).await;
        added.map_err(|error: ChangeError| sentence(&error))
    };
    match made.await {
        Ok(Ok(signed_in)) => welcome(&signed_in, arrival, "/"),
        // the account is there
        Ok(Err(_)) => redirect(&address::SIGN_IN.template()),
        Err(error) => {
            let name = name.chars().take(64).collect();
            let reply = FirstOwnerReply { error, name, token };
            site.show_again(parts, reply, StatusCode::BAD_REQUEST.as_u16()).await
        }
    }
}

/// Signs out, and leads to the sign-in.
pub(super) async fn sign_out(
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    Extension(principal): Extension<Principal>,
) -> Response {
    if let Some(person) = principal.person() {
        end(&accounts, person).await;
    }
    let mut answer = redirect(&address::SIGN_IN.template());
    answer.headers_mut().extend(cookie::clear(arrival).map(|value| (SET_COOKIE, value)));
    answer
}

async fn end(accounts: &Accounts, person: &crate::accounts::Person) {
    let ended = accounts.end_session(&person.account.name, person.session.as_str()).await;
    if let Err(error) = ended {
        tracing::error!(%error, "a session ended here, but not in the database");
    }
}

fn welcome(signed_in: &SignedIn, arrival: Arrival, to: &str) -> Response {
    let mut answer = redirect(to);
    answer.headers_mut().extend(cookie::set(&signed_in.token, arrival).map(|value| (SET_COOKIE, value)));
    answer
}

/// To a path of this site.
pub(super) fn redirect(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    let headers = [(header::LOCATION, to), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// An error's words as a sentence.
fn sentence(error: &dyn std::error::Error) -> String {
    let said = error.to_string();
    let mut letters = said.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}
