//! A start: from the order to start a worker until it is ready, or has taken longer than it may.
//!
//! The limit is the configured one, but never less than twice what the last good start on this instance took: an app that grew
//! slower, or a machine that is busy, must not make every start fail for ever. That is remembered across restarts of Medic.

use std::time::Duration;

use crate::effect::Effect;
use crate::instance::{Instance, Phase, Process};
use model::auto_heal::arithmetic::millis;
use model::crash_monitor::{EndsInARow, LastEnd};
use model::start::{StartFault, StartSeen, Starting};
use model::status::InstanceMessage;
use model::{Monotonic, Now, WorkerId};

/// The most that a slow start prolongs the next one's limit to: App Service's largest `WEBSITES_CONTAINER_START_TIME_LIMIT`.
const PROLONGED_LIMIT: Duration = Duration::from_mins(30);

/// A worker that is not ready yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) worker: WorkerId,
    /// Once it runs.
    pub(super) process: Option<Process>,
    began: Monotonic,
    limit: Duration,
    seen: Option<StartSeen>,
}

impl Start {
    /// When it is given up.
    pub(super) fn late_at(&self) -> Monotonic {
        self.began + self.limit
    }

    /// How it ended when it was not ready by then.
    pub(super) fn not_ready(&self) -> LastEnd {
        let readiness = self.seen.as_ref().map(|seen| seen.readiness.clone());
        LastEnd::NotReady { limit_ms: millis(self.limit), readiness, fault: None }
    }
}

impl Instance {
    /// Has a new worker started.
    pub(super) fn begin_start(&mut self, now: Now, effects: &mut Vec<Effect>) -> Start {
        let worker = self.next_worker(now);
        effects.push(Effect::Start { worker: worker.clone(), arm: self.monitor.wants_debugger(now) });
        self.new_start(now, worker, None)
    }

    /// The start of a worker that is under way, with its whole time from now on.
    pub(super) fn new_start(&self, now: Now, worker: WorkerId, process: Option<Process>) -> Start {
        Start { worker, process, began: now.monotonic, limit: self.start_limit(), seen: None }
    }

    fn start_limit(&self) -> Duration {
        let took = self.monitor.state().start_took_ms.map_or(Duration::ZERO, Duration::from_millis);
        self.lifecycle.warm_up.max(took.saturating_mul(2).min(PROLONGED_LIMIT))
    }

    /// A worker's id is its instance and its start: two starts within one millisecond must not share one, and the later one's
    /// is later although the wall clock was set back.
    fn next_worker(&mut self, now: Now) -> WorkerId {
        let least = self.last_start.map(|last| last + Duration::from_millis(1));
        let started_at = least.map_or(now.wall, |least| now.wall.max(least));
        self.last_start = Some(started_at);
        WorkerId { place: self.key.clone(), started_at }
    }

    /// What the readiness check found so far.
    pub(super) fn seen(&mut self, worker: &WorkerId, seen: StartSeen) {
        let start = match &mut self.phase {
            Phase::Starting(start) => start,
            Phase::Running { next: Some(next), .. } => &mut next.start,
            _ => return,
        };
        if start.worker == *worker {
            start.seen = Some(seen);
        }
    }

    /// Another process goes on in its place.
    pub(super) fn moved(&mut self, worker: &WorkerId, pid: u32) {
        let process = match &mut self.phase {
            Phase::Starting(start) if start.worker == *worker => start.process.as_mut(),
            Phase::Running { next: Some(next), .. } if next.start.worker == *worker => {
                next.start.process.as_mut()
            }
            Phase::Running { worker: running, process, .. } if running == worker => Some(process),
            _ => None,
        };
        if let Some(process) = process {
            process.pid = pid;
        }
    }

    /// One that was given up has ended, and its output has a reason for not having been ready.
    pub(super) fn add_start_fault(&mut self, found: Option<StartFault>, effects: &mut Vec<Effect>) {
        let Some(InstanceMessage::Ended { end: LastEnd::NotReady { fault, .. } }) = &mut self.message else {
            return;
        };
        *fault = found;
        let mut ends = self.monitor.state().ends.clone();
        if let Some(EndsInARow { last: LastEnd::NotReady { fault, .. }, .. }) = &mut ends {
            *fault = found;
            self.monitor.set_ends(ends, effects);
        }
    }

    /// The start that is under way.
    pub(super) fn starting(&self) -> Option<Starting> {
        let start = match &self.phase {
            Phase::Starting(start) => start,
            Phase::Running { next: Some(next), .. } => &next.start,
            _ => return None,
        };
        Some(Starting { limit_ms: millis(start.limit), seen: start.seen.clone() })
    }
}
