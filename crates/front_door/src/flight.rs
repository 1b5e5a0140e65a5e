//! One request on its way: at which worker it is, whether it was handed over, how it ends, and what is counted when it is
//! through. It leaves the worker's count when it is dropped, whatever the reason.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use hyper::{Method, StatusCode};

use crate::accounting::affected_requests::Outcome;
use crate::accounting::tallies::Ended;
use crate::accounting::worker::Worker;
use crate::client::{Client, Underway};
use crate::thread::Thread;

/// What nginx logs where the client went away before the answer; it counts among the 4xx.
const CLIENT_WENT_AWAY: u16 = 499;

/// The hold on a request under way.
pub(crate) struct Flight {
    pub(crate) thread: Rc<Thread>,
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
    pub(crate) fn begin(
        thread: Rc<Thread>,
        client: Rc<Client>,
        method: Method,
        path: Option<PathAndQuery>,
    ) -> Self {
        let started = thread.shared.clock.monotonic();
        thread.counts.began();
        client.found();
        client.pulse.served();
        client.underway.replace(Some(Underway::new(method, path, started)));
        Self {
            thread,
            client,
            started,
            status: None,
            instance: None,
            first_worker: None,
            undecided: false,
            failed: false,
        }
    }

    /// When its head was there.
    pub(crate) fn started(&self) -> Duration {
        self.started
    }

    /// It goes to `worker` now; `false` if that one takes no requests any more.
    pub(crate) fn assign(&mut self, worker: Arc<Worker>) -> bool {
        let Some(in_flight) = worker.begin_request() else { return false };
        let instance = worker.id.instance.index;
        self.instance = Some(instance);
        self.thread.counts.assigned(instance, in_flight);
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.worker = Some(worker);
        }
        true
    }

    /// The worker has it no more.
    pub(crate) fn unassign(&mut self) {
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.sent = None;
            if let Some(worker) = underway.worker.take() {
                worker.end_request();
            }
        }
    }

    /// It may be tried once more, as long as no answer byte has come.
    pub(crate) fn repeatable(&self) {
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.repeatable = true;
        }
    }

    /// From here on it may have had an effect at the worker. `heard` tells when a byte came back.
    pub(crate) fn sent(&self, heard: &Rc<Cell<bool>>) {
        heard.set(false);
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.sent = Some(Rc::clone(heard));
        }
    }

    /// Its connection broke or its worker died. Whether that leaves a second try open; if so, [`Flight::goes_again`] or
    /// [`Flight::broke`] is to follow.
    pub(crate) fn may_go_again(&mut self) -> bool {
        self.undecided = self.client.underway.borrow().as_ref().is_some_and(Underway::may_go_again);
        self.undecided
    }

    /// It is tried again: once.
    pub(crate) fn goes_again(&mut self) {
        self.undecided = false;
        self.client.found();
        if let Some(underway) = &mut *self.client.underway.borrow_mut() {
            underway.repeatable = false;
            self.first_worker.clone_from(&underway.worker);
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
                worker.note_failed();
            }
            _ => {}
        }
        self.answered(status);
    }

    /// What a dead worker had is told with its death.
    fn fail(&mut self, broke: bool) {
        self.undecided = false;
        if std::mem::replace(&mut self.failed, true) || self.client.is_lost() {
            return;
        }
        if let Some(underway) = &*self.client.underway.borrow()
            && let Some(worker) = &underway.worker
        {
            let outcome = if worker.note_failed() { Outcome::Settled } else { Outcome::Fails };
            if broke {
                self.remember_broken(underway, worker, outcome);
            }
        }
    }

    fn remember_broken(&self, underway: &Underway, worker: &Arc<Worker>, outcome: Outcome) {
        let now = self.thread.shared.clock.monotonic();
        self.thread.counts.broke(worker, now, underway.interrupted(now, outcome));
    }

    /// The worker has done all its part.
    pub(crate) fn finished(&self) {
        if let Some(underway) = &*self.client.underway.borrow()
            && let Some(worker) = &underway.worker
        {
            worker.note_finished();
        }
    }

    /// The answer's status is known.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Counts the request, once: when its answer has ended, or when it has become a tunnel.
    pub(crate) fn count(&mut self) {
        let mut underway = self.client.underway.borrow_mut();
        let Some(underway) = underway.as_mut().filter(|underway| !underway.counted) else { return };
        let given_up = self.was_given_up(underway);
        underway.counted = true;
        let clock = &self.thread.shared.clock;
        let now = clock.monotonic();
        let took = now.saturating_sub(self.started);
        let status = self.status.map_or(CLIENT_WENT_AWAY, |status| status.as_u16());
        if let Some(worker) = &underway.worker {
            let ended = Ended { status, took, path: underway.path(), given_up };
            self.thread.counts.ended(worker, &ended);
            if given_up && !underway.waited {
                worker.health.note_unanswered(now);
            }
        }
        let instance = self.instance.unwrap_or_else(|| self.thread.shared.lowest_instance());
        self.thread.counts.answered(clock.wall(), instance, status, took);
    }

    /// Its client went away before a byte of the answer had come, or the worker did not take a connection for as long as a
    /// request waits.
    fn was_given_up(&self, underway: &Underway) -> bool {
        let ended = match self.status {
            None => !self.undecided,
            Some(status) => status == StatusCode::SERVICE_UNAVAILABLE && underway.sent.is_none(),
        };
        ended && self.client.is_unanswered(underway)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.count();
        if self.undecided
            && !self.client.is_lost()
            && let Some(underway) = &*self.client.underway.borrow()
            && let Some(worker) = &underway.worker
        {
            // its client did not wait for the verdict
            self.remember_broken(underway, worker, Outcome::Settled);
        }
        self.unassign();
        self.client.underway.replace(None);
        self.client.pulse.idle(self.thread.serving.turns_idle());
    }
}
