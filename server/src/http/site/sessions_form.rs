//! `POST /account/sessions/end`: ends one session of the account that asks, or all of them.

use app::address;
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use super::sign_in_form::redirect;
use crate::access::{Arrival, Principal, cookie};
use crate::accounts::Accounts;

/// Which button was pressed.
#[derive(Deserialize)]
pub(super) struct Fields {
    /// A session's id, or `all`.
    #[serde(default)]
    id: String,
}

pub(super) async fn end(
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    Extension(principal): Extension<Principal>,
    Form(Fields { id }): Form<Fields>,
) -> Response {
    let Some(person) = principal.person() else { return StatusCode::CONFLICT.into_response() };
    let name = &person.account.name;
    if id == "all" {
        if let Err(error) = accounts.end_sessions(name).await {
            tracing::error!(%error, "sessions ended here, but not in the database");
        }
        let mut answer = redirect(&address::SIGN_IN.template());
        answer.headers_mut().extend(cookie::clear(arrival).map(|value| (SET_COOKIE, value)));
        return answer;
    }
    let word = match accounts.end_session(name, &id).await {
        Ok(true) => "yes",
        Ok(false) => "unknown",
        Err(error) => {
            tracing::error!(%error, "a session ended here, but not in the database");
            "failed"
        }
    };
    redirect(&format!("{}?ended={word}", address::ACCOUNT.template()))
}
