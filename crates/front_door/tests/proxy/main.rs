//! The front door on real sockets: what clients and workers see of it.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod answers;
mod choosing;
mod counting;
mod deaths;
mod draining;
mod framing;
mod handed_on;
mod idle;
mod killed;
mod limits;
mod messages;
mod moving;
mod open_streams;
mod paths;
mod processes;
mod retries;
mod sharing;
mod silence;
mod streams;
mod support;
mod tallies;
mod tunnels;
