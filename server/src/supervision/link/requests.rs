//! What the ends of a worker's processes mean for the requests that it has.

use std::pin::Pin;
use std::time::Duration;

use front_door::Death;
use model::crash::AffectedRequests;
use model::process_connections::ProcessConnections;
use model::{Clock, Exit, Signal};
use shim::SystemClock;
use shim::protocol::ToShim;
use tokio::time::Sleep;

use super::Link;
use crate::supervision::connected::Question;

/// Between the looks for what was on the way to a process that has ended: at once, and again, since whoever hands it on may not
/// have noticed at first, and each look takes one request. Ours: a master that has been busy for 10 s has clients that gave up.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_secs(2),
    Duration::from_secs(8),
];

/// When to look next.
#[derive(Default)]
pub(super) struct TakingBack {
    pause: Option<Pin<Box<Sleep>>>,
    later: std::slice::Iter<'static, Duration>,
    /// The shim has not answered the last time yet.
    is_asked: bool,
}

impl TakingBack {
    /// A process has ended that another one hands its connections.
    pub(super) fn begin(&mut self) {
        self.later = PAUSES.iter();
        self.go_on();
    }

    /// Waits for the next look; for ever where none is to come. Nothing is lost when this is not awaited to its end.
    pub(super) async fn is_due(&mut self) {
        match &mut self.pause {
            Some(pause) if !self.is_asked => pause.await,
            _ => std::future::pending().await,
        }
        self.go_on();
    }

    fn go_on(&mut self) {
        self.pause = self.later.next().map(|pause| Box::pin(tokio::time::sleep(*pause)));
    }
}

impl Link {
    /// Has what the worker was answering answered, and says what that was.
    pub(super) async fn affected(
        &self,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> AffectedRequests {
        match &self.front_door {
            Some(front_door) => {
                front_door.worker_crashes(&self.worker, death, connections.map(by_own_clock).as_ref()).await
            }
            None => AffectedRequests::default(),
        }
    }

    /// The same where one process of several has died.
    pub(super) async fn affected_by_child(
        &self,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> AffectedRequests {
        match &self.front_door {
            Some(front_door) => {
                front_door.process_died(&self.worker, death, connections.map(by_own_clock).as_ref()).await
            }
            None => AffectedRequests::default(),
        }
    }

    /// What to ask the shim for, where a request may be on its way to a process that has ended.
    pub(super) async fn take_back(&self, taking_back: &mut TakingBack) -> Option<Question> {
        let from = self.front_door.as_ref()?.ask_back(&self.worker).await;
        taking_back.is_asked = !from.is_empty();
        taking_back.is_asked.then(|| Question { what: ToShim::TakeBack { from }, waiting: None })
    }

    /// The request from this port, if there was one, is sent again.
    pub(super) fn taken_back(&self, taking_back: &mut TakingBack, from: Option<u16>) {
        taking_back.is_asked = false;
        if let Some(front_door) = &self.front_door {
            front_door.taken_back(&self.worker, from);
        }
    }
}

fn by_own_clock(told: ProcessConnections) -> ProcessConnections {
    told.by_clock(SystemClock::since_boot(), SystemClock.monotonic())
}

/// SIGKILL comes from outside, except for want of memory, which a request may have asked for.
pub(super) fn death(exit: Exit, oom_killed: bool) -> Death {
    if exit == Exit::Signal(Signal::KILL) && !oom_killed { Death::Killed } else { Death::ByItself }
}
