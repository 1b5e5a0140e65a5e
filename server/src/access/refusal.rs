//! Why a request is not answered, as it is told.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::caller::Unproven;
use super::host::NameRefusal;

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
