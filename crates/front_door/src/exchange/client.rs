//! One client connection and its current request, as their thread sees them: what is running for how long, and what a worker's
//! death interrupts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use hyper::Method;
use hyper::http::uri::PathAndQuery;
use model::WorkerId;
use model::path_template::PathCandidate;

use super::client_timeouts::ClientTimeouts;
use super::method_name::method_name;
use super::peer::Peer;
use super::router::Router;
use crate::accounting::affected_requests::{InterruptedRequest, Outcome};
use crate::accounting::answer_time::{AnswerTime, Kind};
use crate::accounting::passive_health::UNANSWERED_AFTER;
use crate::accounting::tallies::Running;
use crate::accounting::worker::Worker;

/// One client connection, which has at most one request at a time.
pub(crate) struct Client {
    pub(crate) router: Rc<Router>,
    pub(crate) peer: Peer,
    pub(crate) timeouts: Arc<ClientTimeouts>,
    pub(crate) current: RefCell<Option<CurrentRequest>>,
    /// A request's body was not read to its end.
    pub(crate) unread: Cell<bool>,
    /// The worker died while it had the request.
    interrupted: Cell<bool>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

/// The request that a connection has. The path is kept raw only here, so only as long as the request lives.
pub(crate) struct CurrentRequest {
    method: Method,
    path: Option<PathAndQuery>,
    pub(crate) time: AnswerTime,
    pub(crate) worker: Option<Arc<Worker>>,
    /// It was given to the worker, so it may have had an effect from then on; `true` once a byte came back.
    pub(crate) sent: Option<Rc<Cell<bool>>>,
    /// It may be tried once more as long as no byte came back.
    pub(crate) retryable: bool,
    /// It has counted as unanswered by its worker.
    pub(crate) counted_unanswered: bool,
    /// It is counted, so it is running no more: it has ended, or has become a tunnel.
    pub(crate) counted: bool,
}

impl Client {
    pub(crate) fn new(router: Rc<Router>, peer: Peer, timeouts: Arc<ClientTimeouts>) -> Self {
        Self {
            router,
            peer,
            timeouts,
            current: RefCell::default(),
            unread: Cell::default(),
            interrupted: Cell::default(),
            waker: RefCell::default(),
        }
    }

    /// Remembers how to wake the connection's task.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// The worker died while it had the request.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.get()
    }

    /// The request is at no dead worker, or no more.
    pub(crate) fn clear_interrupted(&self) {
        self.interrupted.set(false);
    }

    /// Nothing that the connection has read or written is needed any more.
    pub(crate) fn needs_no_buffers(&self) -> bool {
        self.timeouts.needs_no_buffers() && !self.unread.get()
    }

    /// Gives up the request if `worker` has it; says what it was.
    pub(crate) fn interrupt(&self, worker: &WorkerId, now: Duration) -> Option<InterruptedRequest> {
        let current = self.current.borrow();
        let current = current.as_ref().filter(|current| current.sent.is_some() && !self.is_interrupted())?;
        if current.worker.as_ref().is_none_or(|at| at.id != *worker) {
            return None;
        }
        self.interrupted.set(true);
        self.wake();
        let outcome = if current.may_retry() { Outcome::Undecided } else { Outcome::Fails };
        Some(current.interrupted(now, outcome))
    }

    /// Counts what a worker has of it now: a running request, a stream or a tunnel.
    pub(crate) fn tally(&self, now: Duration) {
        let current = self.current.borrow();
        let Some(current) = &*current else { return };
        let Some(worker) = &current.worker else { return };
        let (kind, counts) = (current.time.kind(now), &self.router.counts);
        match kind {
            Kind::Stream | Kind::Tunnel => counts.open(worker, kind, current.age(now)),
            Kind::Request if current.counted => {}
            Kind::Request => counts.running(&Running {
                worker,
                time: current.time.time(|| now),
                path: current.path(),
                waits: self.is_unanswered(current),
            }),
        }
    }

    /// A request that has waited for long without a byte counts as unanswered by its worker, once.
    pub(crate) fn count_if_unanswered(&self, now: Duration) {
        if let Some(current) = &mut *self.current.borrow_mut()
            && !current.counted_unanswered
            && current.age(now) >= UNANSWERED_AFTER
            && self.is_unanswered(current)
            && let Some(worker) = &current.worker
        {
            worker.health.note_unanswered(now);
            current.counted_unanswered = true;
        }
    }

    /// A worker has the request, or does not take its connection, and no byte came back. As long as the client has not sent all
    /// of the body, it is the worker that waits.
    pub(crate) fn is_unanswered(&self, current: &CurrentRequest) -> bool {
        let unheard = current.sent.as_ref().is_none_or(|heard| !heard.get() && !self.unread.get());
        current.worker.is_some() && unheard && !current.counted && !self.is_interrupted()
    }
}

impl CurrentRequest {
    pub(crate) fn new(method: Method, path: Option<PathAndQuery>, started: Duration) -> Self {
        Self {
            method,
            path,
            time: AnswerTime::new(started),
            worker: None,
            sent: None,
            retryable: false,
            counted_unanswered: false,
            counted: false,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.as_ref().map_or("/", PathAndQuery::path)
    }

    /// How long it has been there.
    pub(crate) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.time.started())
    }

    /// It may be tried again, and no byte of an answer has come.
    pub(crate) fn may_retry(&self) -> bool {
        self.retryable && self.sent.as_ref().is_some_and(|heard| !heard.get())
    }

    pub(crate) fn interrupted(&self, now: Duration, outcome: Outcome) -> InterruptedRequest {
        let age = self.age(now);
        InterruptedRequest {
            started: self.time.started(),
            method: method_name(&self.method),
            path: PathCandidate::of(self.path()),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            kind: self.time.kind(now),
            outcome,
        }
    }
}
