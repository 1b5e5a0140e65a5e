//! One request on its way: at which worker it is, whether it was handed over, how it ends, and what is counted when it is
//! through. It leaves the worker's count when it is dropped, whatever the reason.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};

use super::client::{Client, CurrentRequest, SecondTry};
use super::router::Router;
use super::upstream::Upstream;
use crate::accounting::affected_requests::{ConnectionEnd, Outcome};
use crate::accounting::answer_time::Kind;
use crate::accounting::tallies::Ended;
use crate::accounting::worker::Worker;

/// What nginx logs where the client went away before the answer; it counts among the 4xx.
const CLIENT_WENT_AWAY: u16 = 499;

/// The hold on a client's current request.
pub(crate) struct Flight {
    pub(crate) client: Rc<Client>,
    started: Duration,
    status: Option<StatusCode>,
    /// Where it is or last was.
    instance: Option<u16>,
    /// Who had it before it was tried again.
    first_worker: Option<Arc<Worker>>,
    /// Its connection broke, and it is not decided what becomes of it.
    undecided: bool,
    /// That it failed is noted.
    failed: bool,
}

impl Flight {
    /// A request's head is there.
    pub(crate) fn begin(client: Rc<Client>, method: Method, path: Option<PathAndQuery>) -> Self {
        let started = client.router.app.clock.monotonic();
        client.router.counts.began();
        client.clear_interrupted();
        client.timeouts.enter_served();
        client.current.replace(Some(CurrentRequest::new(method, path, started)));
        Self {
            client,
            started,
            status: None,
            instance: None,
            first_worker: None,
            undecided: false,
            failed: false,
        }
    }

    pub(crate) fn router(&self) -> &Router {
        &self.client.router
    }

    /// When its head was there.
    pub(crate) fn started(&self) -> Duration {
        self.started
    }

    /// It goes to `worker` now; `false` if that one takes no requests any more.
    pub(crate) fn assign(&mut self, worker: Arc<Worker>) -> bool {
        let Some(in_flight) = worker.begin_request() else { return false };
        let instance = worker.id.place.instance;
        self.instance = Some(instance);
        self.router().counts.assigned(instance, in_flight);
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.worker = Some(worker);
        }
        true
    }

    /// The worker has it no more.
    pub(crate) fn unassign(&mut self) {
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.sent = None;
            if let Some(worker) = current.worker.take() {
                worker.end_request();
            }
        }
    }

    /// Whether it may be tried once more, as long as no answer byte has come.
    pub(crate) fn allow_retry(&self, second_try: SecondTry) {
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.second_try = second_try;
        }
    }

    /// From here on it may have had an effect at the worker, over this connection.
    pub(crate) fn sent(&self, upstream: &Rc<Upstream>) {
        upstream.begin_request();
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.sent = Some(Rc::clone(upstream));
        }
    }

    /// Its connection broke, or its worker or the process that had it died. Whether that leaves a second try open; if so,
    /// [`Flight::retry`] or [`Flight::broke`] is to follow.
    pub(crate) fn may_retry(&mut self) -> SecondTry {
        let current = self.client.current.borrow();
        let second_try = current.as_ref().map_or(SecondTry::Never, CurrentRequest::may_retry);
        self.undecided = second_try != SecondTry::Never;
        second_try
    }

    /// How its connection ended, if that has.
    pub(crate) fn connection_end(&self) -> Option<ConnectionEnd> {
        self.client.current.borrow().as_ref()?.sent.as_ref()?.end()
    }

    /// It is tried again: once, unless nobody has read it.
    pub(crate) fn retry(&mut self, was_tried: bool) {
        self.undecided = false;
        self.client.clear_interrupted();
        let end = self.connection_end();
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.note_try(end, was_tried);
            self.first_worker.clone_from(&current.worker);
        }
        self.unassign();
    }

    /// It fails because its worker cut the connection: if that turns out to have died, this request was one of those that it
    /// took along.
    pub(crate) fn broke(&mut self) {
        self.fail(true);
    }

    /// It is answered by an error of the front door's own.
    pub(crate) fn refused(&mut self, status: StatusCode) {
        match (status, &self.first_worker) {
            (StatusCode::BAD_GATEWAY, _) => self.fail(false),
            (StatusCode::SERVICE_UNAVAILABLE, Some(worker)) => {
                worker.note_failed(Kind::Request);
            }
            _ => {}
        }
        self.answered(status, Kind::Request);
    }

    /// What a dead worker had is told with its death.
    fn fail(&mut self, broke: bool) {
        self.undecided = false;
        if std::mem::replace(&mut self.failed, true) || self.client.is_told() {
            return;
        }
        if let Some(current) = &*self.client.current.borrow()
            && let Some(worker) = &current.worker
        {
            let kind = current.time.kind(self.router().app.clock.monotonic());
            let outcome = if worker.note_failed(kind) { Outcome::Settled } else { Outcome::Fails };
            if broke {
                self.remember_broken(current, worker, outcome);
            }
        }
    }

    fn remember_broken(&self, current: &CurrentRequest, worker: &Arc<Worker>, outcome: Outcome) {
        let now = self.router().app.clock.monotonic();
        self.router().counts.broke(worker, now, current.interrupted(now, outcome, current.evidence()));
    }

    /// The worker has done all its part.
    pub(crate) fn finished(&self) {
        if let Some(current) = &*self.client.current.borrow()
            && let Some(worker) = &current.worker
        {
            worker.note_finished(|| current.time.kind(self.router().app.clock.monotonic()));
        }
    }

    /// The answer's head is there, and says that it is of this kind. A request whose time is over with it is counted: how long
    /// an event stream or a tunnel stays open says nothing about how fast the app answers.
    pub(crate) fn answered(&mut self, status: StatusCode, kind: Kind) {
        self.status = Some(status);
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.time.head(self.router().app.clock.monotonic(), kind);
        }
        if kind != Kind::Request {
            self.count();
        }
    }

    /// More of the answer's body is waited for, or has come.
    pub(crate) fn set_awaited(&self, awaited: bool) {
        if let Some(current) = &mut *self.client.current.borrow_mut() {
            current.time.set_awaited(awaited, || self.router().app.clock.monotonic());
        }
    }

    /// Counts the request, once: when its answer has ended, or its time.
    fn count(&mut self) {
        let mut current = self.client.current.borrow_mut();
        let Some(current) = current.as_mut().filter(|current| !current.counted) else { return };
        let given_up = self.was_given_up(current);
        current.counted = true;
        let clock = &self.router().app.clock;
        let took = current.time.time(|| clock.monotonic());
        let status = self.status.map_or(CLIENT_WENT_AWAY, |status| status.as_u16());
        if let Some(worker) = &current.worker {
            let ended = Ended { status, took, path: current.path(), given_up };
            self.router().counts.ended(worker, &ended);
            if given_up && !current.counted_unanswered {
                worker.health.note_unanswered(clock.monotonic());
            }
        }
        let instance = self.instance.unwrap_or_else(|| self.router().app.lowest_instance());
        self.router().counts.answered(clock.wall(), instance, status, took);
    }

    /// Its client went away before a byte of the answer had come, or the worker did not take a connection for as long as a
    /// request waits.
    fn was_given_up(&self, current: &CurrentRequest) -> bool {
        let ended = match self.status {
            None => !self.undecided,
            Some(status) => status == StatusCode::SERVICE_UNAVAILABLE && current.sent.is_none(),
        };
        ended && self.client.is_unanswered(current)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.count();
        if self.undecided
            && !self.client.is_interrupted()
            && let Some(current) = &*self.client.current.borrow()
            && let Some(worker) = &current.worker
        {
            // its client did not wait for the decision
            self.remember_broken(current, worker, Outcome::Settled);
        }
        self.unassign();
        self.client.current.replace(None);
        self.client.timeouts.enter_idle(self.router().idle_order.next_client());
    }
}
