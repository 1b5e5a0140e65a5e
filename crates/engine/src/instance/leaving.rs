//! The place is taken out of the configuration while Medic runs, and may be configured again before its worker has ended.
//!
//! ```text
//!              removed                drained, or the grace is over
//!   Running ────────────▶ Draining ─────────────────────────────────▶ Ending ──▶ ended: the place is gone
//!      ▲                     │  the front door gives it nothing new      │
//!      └─────────────────────┘                                          │ configured again: a new worker is
//!        configured again: the same worker goes on                      ▼ started beside the one that ends
//! ```
//!
//! A worker that took no requests yet is asked to end at once. A crash is counted and written down as any other, whenever it comes.

use crate::effect::Effect;
use crate::instance::restart::{Stage, Terminating};
use crate::instance::{Instance, Phase};
use model::auto_heal::restart::RestartFailure;
use model::{CrashId, Now, WorkerId};

impl Instance {
    /// The configuration has no such place any more. Nothing is started from now on.
    pub fn leave(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.stop = true;
        self.give_up_successor(now, RestartFailure::InstanceRemoved, effects);
        match &self.phase {
            Phase::Running { worker, process, .. } => {
                let (worker, left) = (worker.clone(), Some(*process));
                let stage = Stage::Draining { until: now.monotonic + self.lifecycle.stop_grace };
                effects.push(Effect::Drain { worker: worker.clone() });
                self.terminating.insert(worker, Terminating { left, ..Terminating::at(stage) });
                self.enter(now, Phase::Stopped);
            }
            Phase::Starting(start) => {
                let worker = start.worker.clone();
                self.dismiss(now, &worker, effects);
                self.enter(now, Phase::Stopped);
            }
            Phase::Waiting { .. } | Phase::Stopping { .. } | Phase::Stopped => {}
        }
        self.tick(now, effects);
    }

    /// The configuration has the place (again): it has a worker from now on.
    pub fn come_back(&mut self, now: Now, effects: &mut Vec<Effect>) {
        (self.stop, self.medic_stops) = (false, false);
        if let Phase::Stopping { worker, kill_at, .. } = &self.phase {
            let stage = kill_at.map_or(Stage::Killed, |kill_at| Stage::Ending { kill_at });
            self.terminating.entry(worker.clone()).or_insert(Terminating::at(stage));
            self.phase = Phase::Stopped;
        }
        if self.phase == Phase::Stopped {
            self.message = None;
            let waiting = Phase::Waiting { until: now.monotonic, next_start: now.wall };
            let phase = self.take_back().unwrap_or(waiting);
            self.enter(now, phase);
        }
        self.tick(now, effects);
    }

    /// The worker that had the place, where it was not asked to end yet and is well.
    fn take_back(&mut self) -> Option<Phase> {
        let is_dying = |worker: &WorkerId| {
            let id = CrashId::of_main(worker.clone());
            self.pending_crashes.contains_key(&id)
        };
        let drains = |terminating: &Terminating| matches!(terminating.stage, Stage::Draining { .. });
        let mut left =
            self.terminating.iter().rev().filter(|(worker, left)| drains(left) && !is_dying(worker));
        let (worker, process) = left.find_map(|(worker, left)| Some((worker.clone(), left.left?)))?;
        self.terminating.remove(&worker);
        Some(Phase::Running { worker, process, next: None })
    }
}
