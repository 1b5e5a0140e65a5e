//! The overlapped restart: a new worker beside the old one, which leaves when the new one is warm and its own requests are done.
//!
//! ```text
//!                                   new worker warm            drained, or the grace is over
//!  order ──▶ successor warming up ─────────────────▶ Draining ───────────────────────────────▶ Ending ──▶ ended: recorded
//!                │     the old one takes requests       the new one takes requests; TERM, then KILL
//!                │ ended, too late
//!                └──▶ recorded as failed, the old one stays
//! ```
//!
//! The old worker's requests get the stop grace to finish, and then it gets as long again to end: TERM tells an app to stop
//! listening, not to drop what it is doing. When the old worker ends by itself meanwhile, the successor takes its place at once,
//! warm or not, as any replacement would.

use crate::crash_monitor;
use crate::effect::Effect;
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome};
use model::crash::AffectedRequests;
use model::status::{InstanceMessage, RestartStage, Restarting};
use model::{Monotonic, Now, Signal, WorkerId};

use crate::instance::start::Start;
use crate::instance::{Instance, Order, Phase, Process};

/// The worker that is to take the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Successor {
    pub(super) start: Start,
    order: Order,
}

/// A worker that lives and has no place any more.
#[derive(Clone, Debug)]
pub(super) struct Terminating {
    pub(super) stage: Stage,
    /// What it goes for, and who took its place; absent for one that nobody asked for, or that was given up.
    pub(super) replaced: Option<(Order, WorkerId)>,
    /// The process of one that had its place until that was removed: if the place comes back in time, it has it again.
    pub(super) left: Option<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Draining { until: Monotonic },
    Ending { kill_at: Monotonic },
    Killed,
}

impl Terminating {
    /// One that nobody asked for, or that was given up.
    pub(super) const fn at(stage: Stage) -> Self {
        Self { stage, replaced: None, left: None }
    }

    pub(super) fn deadline(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::Draining { until } => Some(until),
            Stage::Ending { kill_at } => Some(kill_at),
            Stage::Killed => None,
        }
    }
}

impl Instance {
    /// Begins an overlapped restart; `false` where none can be begun, for which [`model::status::InstanceStatus::restart_refused`] has the reason.
    #[must_use]
    pub fn restart(&mut self, now: Now, order: Order, effects: &mut Vec<Effect>) -> bool {
        if !self.can_restart() {
            return false;
        }
        self.begin(now, order, effects);
        self.healing.rules.restarting();
        true
    }

    fn begin(&mut self, now: Now, order: Order, effects: &mut Vec<Effect>) {
        let start = self.begin_start(now, effects);
        if let Phase::Running { next, .. } = &mut self.phase {
            *next = Some(Box::new(Successor { start, order }));
        }
    }

    /// A worker takes requests, and none is being replaced.
    pub(super) fn can_restart(&self) -> bool {
        matches!(self.phase, Phase::Running { next: None, .. }) && !self.stop && !self.is_restarting()
    }

    /// A worker is being replaced by another, or has been and is not gone yet.
    pub fn is_restarting(&self) -> bool {
        self.restarting().is_some()
    }

    pub(super) fn restarting(&self) -> Option<Restarting> {
        let told =
            |order: &Order, stage| Restarting { since: order.at.wall, reason: order.reason.clone(), stage };
        if let Phase::Running { next: Some(next), .. } = &self.phase {
            return Some(told(&next.order, RestartStage::WarmingUp));
        }
        let (order, _) = self.terminating.values().find_map(|terminating| terminating.replaced.as_ref())?;
        Some(told(order, RestartStage::Draining))
    }

    pub(crate) fn is_successor(&self, worker: &WorkerId) -> bool {
        matches!(&self.phase, Phase::Running { next: Some(next), .. } if next.start.worker == *worker)
    }

    /// The new worker is warm: it takes the place, and the old one drains.
    pub(super) fn succeed(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Some((successor, process, old)) = self.take_successor() else { return };
        let Successor { start: Start { worker, .. }, order } = successor;
        self.monitor.set_start_took(process.uptime.at(now), effects);
        self.message = None;
        self.enter(now, Phase::Running { worker: worker.clone(), process, next: None });
        let input = crash_monitor::MonitorInput::Started { worker: worker.clone(), armed: process.armed };
        self.monitor.step(now, input, effects);
        self.healing.rules.restarted();
        let stage = Stage::Draining { until: now.monotonic + self.lifecycle.stop_grace };
        effects.push(Effect::Drain { worker: old.clone() });
        self.terminating
            .insert(old, Terminating { replaced: Some((order, worker)), ..Terminating::at(stage) });
    }

    fn take_successor(&mut self) -> Option<(Successor, Process, WorkerId)> {
        let Phase::Running { worker: old, next, .. } = &mut self.phase else { return None };
        let process = next.as_ref()?.start.process?;
        Some((*next.take()?, process, old.clone()))
    }

    /// The old worker's requests are done.
    pub(super) fn drained(&mut self, now: Now, worker: &WorkerId, effects: &mut Vec<Effect>) {
        if let Some(terminating) = self.terminating.get_mut(worker)
            && let Stage::Draining { .. } = terminating.stage
        {
            terminating.stage = Stage::Ending { kill_at: now.monotonic + self.lifecycle.stop_grace };
            effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
        }
    }

    /// Moves each terminating worker on whose time is over.
    pub(super) fn advance_terminating(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for (worker, terminating) in &mut self.terminating {
            let (stage, signal) = match terminating.stage {
                Stage::Draining { until } if until <= now.monotonic => {
                    (Stage::Ending { kill_at: now.monotonic + self.lifecycle.stop_grace }, Signal::TERM)
                }
                Stage::Ending { kill_at } if kill_at <= now.monotonic => (Stage::Killed, Signal::KILL),
                _ => continue,
            };
            terminating.stage = stage;
            effects.push(Effect::Signal { worker: worker.clone(), signal });
        }
    }

    /// Medic stops: nobody drains any more.
    pub(super) fn stop_draining(&mut self, now: Now, hasten: bool, effects: &mut Vec<Effect>) {
        for terminating in self.terminating.values_mut() {
            match &mut terminating.stage {
                Stage::Draining { until } => *until = now.monotonic,
                Stage::Ending { kill_at } if hasten => *kill_at = now.monotonic,
                _ => {}
            }
        }
        self.advance_terminating(now, effects);
    }

    /// A worker that nobody asked for is asked to end, and killed if it does not.
    pub(super) fn dismiss(&mut self, now: Now, worker: &WorkerId, effects: &mut Vec<Effect>) {
        effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
        let stage = Stage::Ending { kill_at: now.monotonic + self.lifecycle.stop_grace };
        self.terminating.entry(worker.clone()).or_insert(Terminating::at(stage));
    }

    /// The successor goes, and the attempt is recorded; the old worker stays.
    pub(super) fn give_up_successor(&mut self, now: Now, why: RestartFailure, effects: &mut Vec<Effect>) {
        let Phase::Running { next: Some(next), .. } = &self.phase else { return };
        let (worker, is_there) = (next.start.worker.clone(), next.start.process.is_some());
        self.successor_failed(now, why, effects);
        if is_there {
            self.dismiss(now, &worker, effects);
        } else {
            let stage = Stage::Ending { kill_at: now.monotonic + self.lifecycle.stop_grace };
            self.terminating.insert(worker, Terminating::at(stage));
        }
    }

    /// What this worker runs is not what it should. One that takes no requests yet is in nobody's way, so that another is started
    /// for it at once; `false` for one that takes requests.
    pub(crate) fn renew(&mut self, now: Now, worker: &WorkerId, effects: &mut Vec<Effect>) -> bool {
        if self.stop {
            return false;
        }
        match &mut self.phase {
            Phase::Starting(start) if start.worker == *worker => {
                self.dismiss(now, worker, effects);
                self.start(now, effects);
                true
            }
            Phase::Running { next: Some(next), .. } if next.start.worker == *worker => {
                let order = next.order.clone();
                self.dismiss(now, worker, effects);
                self.begin(now, order, effects);
                true
            }
            _ => false,
        }
    }

    /// The successor is gone, or as good as.
    pub(super) fn successor_failed(&mut self, now: Now, why: RestartFailure, effects: &mut Vec<Effect>) {
        let Phase::Running { worker: old, next, .. } = &mut self.phase else { return };
        let (Some(next), old) = (next.take(), old.clone()) else { return };
        let restart =
            self.record_of(now, old, Some(next.start.worker), next.order, &AffectedRequests::default());
        self.message = Some(InstanceMessage::RestartFailed { why: why.clone() });
        let outcome = RestartOutcome::Failed { why };
        effects.push(Effect::RecordRestart(Box::new(Restart { outcome, ..restart })));
        self.healing.rules.restart_failed();
    }

    /// The old worker is gone before the new one is warm: the new one has the place now.
    pub(super) fn promote_successor(&mut self, now: Now, effects: &mut Vec<Effect>) -> bool {
        let Phase::Running { worker: old, next, .. } = &mut self.phase else { return false };
        let (Some(next), old) = (next.take(), old.clone()) else { return false };
        let Successor { start, order } = *next;
        let restart =
            self.record_of(now, old, Some(start.worker.clone()), order, &AffectedRequests::default());
        let outcome = RestartOutcome::Failed { why: RestartFailure::OldWorker };
        effects.push(Effect::RecordRestart(Box::new(Restart { outcome, ..restart })));
        if let Some(process) = start.process {
            let input =
                crash_monitor::MonitorInput::Started { worker: start.worker.clone(), armed: process.armed };
            self.monitor.step(now, input, effects);
        }
        self.enter(now, Phase::Starting(start));
        true
    }

    /// A terminating worker has ended: its restart is complete.
    pub(super) fn complete_restart(
        &mut self,
        now: Now,
        worker: &WorkerId,
        affected: &AffectedRequests,
        effects: &mut Vec<Effect>,
    ) {
        let Some(terminating) = self.terminating.remove(worker) else { return };
        let Some((order, new)) = terminating.replaced else { return };
        let restart = self.record_of(now, worker.clone(), Some(new), order, affected);
        effects.push(Effect::RecordRestart(Box::new(restart)));
    }

    fn record_of(
        &self,
        now: Now,
        old: WorkerId,
        new: Option<WorkerId>,
        order: Order,
        affected: &AffectedRequests,
    ) -> Restart {
        Restart {
            place: self.key.clone(),
            old,
            new,
            at: order.at.wall,
            reason: order.reason,
            evidence: order.evidence,
            duration_ms: u64::try_from(now.monotonic.since(order.at.monotonic).as_millis())
                .unwrap_or(u64::MAX),
            drained: affected.drained,
            failed: affected.failed,
            streams_ended: affected.streams_ended,
            tunnels_ended: affected.tunnels_ended,
            outcome: RestartOutcome::Done,
        }
    }
}
