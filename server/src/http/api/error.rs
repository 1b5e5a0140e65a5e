//! Why a request of the API has no answer, as it is told.

use app::{ConsoleError, StoreFailure};
use app_service::arm;
use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use insight::violation;
use model::auto_heal::config::Violation;
use serde::Serialize;
use utoipa::ToSchema;

use crate::accounts::{ChangeError, SignInError};

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum ApiError {
    /// 400.
    #[error("{0}")]
    Refused(String),
    /// 400: fields of the body.
    #[error("{}", violation::list(.0))]
    Invalid(Vec<Violation>),
    /// 401.
    #[error("{0}")]
    NotSignedIn(String),
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// 404.
    #[error("{0}")]
    NotFound(String),
    /// 405.
    #[error("Method not allowed.")]
    MethodNotAllowed,
    /// 409.
    #[error("{0}")]
    Conflict(String),
    /// 429: and after how many seconds it may be tried again.
    #[error("{0}")]
    Paused(String, u64),
    /// 500.
    #[error("{0}")]
    Unreadable(String),
    /// 500, 503 or 507.
    #[error("{0}")]
    Store(StoreFailure),
}

/// An error's body.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct ErrorBody {
    /// What failed and where, for a person.
    pub(in crate::http) error: String,
    /// Stays the same from release to release, for a program.
    pub(in crate::http) code: &'static str,
    /// What to do about it.
    pub(in crate::http) remedy: &'static str,
    /// Each field that was refused, where fields were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::http) fields: Vec<FieldError>,
}

/// A field that was refused.
#[derive(Serialize, ToSchema)]
pub(in crate::http) struct FieldError {
    /// Its path, such as `autoHealRules.triggers.statusCodes[0].count`.
    field: String,
    /// What was given, shortened; absent where nothing was.
    received: Option<String>,
    /// What is taken, to be read after "must be", such as `1 to 64`.
    accepted: String,
    /// What else to do about it; empty where giving what is taken is all.
    remedy: &'static str,
    /// All of it in one sentence.
    message: String,
}

impl From<Violation> for FieldError {
    fn from(violation: Violation) -> Self {
        let message = violation::message(&violation);
        let Violation { field, received, accepted, remedy } = violation;
        let remedy = remedy.map(violation::remedy).unwrap_or_default();
        Self { field, received, accepted: violation::accepted(&accepted), remedy, message }
    }
}

impl ApiError {
    pub(super) fn not_found(what: &str) -> Self {
        Self::NotFound(format!("{what}. See /api/v1/openapi.json."))
    }

    const fn told(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Refused(_) => {
                (StatusCode::BAD_REQUEST, "bad_request", "Correct the request. See /api/v1/openapi.json.")
            }
            Self::Invalid(_) => {
                (StatusCode::BAD_REQUEST, "invalid_fields", "Correct the fields. Nothing was changed.")
            }
            Self::NotSignedIn(_) => {
                (StatusCode::UNAUTHORIZED, "sign_in_failed", "Correct name and password, then retry.")
            }
            Self::Paused(..) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Wait as Retry-After says, then retry.")
            }
            Self::Forbidden(_) => {
                (StatusCode::FORBIDDEN, "forbidden", "Send the request as a user who may do this.")
            }
            Self::NotFound(_) => {
                (StatusCode::NOT_FOUND, "not_found", "See /api/v1/openapi.json and /api/v1/apps.")
            }
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "See /api/v1/openapi.json for its methods.",
            ),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "Wait until this is over, then retry."),
            Self::Unreadable(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "unreadable", "Check the file and the folders above it.")
            }
            Self::Store(StoreFailure::Failed) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "database_failed", "See the Medic log for the cause.")
            }
            Self::Store(StoreFailure::Unavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable", "Restore the database, then retry.")
            }
            Self::Store(StoreFailure::Full) => {
                (StatusCode::INSUFFICIENT_STORAGE, "disk_full", "Free disk space, then retry.")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, remedy) = self.told();
        let error = self.to_string();
        let wait = if let Self::Paused(_, seconds) = &self { Some(*seconds) } else { None };
        let violations = if let Self::Invalid(violations) = self { violations } else { Vec::new() };
        let fields = violations.into_iter().map(FieldError::from).collect();
        let mut response = (status, Json(ErrorBody { error, code, remedy, fields })).into_response();
        if let Some(seconds) = wait {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<ConsoleError> for ApiError {
    fn from(error: ConsoleError) -> Self {
        match error {
            ConsoleError::NoSuchApp(_) => Self::NotFound(error.to_string()),
            ConsoleError::Refused(reason) => Self::Refused(reason),
            ConsoleError::Invalid(violations) => Self::Invalid(arm::named(violations)),
            ConsoleError::Forbidden(reason) => Self::Forbidden(reason),
            ConsoleError::Conflict(reason) => Self::Conflict(reason),
            ConsoleError::Unreadable(reason) => Self::Unreadable(reason),
            ConsoleError::Store(failure) => Self::Store(failure),
        }
    }
}

impl From<SignInError> for ApiError {
    fn from(error: SignInError) -> Self {
        let said = error.to_string();
        match error {
            SignInError::Wrong => Self::NotSignedIn(said),
            SignInError::Paused(left) => Self::Paused(said, left.as_secs() + 1),
            SignInError::Busy => Self::Paused(said, 5),
            SignInError::NoAccount => Self::Conflict(said),
            SignInError::Store(error) => Self::Store(StoreFailure::Unavailable(error.reason())),
            SignInError::Random => Self::Unreadable(said),
        }
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let said = error.to_string();
        match error {
            ChangeError::Unknown(_) => Self::NotFound(said),
            ChangeError::Exists(_)
            | ChangeError::NotOwner
            | ChangeError::LastOwner(_)
            | ChangeError::TooMany
            | ChangeError::NotOffered => Self::Conflict(said),
            ChangeError::Password(_) => Self::Refused(said),
            ChangeError::Busy(_) => Self::Paused(said, 5),
            ChangeError::Store(error) => Self::Store(StoreFailure::Unavailable(error.reason())),
        }
    }
}
