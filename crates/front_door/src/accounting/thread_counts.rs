//! What one thread counts of an app, until somebody asks.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::auto_heal::Watch;
use model::path_template::PathLearner;
use model::requests::RequestMinute;
use model::{AppName, NodeName, Timestamp, WorkerId};

use super::affected_requests::{BrokenRequests, InterruptedRequest};
use super::answer_time::Kind;
use super::minutes::Minutes;
use super::path_samples::PathSamples;
use super::tallies::{Ended, Running, TallyCounts, WorkerTallies};
use super::worker::Worker;

/// One app's counts on one thread.
pub(crate) struct ThreadCounts {
    minutes: RefCell<Minutes>,
    tallies: RefCell<TallyCounts>,
    paths: PathSamples,
    broken: RefCell<BrokenRequests>,
    /// Requests that came since the last second.
    requests: Cell<u64>,
}

impl ThreadCounts {
    pub(crate) fn new(node: NodeName, app: AppName, now: Timestamp) -> Self {
        let mut minutes = Minutes::new(node, app);
        minutes.at(now);
        Self {
            minutes: RefCell::new(minutes),
            tallies: RefCell::default(),
            paths: PathSamples::default(),
            broken: RefCell::default(),
            requests: Cell::new(0),
        }
    }

    /// A request came.
    pub(crate) fn began(&self) {
        self.requests.set(self.requests.get() + 1);
    }

    /// A request went to be one of `in_flight` at an instance.
    pub(crate) fn assigned(&self, instance: u16, in_flight: u32) {
        self.minutes.borrow_mut().entered(instance, in_flight);
    }

    /// A request that a worker had has ended.
    pub(crate) fn ended(&self, worker: &Arc<Worker>, ended: &Ended<'_>) {
        self.tallies.borrow_mut().ended(worker, ended);
        self.paths.see(ended.path, ended.status);
    }

    /// A request was answered with `status`, for an instance.
    pub(crate) fn answered(&self, now: Timestamp, instance: u16, status: u16, took: Duration) {
        let mut minutes = self.minutes.borrow_mut();
        minutes.at(now);
        minutes.answered(instance, status, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// A request's connection to its worker broke.
    pub(crate) fn broke(&self, worker: &Worker, now: Duration, request: InterruptedRequest) {
        self.broken.borrow_mut().push(worker.id.clone(), now, request);
    }

    /// Those whose connection to a worker, which has died or whose process has, broke a moment ago. What it was asked for
    /// before counts for how they are named.
    pub(crate) fn take_broken(
        &self,
        worker: &WorkerId,
        now: Duration,
        paths: &Mutex<PathLearner>,
        of_process: bool,
    ) -> Vec<InterruptedRequest> {
        self.paths.teach_now(paths);
        self.broken.borrow_mut().take(worker, now, of_process)
    }

    pub(crate) fn put_back_broken(
        &self,
        worker: &WorkerId,
        now: Duration,
        interrupted: Vec<InterruptedRequest>,
    ) {
        self.broken.borrow_mut().put_back(worker, now, interrupted);
    }

    pub(crate) fn take_minutes(&self) -> Vec<RequestMinute> {
        self.minutes.borrow_mut().take()
    }

    pub(crate) fn put_back_minutes(&self, rows: Vec<RequestMinute>) {
        self.minutes.borrow_mut().put_back(rows);
    }

    /// Counts by another list of watches.
    pub(crate) fn watch(&self, generation: u64, watches: Arc<[Watch]>) {
        self.tallies.borrow_mut().watch(generation, watches);
    }

    /// A request is running; to be told of all before [`ThreadCounts::take_tallies`].
    pub(crate) fn running(&self, running: &Running<'_>) {
        self.tallies.borrow_mut().running(running);
    }

    /// A stream or a tunnel is open; to be told likewise.
    pub(crate) fn open(&self, worker: &Arc<Worker>, kind: Kind, age: Duration) {
        self.tallies.borrow_mut().open(worker, kind, age);
    }

    pub(crate) fn take_tallies(&self) -> Vec<WorkerTallies> {
        self.tallies.borrow_mut().take()
    }

    pub(crate) fn put_back_tallies(&self, counts: Vec<WorkerTallies>) {
        self.tallies.borrow_mut().put_back(counts);
    }

    /// Another second went by; says how many requests came in it.
    pub(crate) fn second(
        &self,
        (now, wall): (Duration, Timestamp),
        is_routed: impl Fn(&Arc<Worker>) -> bool,
        paths: &Mutex<PathLearner>,
    ) -> u64 {
        self.minutes.borrow_mut().at(wall);
        self.tallies.borrow_mut().forget_others(is_routed);
        self.broken.borrow_mut().forget(now);
        self.paths.teach(paths);
        self.requests.take()
    }
}
