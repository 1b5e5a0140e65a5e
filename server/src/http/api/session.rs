//! `POST` and `DELETE /api/v1/session`, `GET /api/v1/me`: signing in and out, and who one is.

use app::{Console, Reader};
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use model::account::{Account, AccountRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use crate::access::{Arrival, Principal, cookie};
use crate::accounts::Accounts;
use crate::http::Asked;
use crate::http::origin::origin;

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct SignInBody {
    name: String,
    password: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct MeBody {
    /// `person`; `machine` for a user of this machine while there is no account, and for Medic's own user and root by the Unix
    /// socket.
    kind: &'static str,
    /// Of a person.
    account: Option<Account>,
    /// What the person may do, or `owner` where there is no account to ask for.
    role: AccountRole,
}

impl MeBody {
    fn of(console: &dyn Console) -> Self {
        match console.reader() {
            Reader::Person(person) => {
                let role = person.account.role;
                Self { kind: "person", account: Some(person.account), role }
            }
            _ => Self { kind: "machine", account: None, role: AccountRole::Owner },
        }
    }
}

/// Signs in: the answer's cookie is sent with every further request. After wrong passwords it takes a pause to be tried again.
#[utoipa::path(post, path = "/api/v1/session", request_body = SignInBody, responses(
    (status = 200, body = Account, description = "Signed in; the cookie is in Set-Cookie."),
    (status = 401, body = ErrorBody, description = "Name or password is wrong."),
    (status = 409, body = ErrorBody, description = "No account exists."),
    (status = 429, body = ErrorBody, description = "Too many wrong passwords; Retry-After says how long to wait.")))]
pub(in crate::http) async fn sign_in(
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    headers: HeaderMap,
    body: Result<Json<SignInBody>, JsonRejection>,
) -> Result<Response, ApiError> {
    let wrong = |_| ApiError::Refused("Invalid body: send JSON with name and password.".to_owned());
    let Json(SignInBody { name, password }) = body.map_err(wrong)?;
    let signed_in = accounts.sign_in(&name, password, origin(arrival, &headers)).await?;
    let mut response = Json(signed_in.person.account).into_response();
    response.headers_mut().extend(cookie::set(&signed_in.token, arrival).map(|value| (SET_COOKIE, value)));
    Ok(response)
}

/// Signs out: ends the session whose cookie is sent.
#[utoipa::path(delete, path = "/api/v1/session", responses(
    (status = 204, description = "Signed out."),
    (status = 401, body = ErrorBody, description = "Nobody is signed in.")))]
pub(in crate::http) async fn sign_out(
    Extension(accounts): Extension<Accounts>,
    Extension(arrival): Extension<Arrival>,
    Extension(principal): Extension<Principal>,
) -> Result<Response, ApiError> {
    let Some(person) = principal.person() else {
        return Err(ApiError::Conflict("The request is of no session.".to_owned()));
    };
    let ended = accounts.end_session(&person.account.name, person.session.as_str()).await;
    if let Err(error) = ended {
        tracing::error!(%error, "a session ended here, but not in the database");
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(cookie::clear(arrival).map(|value| (SET_COOKIE, value)));
    Ok(response)
}

/// Who asks, and what they may do.
#[utoipa::path(get, path = "/api/v1/me", responses((status = 200, body = MeBody)))]
pub(in crate::http) async fn me(Asked(console): Asked) -> Json<MeBody> {
    Json(MeBody::of(&*console))
}
