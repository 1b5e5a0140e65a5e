//! One request on its way: at which worker it is, whether it was handed over, and what is counted when it is through. It leaves
//! the worker's count when it is dropped, whatever the reason.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use engine::WorkerId;
use engine::crash::InFlightRequest;
use engine::path_pattern::path_pattern;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};

use crate::headers::Peer;
use crate::pulse::Pulse;
use crate::table::RoutedWorker;
use crate::thread::Thread;
use crate::tunnel::Tunnel;

/// What nginx logs where the client went away before the answer; it counts among the 4xx.
const CLIENT_WENT_AWAY: u16 = 499;

/// One client connection, which has at most one request under way.
pub(crate) struct Client {
    pub(crate) peer: Peer,
    pub(crate) pulse: Arc<Pulse>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
    underway: RefCell<Option<Underway>>,
    /// The worker died while it had the request.
    lost: Cell<bool>,
    /// A request's body was not read to its end.
    pub(crate) unread: Cell<bool>,
    /// What the connection becomes once its answer 101 is sent.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
}

/// The request that a connection has under way. The path is kept raw only here, so only as long as the request lives.
struct Underway {
    method: Method,
    path: Option<PathAndQuery>,
    started: Duration,
    worker: Option<Arc<RoutedWorker>>,
    /// It was given to the worker: from here on it may have had an effect.
    sent: bool,
}

/// A request that a worker's end cost, and when it began.
pub(crate) struct Casualty {
    pub(crate) started: Duration,
    pub(crate) request: InFlightRequest,
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

    /// Gives up the request if `worker` has it; says what it was.
    pub(crate) fn lose(&self, worker: &WorkerId, now: Duration) -> Option<Casualty> {
        let underway = self.underway.borrow();
        let underway = underway.as_ref().filter(|underway| underway.sent && !self.lost.get())?;
        if underway.worker.as_ref().is_none_or(|at| at.id != *worker) {
            return None;
        }
        self.lost.set(true);
        self.wake();
        Some(underway.casualty(now))
    }
}

impl Underway {
    fn casualty(&self, now: Duration) -> Casualty {
        let age = now.saturating_sub(self.started);
        let request = InFlightRequest {
            method: self.method.as_str().chars().take(20).collect(),
            path: path_pattern(self.path.as_ref().map_or("/", PathAndQuery::path)),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        };
        Casualty { started: self.started, request }
    }
}

/// The hold on a request under way.
pub(crate) struct Flight {
    pub(crate) thread: Rc<Thread>,
    pub(crate) client: Rc<Client>,
    started: Duration,
    status: Option<StatusCode>,
    counted: bool,
    /// Where it is or last was.
    instance: Option<u16>,
}

impl Flight {
    /// A request's head is there.
    pub(crate) fn begin(
        thread: Rc<Thread>,
        client: Rc<Client>,
        method: Method,
        path: Option<PathAndQuery>,
    ) -> Self {
        let started = thread.shared.clock.monotonic();
        client.lost.set(false);
        client.pulse.served();
        client.underway.replace(Some(Underway { method, path, started, worker: None, sent: false }));
        Self { thread, client, started, status: None, counted: false, instance: None }
    }

    /// It goes to `worker` now; `false` if that one takes no requests any more.
    pub(crate) fn assign(&mut self, worker: Arc<RoutedWorker>) -> bool {
        let Some(in_flight) = worker.enter() else { return false };
        let instance = worker.id.instance.index;
        self.instance = Some(instance);
        self.thread.minutes.borrow_mut().entered(instance, in_flight);
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.worker = Some(worker);
        }
        true
    }

    /// The worker did not take it.
    pub(crate) fn unassign(&mut self) {
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.sent = false;
            if let Some(worker) = underway.worker.take() {
                worker.leave();
            }
        }
    }

    /// From here on it may have had an effect at the worker.
    pub(crate) fn sent(&self) {
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.sent = true;
        }
    }

    /// The worker cut the connection: if it turns out to have died, this request was one of those that it took along.
    pub(crate) fn broke(&self) {
        if let Some(underway) = &*self.client.underway.borrow()
            && let Some(worker) = &underway.worker
            && !self.client.is_lost()
        {
            let now = self.thread.shared.clock.monotonic();
            self.thread.broken.borrow_mut().push(Arc::clone(worker), now, underway.casualty(now));
        }
    }

    /// The answer's status is known.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Puts the request into its minute, once: when its answer has ended, or when it has become a tunnel.
    pub(crate) fn count(&mut self) {
        if std::mem::replace(&mut self.counted, true) {
            return;
        }
        let clock = &self.thread.shared.clock;
        let took = clock.monotonic().saturating_sub(self.started);
        let status = self.status.map_or(CLIENT_WENT_AWAY, |status| status.as_u16());
        let instance = self.instance.unwrap_or_else(|| self.thread.shared.lowest_instance());
        let mut minutes = self.thread.minutes.borrow_mut();
        minutes.at(clock.now());
        minutes.answered(instance, status, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.count();
        self.unassign();
        self.client.underway.replace(None);
        self.client.pulse.idle();
    }
}
