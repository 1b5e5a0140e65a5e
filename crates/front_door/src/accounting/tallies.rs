//! What one thread has counted for auto-heal's rules since it was last asked: for each worker its requests, and those that each
//! watch of the list matches. What counts is said where [`Watch`] is defined.
//!
//! A request costs a look at the list when it has ended, and nothing before: those that are running are counted when somebody
//! asks.

use std::sync::Arc;
use std::time::Duration;

use model::auto_heal::{Tallies, Tally, Watch, percent_request};
use model::streams::OpenStreams;

use super::answer_time::Kind;
use super::worker::Worker;

/// One thread's counts.
#[derive(Default)]
pub(crate) struct TallyCounts {
    generation: u64,
    watches: Arc<[Watch]>,
    /// Few workers: a list is searched faster than a map.
    of_worker: Vec<WorkerTallies>,
}

/// What was counted of one worker.
pub(crate) struct WorkerTallies {
    pub(crate) worker: Arc<Worker>,
    pub(crate) tallies: Tallies,
}

/// A request that is running.
pub(crate) struct Running<'a> {
    pub(crate) worker: &'a Arc<Worker>,
    /// Its time up to now.
    pub(crate) time: Duration,
    pub(crate) path: &'a str,
    /// No byte of its answer has come.
    pub(crate) waits: bool,
}

/// How a request has ended.
pub(crate) struct Ended<'a> {
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) path: &'a str,
    /// It was given up on before a byte of its answer came.
    pub(crate) given_up: bool,
}

impl TallyCounts {
    /// Replaces the list. What the old list's watches counted is forgotten; the total is that of any list.
    pub(crate) fn watch(&mut self, generation: u64, watches: Arc<[Watch]>) {
        for WorkerTallies { tallies, .. } in &mut self.of_worker {
            let Tallies { total, unanswered, .. } = *tallies;
            *tallies = Tallies { total, unanswered, ..empty(generation, watches.len()) };
        }
        self.generation = generation;
        self.watches = watches;
    }

    /// A request has ended.
    pub(crate) fn ended(&mut self, worker: &Arc<Worker>, ended: &Ended<'_>) {
        let at = self.place(worker);
        let Some(WorkerTallies { tallies, .. }) = self.of_worker.get_mut(at) else { return };
        let early = u64::from(ended.given_up && ended.took < percent_request::SLOW);
        tallies.unanswered.given_up += u64::from(ended.given_up);
        let matching = self.watches.iter().zip(&mut tallies.of_watch);
        let matching = matching.filter(|(watch, _)| watch.matches(ended.status, ended.took, ended.path));
        for tally in std::iter::once(&mut tallies.total).chain(matching.map(|(_, tally)| tally)) {
            tally.finished += 1;
            tally.given_up_early += early;
        }
    }

    /// A request is running.
    pub(crate) fn running(&mut self, running: &Running<'_>) {
        let at = self.place(running.worker);
        let Some(WorkerTallies { tallies, .. }) = self.of_worker.get_mut(at) else { return };
        tallies.total.running += 1;
        tallies.unanswered.waiting += u64::from(running.waits);
        for (watch, tally) in self.watches.iter().zip(&mut tallies.of_watch) {
            tally.running += u64::from(watch.matches_running(running.time, running.path));
        }
    }

    /// A stream or a tunnel is open.
    pub(crate) fn open(&mut self, worker: &Arc<Worker>, kind: Kind, age: Duration) {
        let at = self.place(worker);
        let Some(WorkerTallies { tallies, .. }) = self.of_worker.get_mut(at) else { return };
        match kind {
            Kind::Stream => tallies.open.streams.add(age),
            Kind::Tunnel => tallies.open.tunnels.add(age),
            Kind::Request => {}
        }
    }

    /// All counts; none are left.
    pub(crate) fn take(&mut self) -> Vec<WorkerTallies> {
        std::mem::take(&mut self.of_worker)
    }

    /// Takes counts back that nobody received. What is running is counted anew for the next.
    pub(crate) fn put_back(&mut self, counts: Vec<WorkerTallies>) {
        self.of_worker = counts;
        for WorkerTallies { tallies, .. } in &mut self.of_worker {
            tallies.unanswered.waiting = 0;
            tallies.open = OpenStreams::default();
            std::iter::once(&mut tallies.total)
                .chain(&mut tallies.of_watch)
                .for_each(|tally| tally.running = 0);
        }
    }

    /// Forgets workers that take no requests any more: nobody asks for them.
    pub(crate) fn forget_others(&mut self, is_routed: impl Fn(&Arc<Worker>) -> bool) {
        self.of_worker.retain(|counted| is_routed(&counted.worker));
    }

    fn place(&mut self, worker: &Arc<Worker>) -> usize {
        let found = self.of_worker.iter().position(|counted| Arc::ptr_eq(&counted.worker, worker));
        found.unwrap_or_else(|| {
            let tallies = empty(self.generation, self.watches.len());
            self.of_worker.push(WorkerTallies { worker: Arc::clone(worker), tallies });
            self.of_worker.len() - 1
        })
    }
}

/// The threads' counts of `worker` together, by the list of `generation` with so many `watches`.
pub(crate) fn merge(
    worker: &Arc<Worker>,
    counts: &[WorkerTallies],
    (generation, watches): (u64, usize),
) -> Tallies {
    let mut merged = empty(generation, watches);
    merged.unanswered.heard = worker.health.take_byte_came();
    for counted in counts.iter().filter(|counted| Arc::ptr_eq(&counted.worker, worker)) {
        add(&mut merged.total, counted.tallies.total);
        let unanswered = &counted.tallies.unanswered;
        merged.unanswered.given_up += unanswered.given_up;
        merged.unanswered.waiting += unanswered.waiting;
        merged.open = merged.open.and(counted.tallies.open);
        for (sum, tally) in merged.of_watch.iter_mut().zip(&counted.tallies.of_watch) {
            add(sum, *tally);
        }
    }
    merged
}

fn add(sum: &mut Tally, tally: Tally) {
    sum.finished += tally.finished;
    sum.given_up_early += tally.given_up_early;
    sum.running += tally.running;
}

fn empty(generation: u64, watches: usize) -> Tallies {
    Tallies { generation, of_watch: vec![Tally::default(); watches], ..Tallies::default() }
}
