//! By which way a request came: what cookies, pauses after wrong passwords and records go by.

use std::net::IpAddr;

use axum::extract::Request;

use super::caller::Caller;

/// The guard adds it to every request that it lets in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Nobody between the browser and this machine reads it.
    pub is_https: bool,
    /// The other end's address; none for the Unix socket.
    pub from: Option<IpAddr>,
}

impl Arrival {
    pub(super) fn of(_request: &Request, caller: Option<&Caller>) -> Self {
        Self { is_https: false, from: caller.and_then(Caller::address) }
    }
}
