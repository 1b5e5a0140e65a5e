//! What the links begin with that Medic gives out: the one place that decides it.

use std::net::SocketAddr;
use std::sync::Arc;

use app::LinkBase;
use axum::http::header;
use axum::http::request::Parts;

use crate::access::{Arrival, Reach};

/// The dashboard's address.
#[derive(Clone, Copy)]
pub(super) struct Listening(pub(super) SocketAddr);

/// What browsers elsewhere know this Medic by, or, without that, the address by which whoever asks has reached it; on the Unix socket, where
/// that is none, the one it listens at. The guard has checked that the name is one of Medic's.
pub(super) fn base(parts: &Parts) -> LinkBase {
    let reach = parts.extensions.get::<Arc<Reach>>();
    if let Some(url) = reach.and_then(|reach| reach.public_url.as_ref()) {
        return LinkBase { url: url.origin(), is_local: false };
    }
    let arrival = parts.extensions.get::<Arrival>().copied().unwrap_or_default();
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let listening = parts.extensions.get::<Listening>().map(|Listening(address)| address.to_string());
    let name = match host {
        Some(host) if arrival.from.is_some() => host.to_owned(),
        _ => listening.unwrap_or_default(),
    };
    let scheme = if arrival.is_https { "https" } else { "http" };
    LinkBase { url: format!("{scheme}://{name}"), is_local: true }
}

/// The same for a handler.
pub(super) struct Base(pub(super) LinkBase);

impl<S: Sync> axum::extract::FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(base(parts)))
    }
}
