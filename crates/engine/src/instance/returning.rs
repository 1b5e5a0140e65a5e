//! Medic comes back: who of the workers that outlived the last one has the place.
//!
//! ```text
//!                        all heard, or too late
//!  workers may be there ────────────────────────▶ the newest that is warm has the place, else the newest;
//!        │  each says how it is, or that it has ended     the others are asked to end
//!        └──▶ one that is heard later: the newest that is warm stays
//! ```
//!
//! Nothing is decided by the order in which workers are heard. One that has ended only waits to be written down, and one that was
//! asked to end is on its way: neither has the place. A shim that is not heard holds up its own place alone, and not for long: a
//! place without a worker is worse than one with a worker too many.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::crash_monitor;
use crate::effect::Effect;
use crate::instance::restart::{Stage, Terminating};
use crate::instance::start::Start;
use crate::instance::{Instance, Phase, Process};
use model::{Monotonic, Now, WorkerId};

/// How long a place waits to hear from the workers that may be on it. Ours: every shim that is well answers within
/// milliseconds, and an app is to be reachable three seconds after Medic was started.
pub(super) const HEARING: Duration = Duration::from_secs(2);

/// A place that does not know yet who is on it.
#[derive(Clone, Debug)]
pub(super) struct Hearing {
    until: Monotonic,
    /// Not heard yet; `None` while nobody knows who there is.
    awaited: Option<BTreeSet<WorkerId>>,
    found: BTreeMap<WorkerId, Found>,
}

/// A worker of the last Medic that lives.
#[derive(Clone, Copy, Debug)]
struct Found {
    process: Process,
    warm: bool,
    asked: bool,
}

impl Hearing {
    pub(super) const fn until(&self) -> Monotonic {
        self.until
    }
}

impl Instance {
    /// These may have outlived the last Medic; `None`: nobody knows who. To be told before anything else.
    pub fn returning(&mut self, now: Now, workers: Option<BTreeSet<WorkerId>>, effects: &mut Vec<Effect>) {
        match &mut self.hearing {
            Some(hearing) => {
                let found = &hearing.found;
                hearing.awaited = workers.map(|workers| {
                    workers.into_iter().filter(|worker| !found.contains_key(worker)).collect()
                });
            }
            None if matches!(self.phase, Phase::Waiting { .. }) => {
                let until = now.monotonic + HEARING;
                self.hearing = Some(Hearing { until, awaited: workers, found: BTreeMap::new() });
            }
            None => {}
        }
        self.tick(now, effects);
    }

    pub(super) fn found(
        &mut self,
        now: Now,
        worker: &WorkerId,
        (process, warm, asked): (Process, bool, bool),
        effects: &mut Vec<Effect>,
    ) {
        let found = Found { process, warm, asked };
        match &mut self.hearing {
            Some(hearing) => {
                hearing.found.insert(worker.clone(), found);
                self.heard(worker);
            }
            None => self.found_late(now, worker, found, effects),
        }
    }

    /// It said how it is, if only that it is gone.
    pub(super) fn heard(&mut self, worker: &WorkerId) {
        if let Some(Hearing { awaited: Some(awaited), .. }) = &mut self.hearing {
            awaited.remove(worker);
        }
    }

    /// It does not live any more.
    pub(super) fn heard_gone(&mut self, worker: &WorkerId) {
        if let Some(hearing) = &mut self.hearing {
            hearing.found.remove(worker);
        }
        self.heard(worker);
    }

    pub(super) fn decide_when_heard(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let is_over = |hearing: &mut Hearing| {
            hearing.awaited.as_ref().is_some_and(BTreeSet::is_empty) || hearing.until <= now.monotonic
        };
        let Some(Hearing { found, .. }) = self.hearing.take_if(is_over) else { return };
        let may_stay = |found: &Found| !found.asked && !self.stop;
        let newest = |fits: fn(&Found) -> bool| {
            found
                .iter()
                .rev()
                .find(|(_, found)| may_stay(found) && fits(found))
                .map(|(worker, _)| worker.clone())
        };
        let stays = newest(|found| found.warm).or_else(|| newest(|_| true));
        for (worker, found) in found {
            if stays.as_ref() == Some(&worker) {
                self.take(now, worker, found, effects);
            } else {
                self.dismiss(now, &worker, effects);
            }
        }
    }

    fn found_late(&mut self, now: Now, worker: &WorkerId, found: Found, effects: &mut Vec<Effect>) {
        let may_stay = !found.asked && !self.stop && !self.terminating.contains_key(worker);
        match &self.phase {
            Phase::Waiting { .. } if may_stay => self.take(now, worker.clone(), found, effects),
            Phase::Starting(Start { worker: mine, .. }) if may_stay && found.warm && mine != worker => {
                let mine = mine.clone();
                self.take(now, worker.clone(), found, effects);
                self.dismiss(now, &mine, effects);
            }
            Phase::Running { worker: mine, next: None, .. } if may_stay && found.warm && mine < worker => {
                let mine = mine.clone();
                self.take(now, worker.clone(), found, effects);
                let stage = Stage::Draining { until: now.monotonic + self.lifecycle.stop_grace };
                effects.push(Effect::Drain { worker: mine.clone() });
                self.terminating.insert(mine, Terminating::at(stage));
            }
            _ => self.dismiss(now, worker, effects),
        }
    }

    /// The worker has the place. One that takes requests already is probed, too: what it is, is not known yet.
    fn take(&mut self, now: Now, worker: WorkerId, found: Found, effects: &mut Vec<Effect>) {
        let process = found.process;
        effects.push(Effect::Probe { worker: worker.clone() });
        let input = crash_monitor::MonitorInput::Started { worker: worker.clone(), armed: process.armed };
        let phase = if found.warm {
            Phase::Running { worker, process, next: None }
        } else {
            Phase::Starting(self.new_start(now, worker, Some(process)))
        };
        self.message = None;
        self.enter(now, phase);
        if found.warm {
            self.healing.rules.restarted();
        }
        self.monitor.step(now, input, effects);
    }
}
