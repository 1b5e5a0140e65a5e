//! `GET` and `DELETE /api/v1/sessions`, `DELETE /api/v1/sessions/{id}`: where one is signed in.

use app::Reader;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::{Extension, Json};
use model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use crate::access::Principal;
use crate::accounts::Accounts;
use crate::http::Asked;

/// One browser or program that is signed in.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct SessionBody {
    id: String,
    /// The one that asks.
    is_current: bool,
    made: Timestamp,
    last_seen: Timestamp,
    expires: Timestamp,
    address: String,
    agent: String,
}

/// The sessions of the account that asks, last used first.
#[utoipa::path(get, path = "/api/v1/sessions", responses((status = 200, body = Vec<SessionBody>)))]
pub(in crate::http) async fn sessions(Asked(console): Asked) -> Json<Vec<SessionBody>> {
    let own = match console.reader() {
        Reader::Person(person) => Some(person.session),
        _ => None,
    };
    let body = |session: model::account::Session| SessionBody {
        id: session.id.short().to_owned(),
        is_current: Some(&session.id) == own.as_ref(),
        made: session.made,
        last_seen: session.last_seen,
        expires: session.expires,
        address: session.address,
        agent: session.agent,
    };
    Json(console.sessions().into_iter().map(body).collect())
}

/// Ends all sessions of the account that asks, this one too.
#[utoipa::path(delete, path = "/api/v1/sessions", responses((status = 204, description = "Signed out everywhere.")))]
pub(in crate::http) async fn end_sessions(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
) -> Result<StatusCode, ApiError> {
    let person = principal.person().ok_or_else(nobody)?;
    accounts.end_sessions(&person.account.name).await.map_err(crate::accounts::ChangeError::from)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session of the account that asks.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", params(("id" = String, Path)), responses(
    (status = 204, description = "It has ended."),
    (status = 404, body = ErrorBody, description = "The account has no such session.")))]
pub(in crate::http) async fn end_session(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let person = principal.person().ok_or_else(nobody)?;
    let ended = accounts.end_session(&person.account.name, &id).await;
    if ended.map_err(crate::accounts::ChangeError::from)? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NotFound("Session not found. See /api/v1/sessions.".to_owned()))
    }
}

fn nobody() -> ApiError {
    ApiError::Conflict("The request is of no session.".to_owned())
}
