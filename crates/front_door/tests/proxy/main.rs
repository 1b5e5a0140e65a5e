//! The front door on real sockets: what clients and workers see of it.

mod choosing;
mod counting;
mod deaths;
mod limits;
mod messages;
mod streams;
mod support;
mod tunnels;
