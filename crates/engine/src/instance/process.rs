//! The process that runs on a place.

use std::time::Duration;

use model::{Monotonic, Now};

/// The process, as its shim told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) armed: bool,
    pub(super) uptime: Uptime,
}

/// How long a worker has run: a wall clock that is set makes it neither older nor younger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uptime {
    pub(super) heard_of: Monotonic,
    /// Of a worker that an earlier Medic started, as far as the wall clock tells.
    pub(super) before: Duration,
}

impl Uptime {
    pub(super) fn at(self, now: Now) -> Duration {
        self.before + now.monotonic.since(self.heard_of)
    }
}
