//! What signals ask of a running Medic.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ServeError;

/// SIGTERM and SIGINT, which mean the same, SIGUSR1 and SIGHUP.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    hand_over: Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// End everything.
    Stop,
    /// End, and leave the workers to the next Medic.
    HandOver,
    Reload,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, ServeError> {
        let listen = |kind| {
            signal(kind).map_err(|source| ServeError::System { what: "listening for signals", source })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
            hand_over: listen(SignalKind::user_defined1())?,
        })
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
            _ = self.hand_over.recv() => Asked::HandOver,
        }
    }
}
