//! One client connection and its current request, as their thread sees them: what is running for how long, and what a worker's
//! death interrupts.

mod handed_on;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

pub(crate) use handed_on::SilentConnection;
use hyper::Method;
use hyper::http::uri::PathAndQuery;
use model::WorkerId;
use model::path_template::PathCandidate;
use model::process_connections::ProcessConnections;

use super::client_timeouts::ClientTimeouts;
use super::method_name::method_name;
use super::peer::Peer;
use super::router::Router;
use super::upstream::Upstream;
use crate::accounting::affected_requests::{ConnectionEnd, Evidence, InterruptedRequest, Outcome};
use crate::accounting::answer_time::{AnswerTime, Kind};
use crate::accounting::decision::Decision;
use crate::accounting::passive_health::UNANSWERED_AFTER;
use crate::accounting::tallies::Running;
use crate::accounting::worker::Worker;

/// So often a request is sent again that was not read to its end. Ours: of three children that take turns at dying, a request meets
/// the dying one five times in a row once in 243 deaths.
const UNREAD_TRIES: u8 = 4;

/// One client connection, which has at most one request at a time.
pub(crate) struct Client {
    pub(crate) router: Rc<Router>,
    pub(crate) peer: Peer,
    pub(crate) timeouts: Arc<ClientTimeouts>,
    pub(crate) current: RefCell<Option<CurrentRequest>>,
    /// A request's body was not read to its end.
    pub(crate) unread: Cell<bool>,
    /// The worker, or its process that had the request, died.
    interrupted: Cell<bool>,
    /// What that means for the request, where it was told.
    fate: RefCell<Option<Fate>>,
    /// Wakes the connection's task.
    waker: RefCell<Option<Waker>>,
}

/// The request that a connection has. The path is kept raw only here, so only as long as the request lives.
pub(crate) struct CurrentRequest {
    method: Method,
    path: Option<PathAndQuery>,
    pub(crate) time: AnswerTime,
    pub(crate) worker: Option<Arc<Worker>>,
    /// It was given to the worker over this connection, so it may have had an effect from then on.
    pub(crate) sent: Option<Rc<Upstream>>,
    /// Whether it may be tried once more as long as no byte came back.
    pub(crate) second_try: SecondTry,
    /// How often a process died, or closed the connection, before it had read it to its end.
    unread_tries: u8,
    /// It has counted as unanswered by its worker.
    pub(crate) counted_unanswered: bool,
    /// It is counted, so it is running no more: it has ended, or has become a tunnel.
    pub(crate) counted: bool,
}

/// When a request may be tried a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SecondTry {
    Never,
    /// Only where it is told that nobody has read it, which is no try: it has been tried twice.
    IfUntried,
    /// Where it is certain that nobody read it: it may have an effect.
    IfUnread,
    /// Also where it was read: GET and HEAD.
    IfInnocent,
}

/// What becomes of a request after the death of a process of its worker, which lives on.
#[derive(Clone)]
pub(crate) enum Fate {
    /// The process had not read it: it is sent again.
    Unread,
    /// The process had read it, or may have.
    Read(Arc<Decision>),
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
            fate: RefCell::default(),
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

    /// The request was told with the death of its worker, or of a process of that.
    pub(crate) fn is_told(&self) -> bool {
        self.is_interrupted() || self.fate.borrow().is_some()
    }

    /// The request is at no dead worker, or no more.
    pub(crate) fn clear_interrupted(&self) {
        self.interrupted.set(false);
        self.fate.take();
    }

    /// Waits until it is told what becomes of the request. `None` where its whole worker died, and that is all that is told.
    pub(crate) async fn fate(&self) -> Option<Fate> {
        std::future::poll_fn(|_| match &*self.fate.borrow() {
            Some(fate) => Poll::Ready(Some(fate.clone())),
            None if self.is_interrupted() => Poll::Ready(None),
            // whoever tells wakes the connection's task
            None => Poll::Pending,
        })
        .await
    }

    /// What has come of the request is not all there any more.
    pub(crate) fn forbid_second_try(&self) {
        if let Some(current) = &mut *self.current.borrow_mut() {
            current.second_try = SecondTry::Never;
        }
    }

    /// Nothing that the connection has read or written is needed any more.
    pub(crate) fn needs_no_buffers(&self) -> bool {
        self.timeouts.needs_no_buffers() && !self.unread.get()
    }

    /// Gives up the request if `worker`, which has died, has it; says what it was. What its process is known not to have read
    /// is sent again instead.
    pub(crate) fn interrupt(
        &self,
        worker: &WorkerId,
        now: Duration,
        connections: Option<&ProcessConnections>,
    ) -> Option<InterruptedRequest> {
        let current = self.current.borrow();
        let current = current.as_ref().filter(|current| self.can_be_interrupted(current, worker))?;
        let evidence = current.evidence_of_sockets(connections).unwrap_or_else(|| current.evidence());
        if evidence == Evidence::Unread && self.send_again(current) {
            return None;
        }
        self.interrupted.set(true);
        self.wake();
        Some(current.interrupted(now, current.outcome(), evidence))
    }

    /// The same where a process of `worker` has died that had these connections, or, where that is not known, those that have
    /// ended. What another process has goes on.
    pub(crate) fn interrupt_of_process(
        &self,
        worker: &WorkerId,
        now: Duration,
        connections: Option<&ProcessConnections>,
        decision: &Arc<Decision>,
    ) -> Option<InterruptedRequest> {
        let current = self.current.borrow();
        let current = current.as_ref().filter(|current| self.can_be_interrupted(current, worker))?;
        if self.fate.borrow().is_some() || current.is_being_answered() {
            return None;
        }
        if current.is_heard() {
            // it may be the reason, but what the process has said of its answer comes through
            connections.and_then(|_| current.evidence_of_sockets(connections))?;
            self.fate.replace(Some(Fate::Read(Arc::clone(decision))));
            return Some(current.interrupted(now, Outcome::Settled, Evidence::None));
        }
        let evidence = match connections {
            Some(_) => current.evidence_of_sockets(connections)?,
            None => current.evidence(),
        };
        match evidence {
            Evidence::None => None,
            Evidence::Unread => {
                if !self.send_again(current) {
                    self.tell(Fate::Read(Arc::clone(decision)));
                }
                None
            }
            Evidence::Reset => {
                if current.second_try != SecondTry::IfInnocent || !self.send_again(current) {
                    self.tell(Fate::Read(Arc::clone(decision)));
                }
                None
            }
            Evidence::Read | Evidence::Closed => {
                self.tell(Fate::Read(Arc::clone(decision)));
                Some(current.interrupted(now, current.outcome(), evidence))
            }
        }
    }

    fn can_be_interrupted(&self, current: &CurrentRequest, worker: &WorkerId) -> bool {
        let is_there = current.worker.as_ref().is_some_and(|at| at.id == *worker);
        is_there && current.sent.is_some() && !self.is_interrupted()
    }

    /// `false` where it may not be tried (again).
    fn send_again(&self, current: &CurrentRequest) -> bool {
        let again = current.second_try != SecondTry::Never
            && !current.is_heard()
            && self.router.app.grant_retries(1) > 0;
        if again {
            self.tell(Fate::Unread);
        }
        again
    }

    fn tell(&self, fate: Fate) {
        self.fate.replace(Some(fate));
        self.interrupted.set(true);
        self.wake();
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
        let unheard = current.sent.as_ref().is_none_or(|sent| !sent.heard() && !self.unread.get());
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
            second_try: SecondTry::Never,
            unread_tries: 0,
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

    /// Whether it may be tried again: no byte of an answer has come.
    pub(crate) fn may_retry(&self) -> SecondTry {
        let is_unanswered = self.sent.is_some() && !self.is_heard();
        if is_unanswered { self.second_try } else { SecondTry::Never }
    }

    /// It is sent again after its connection ended so. One that was not read to its end has not been tried by that, but what was read
    /// of it may be the reason: so it goes to a few processes, not to all.
    pub(crate) fn note_try(&mut self, end: Option<ConnectionEnd>, was_tried: bool) {
        let is_unread = matches!(end, Some(ConnectionEnd::Reset | ConnectionEnd::Stale));
        self.unread_tries += u8::from(is_unread);
        if was_tried || self.unread_tries >= UNREAD_TRIES {
            self.second_try = SecondTry::IfUntried;
        }
    }

    /// The beginning of an answer is there, and nobody has read it yet.
    fn is_being_answered(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| !sent.heard() && sent.has_bytes())
    }

    fn is_heard(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.heard())
    }

    fn outcome(&self) -> Outcome {
        if self.may_retry() == SecondTry::IfInnocent { Outcome::Undecided } else { Outcome::Fails }
    }

    /// What its connection says of whether it was read.
    pub(crate) fn evidence(&self) -> Evidence {
        let Some(sent) = &self.sent else { return Evidence::None };
        match Evidence::of_end(sent.end()) {
            // who takes a request back reads it, too
            Evidence::Closed if sent.is_asked_back() => Evidence::None,
            evidence => evidence,
        }
    }

    /// What the sockets of a process say; `None` where that did not have its connection, or nothing is known of them.
    fn evidence_of_sockets(&self, connections: Option<&ProcessConnections>) -> Option<Evidence> {
        let (connections, sent) = (connections?, self.sent.as_ref()?);
        // its port may have been another's before
        let unread = connections.unread_of(sent.port).filter(|_| sent.opened <= connections.stopped())?;
        let is_unread = match connections.read_of(sent.port) {
            Some(read) => read <= sent.written_before(),
            None => self.time.started() > connections.stopped() || unread >= sent.written(),
        };
        Some(if is_unread && !sent.heard() { Evidence::Unread } else { Evidence::Read })
    }

    pub(crate) fn interrupted(
        &self,
        now: Duration,
        outcome: Outcome,
        evidence: Evidence,
    ) -> InterruptedRequest {
        let age = self.age(now);
        InterruptedRequest {
            started: self.time.started(),
            method: method_name(&self.method),
            path: PathCandidate::of(self.path()),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            kind: self.time.kind(now),
            outcome,
            evidence,
        }
    }
}
