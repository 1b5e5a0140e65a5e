//! `/api/v1/accounts`: who may sign in. `medic user` asks here while a server runs.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::{Extension, Json};
use model::AppName;
use model::account::{Account, AccountName, AccountRole};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use crate::access::{Operation, Principal};
use crate::accounts::{Accounts, NewAccount};
use crate::http::Asked;

/// What an account may do.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleBody {
    pub role: AccountRole,
    /// The apps that it is for; none stand for all.
    #[serde(default)]
    pub apps: BTreeSet<AppName>,
}

/// A new password.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    pub password: String,
}

type Read<T> = Result<Json<T>, JsonRejection>;

/// All accounts, by name; for an owner for all apps.
#[utoipa::path(get, path = "/api/v1/accounts", responses(
    (status = 200, body = Vec<Account>), (status = 403, body = ErrorBody)))]
pub(in crate::http) async fn accounts(Asked(console): Asked) -> Result<Json<Vec<Account>>, ApiError> {
    Ok(Json(console.accounts()?))
}

/// Adds an account. The first one must be an owner for all apps; from then on everybody must sign in.
#[utoipa::path(post, path = "/api/v1/accounts", request_body = NewAccount, responses(
    (status = 201, body = Account), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "There is one of that name, or the first is no owner for all apps.")))]
pub(in crate::http) async fn add_account(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
    body: Read<NewAccount>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    principal.may(Operation::ChangeAccounts)?;
    let account = accounts.add(read(body)?).await?;
    Ok((StatusCode::CREATED, Json(account)))
}

/// Removes an account and ends its sessions.
#[utoipa::path(delete, path = "/api/v1/accounts/{name}", params(("name" = String, Path)), responses(
    (status = 204, description = "It is gone."), (status = 403, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "It is the last owner for all apps.")))]
pub(in crate::http) async fn remove_account(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<StatusCode, ApiError> {
    principal.may(Operation::ChangeAccounts)?;
    accounts.remove(&account_name(&name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an account another password and ends its sessions.
#[utoipa::path(put, path = "/api/v1/accounts/{name}/password", params(("name" = String, Path)),
    request_body = PasswordBody, responses(
    (status = 204, description = "It is in force."), (status = 400, body = ErrorBody),
    (status = 403, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(in crate::http) async fn change_password(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    body: Read<PasswordBody>,
) -> Result<StatusCode, ApiError> {
    principal.may(Operation::ChangeAccounts)?;
    accounts.change_password(&account_name(&name)?, read(body)?.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives an account another role.
#[utoipa::path(put, path = "/api/v1/accounts/{name}/role", params(("name" = String, Path)),
    request_body = RoleBody, responses(
    (status = 200, body = Account), (status = 400, body = ErrorBody), (status = 403, body = ErrorBody),
    (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody, description = "It is the last owner for all apps.")))]
pub(in crate::http) async fn change_role(
    Extension(accounts): Extension<Accounts>,
    Extension(principal): Extension<Principal>,
    Path(name): Path<String>,
    body: Read<RoleBody>,
) -> Result<Json<Account>, ApiError> {
    principal.may(Operation::ChangeAccounts)?;
    let RoleBody { role, apps } = read(body)?;
    Ok(Json(accounts.change_role(&account_name(&name)?, role, apps).await?))
}

fn account_name(text: &str) -> Result<AccountName, ApiError> {
    text.parse().map_err(|error| ApiError::NotFound(format!("Account not found: {error}.")))
}

fn read<T>(body: Read<T>) -> Result<T, ApiError> {
    let wrong = |rejection: JsonRejection| {
        // what serde says names the field; what stands there may be a password
        let text = rejection.body_text();
        let field = text.split('`').nth(1).map_or_else(String::new, |field| format!(": {field}"));
        ApiError::Refused(format!("Invalid body{field}. See /api/v1/openapi.json."))
    };
    body.map(|Json(body)| body).map_err(wrong)
}
