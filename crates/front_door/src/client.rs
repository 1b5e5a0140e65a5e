//! One client connection and the request that it has under way, as its thread sees them: what is running for how long, and what
//! a worker's death costs.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use hyper::Method;
use hyper::http::uri::PathAndQuery;
use model::WorkerId;
use model::path_template::PathCandidate;

use crate::accounting::affected_requests::{InterruptedRequest, Outcome};
use crate::accounting::passive_health::UNANSWERED_AFTER;
use crate::accounting::tallies::Running;
use crate::accounting::worker::Worker;
use crate::exchange::method_name::method_name;
use crate::headers::Peer;
use crate::pulse::Pulse;
use crate::tunnel::Tunnel;

/// One client connection, which has at most one request under way.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) pulse: Arc<Pulse>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
    pub(crate) underway: RefCell<Option<Underway>>,
    /// The worker died while it had the request.
    lost: Cell<bool>,
    /// A request's body was not read to its end.
    pub(crate) unread: Cell<bool>,
    /// What the connection becomes once its answer 101 is sent.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
}

/// The request that a connection has under way. The path is kept raw only here, so only as long as the request lives.
pub(crate) struct Underway {
    method: Method,
    path: Option<PathAndQuery>,
    started: Duration,
    pub(crate) worker: Option<Arc<Worker>>,
    /// It was given to the worker, so it may have had an effect from then on; `true` once a byte came back.
    pub(crate) sent: Option<Rc<Cell<bool>>>,
    /// It may be tried once more as long as no byte came back.
    pub(crate) repeatable: bool,
    /// It has counted as unanswered by its worker.
    pub(crate) waited: bool,
    /// It is counted, so it is running no more: it has ended, or has become a tunnel.
    pub(crate) counted: bool,
}

impl Client {
    pub(crate) fn new(peer: Peer, pulse: Arc<Pulse>) -> Self {
        Self {
            peer,
            pulse,
            waker: RefCell::default(),
            underway: RefCell::default(),
            lost: Cell::default(),
            unread: Cell::default(),
            tunnel: RefCell::default(),
        }
    }

    /// Remembers how to wake the connection's task.
    pub(crate) fn remember(&self, waker: &Waker) {
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

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// The request is at no dead worker, or no more.
    pub(crate) fn found(&self) {
        self.lost.set(false);
    }

    /// Gives up the request if `worker` has it; says what it was.
    pub(crate) fn lose(&self, worker: &WorkerId, now: Duration) -> Option<InterruptedRequest> {
        let underway = self.underway.borrow();
        let underway = underway.as_ref().filter(|underway| underway.sent.is_some() && !self.lost.get())?;
        if underway.worker.as_ref().is_none_or(|at| at.id != *worker) {
            return None;
        }
        self.lost.set(true);
        self.wake();
        Some(
            underway
                .interrupted(now, if underway.may_go_again() { Outcome::Undecided } else { Outcome::Fails }),
        )
    }

    /// Shows the request that is running at a worker, if there is one.
    pub(crate) fn running(&self, now: Duration, look: impl FnOnce(&Running<'_>)) {
        if let Some(underway) = &*self.underway.borrow()
            && let Some(worker) = &underway.worker
            && !underway.counted
        {
            let age = now.saturating_sub(underway.started);
            look(&Running { worker, age, path: underway.path(), waits: self.is_unanswered(underway) });
        }
    }

    /// A request that has waited for long without a byte counts as unanswered by its worker, once.
    pub(crate) fn count_if_unanswered(&self, now: Duration) {
        if let Some(underway) = &mut *self.underway.borrow_mut()
            && !underway.waited
            && now.saturating_sub(underway.started) >= UNANSWERED_AFTER
            && self.is_unanswered(underway)
            && let Some(worker) = &underway.worker
        {
            worker.health.note_unanswered(now);
            underway.waited = true;
        }
    }

    /// A worker has the request, or does not take its connection, and no byte came back. As long as the client has not sent all
    /// of the body, it is the worker that waits.
    pub(crate) fn is_unanswered(&self, underway: &Underway) -> bool {
        let unheard = underway.sent.as_ref().is_none_or(|heard| !heard.get() && !self.unread.get());
        underway.worker.is_some() && unheard && !underway.counted && !self.lost.get()
    }
}

impl Underway {
    pub(crate) fn new(method: Method, path: Option<PathAndQuery>, started: Duration) -> Self {
        Self {
            method,
            path,
            started,
            worker: None,
            sent: None,
            repeatable: false,
            waited: false,
            counted: false,
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.path.as_ref().map_or("/", PathAndQuery::path)
    }

    /// It may be repeated, and no byte of an answer has come.
    pub(crate) fn may_go_again(&self) -> bool {
        self.repeatable && self.sent.as_ref().is_some_and(|heard| !heard.get())
    }

    pub(crate) fn interrupted(&self, now: Duration, outcome: Outcome) -> InterruptedRequest {
        let age = now.saturating_sub(self.started);
        InterruptedRequest {
            started: self.started,
            method: method_name(&self.method),
            path: PathCandidate::of(self.path()),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            outcome,
        }
    }
}
