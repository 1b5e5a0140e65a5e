//! What the links begin with that Medic gives out: the one place that decides it.

use std::net::SocketAddr;
use std::sync::Arc;

use app::LinkBase;
use axum::http::header;
use axum::http::request::Parts;

use crate::access::Caller;

/// The dashboard's address.
#[derive(Clone, Copy)]
pub(super) struct Listening(pub(super) SocketAddr);

/// The address by which whoever asks has reached this Medic; on the Unix socket, where that is none, the one it listens at. The guard has
/// checked that the name is one of this machine.
pub(super) fn base(parts: &Parts) -> LinkBase {
    let is_by_address =
        parts.extensions.get::<Arc<Caller>>().is_some_and(|caller| caller.address().is_some());
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let listening = parts.extensions.get::<Listening>().map(|Listening(address)| address.to_string());
    let name = match host {
        Some(host) if is_by_address => host.to_owned(),
        _ => listening.unwrap_or_default(),
    };
    LinkBase { url: format!("http://{name}"), is_local: true }
}

/// The same for a handler.
pub(super) struct Base(pub(super) LinkBase);

impl<S: Sync> axum::extract::FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(base(parts)))
    }
}
