//! A request that may wait in a process which accepts connections, on its way to one that has died: it is asked whether it can be
//! taken back there.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use model::WorkerId;

use super::{Client, Fate, SecondTry};
use crate::accounting::decision::Decision;

/// One that may not be sent again is only taken back after this long, since it ends by that: it may be on its way to a process that
/// lives, and is busy. Ours: what most clients wait at least.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(10);

/// A connection to a worker that has brought no answer yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SilentConnection {
    pub(crate) opened: Duration,
    /// This side's.
    pub(crate) port: u16,
}

impl Client {
    /// The connection over which the request waits for the first byte that `worker` ever says there. [`Client::taken_back`] is to
    /// follow.
    pub(crate) fn ask_back(&self, worker: &WorkerId, now: Duration) -> Option<SilentConnection> {
        let current = self.current.borrow();
        let current = current.as_ref().filter(|current| self.can_be_interrupted(current, worker))?;
        let sent = current.sent.as_ref().filter(|sent| !self.is_told() && sent.is_silent())?;
        if current.second_try == SecondTry::Never && current.age(now) < GIVEN_UP_AFTER {
            return None;
        }
        sent.set_asked_back(true);
        Some(SilentConnection { opened: sent.opened, port: sent.port })
    }

    /// Of the connections that were asked for, the request over the one from this port was read by nobody.
    pub(crate) fn taken_back(&self, worker: &WorkerId, port: Option<u16>) {
        let current = self.current.borrow();
        let current = current.as_ref().filter(|current| self.can_be_interrupted(current, worker));
        let sent = current.and_then(|current| current.sent.as_ref());
        let (Some(current), Some(sent)) = (current, sent.filter(|sent| sent.is_asked_back())) else { return };
        if port != Some(sent.port) {
            sent.set_asked_back(false);
            self.wake();
        } else if current.second_try == SecondTry::Never {
            self.tell(Fate::Read(Arc::new(Decision::refusing())));
        } else {
            self.tell(Fate::Unread);
        }
    }

    /// Whether it is told that nobody has read the request; where it is asked back, once that is answered.
    pub(crate) async fn is_told_unread(&self) -> bool {
        std::future::poll_fn(|_| match &*self.fate.borrow() {
            Some(fate) => Poll::Ready(matches!(fate, Fate::Unread)),
            // whoever tells wakes the connection's task
            None if !self.is_interrupted() && self.is_asked_back() => Poll::Pending,
            None => Poll::Ready(false),
        })
        .await
    }

    fn is_asked_back(&self) -> bool {
        let current = self.current.borrow();
        let sent = current.as_ref().and_then(|current| current.sent.as_ref());
        sent.is_some_and(|sent| sent.is_asked_back())
    }
}
