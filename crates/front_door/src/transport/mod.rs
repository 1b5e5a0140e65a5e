//! Sockets: clients, connections to workers, and how many there may be.

pub(crate) mod connection_limit;
