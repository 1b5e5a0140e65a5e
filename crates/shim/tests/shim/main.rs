//! Shims as the server uses them: real processes that end in every way.

#![expect(clippy::unwrap_used, reason = "a test that meets an error has failed")]

mod crashes;
mod files;
mod fork_server;
mod handing_on;
mod hostile;
mod kernel;
mod leftovers;
mod lifecycle;
mod output;
mod protocol;
mod python;
mod serving;
mod support;
