//! The other side of a client connection, as workers are told of it.

use hyper::header::HeaderValue;

use crate::settings::Scheme;

/// What is the same for all requests of one client connection.
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: HeaderValue,
    /// What `Host` says where an HTTP/1.0 client did not.
    pub(crate) default_host: HeaderValue,
    pub(crate) scheme: Scheme,
}
