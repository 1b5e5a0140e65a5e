//! One of an app's places to run: keeps a worker running on it, heals it, and sees each worker through to the end.
//!
//! ```text
//!              Started            Listening              Listening of a successor: it takes over
//!   Waiting ───────────▶ Starting ─────────▶ Running ──────────────┐
//!    ▲   ▲  start due       │  │              │  ▲ ▲               │
//!    │   │                  │  │ warm-up over │  │ └───────────────┘
//!    │   └─ start failed ───┘  ▼              │  └─ a rule, a user: a successor starts beside it (see `restart`)
//!    │                      Stopping ◀────────┤ Stop
//!    │  ended (back-off)       │              │
//!    └─────────────────────────┴──────────────┘   and from Stopping, when Medic stops: Stopped
//! ```
//!
//! A worker that was stopped at its fatal signal, or has ended, is a *pending crash*: it no longer matters for the place (a replacement
//! is started at the signal), but its end and its analysis are awaited, recorded, and only then its shim is told that it may go:
//! nothing a shim holds is lost because a disk was full or Medic was killed in between. A worker that was replaced while it
//! lived is *terminating* until it has ended: it finishes its requests, then it is asked to end, then killed. A place that
//! workers of the last Medic may still be on starts none before these are heard, or take too long (see `returning`). And a place
//! that is taken out of the configuration, and may come back, drains as one that is replaced (see `leaving`).

mod child;
mod healing;
mod input;
mod leaving;
mod life;
mod pending_crash;
mod process;
mod restart;
mod returning;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use healing::Healing;
pub use input::{ChildEvent, Lifecycle, Order, WorkerEvent, WorkerLimits};
use pending_crash::PendingCrash;
use process::{Process, Uptime};
use restart::{Successor, Terminating};
use returning::Hearing;
use start::Start;

use crate::back_off::{BackOff, STEADY};
use crate::crash_monitor;
use crate::crash_monitor::CrashMonitor;
use crate::effect::Effect;
use model::auto_heal::restart::RestartFailure;
use model::crash::Findings;
use model::crash_monitor::{EndsInARow, LastEnd};
use model::status::{InstanceMessage, InstanceState, InstanceStatus};
use model::{
    AppName, CrashCause, CrashId, Exit, IncidentId, Monotonic, Now, Place, Signal, Timestamp, WorkerId,
};

/// A crash that could not be written down is tried again after this long.
pub const RECORD_RETRY: Duration = Duration::from_secs(10);

/// What the engine leaves to whoever analyses crashes.
#[derive(Clone, Copy, Debug)]
pub struct CrashAnalysis {
    /// Names the incident of an app's signature. (It takes a hash function, which the engine does without.)
    pub name_incident: fn(&AppName, &str) -> IncidentId,
    /// What can be said of a crash whose shim was killed before it was analysed.
    pub without_shim: fn(CrashCause, Exit) -> Findings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until: Monotonic, next_start: Timestamp },
    Starting(Start),
    Running { worker: WorkerId, process: Process, next: Option<Box<Successor>> },
    Stopping { worker: WorkerId, process: Option<Process>, kill_at: Option<Monotonic> },
    Stopped,
}

/// One place of one app.
#[derive(Clone, Debug)]
pub struct Instance {
    key: Place,
    lifecycle: Lifecycle,
    analysis: CrashAnalysis,
    monitor: CrashMonitor,
    healing: Healing,
    back_off: BackOff,
    phase: Phase,
    since: Timestamp,
    message: Option<InstanceMessage>,
    pending_crashes: BTreeMap<CrashId, PendingCrash>,
    /// Their own end is safe, and crashes of their children are not yet.
    to_acknowledge: BTreeSet<WorkerId>,
    terminating: BTreeMap<WorkerId, Terminating>,
    /// Until it is known who outlived the last Medic.
    hearing: Option<Hearing>,
    /// Nothing is started any more.
    stop: bool,
    /// Medic stops: that is waited for, once.
    medic_stops: bool,
    last_start: Option<Timestamp>,
}

impl Instance {
    /// A place without a worker; the first [`Instance::tick`] starts one, unless [`Instance::returning`] says that there may be
    /// one already.
    pub fn new(
        now: Now,
        key: Place,
        lifecycle: Lifecycle,
        (monitor, healing): (CrashMonitor, Healing),
        analysis: CrashAnalysis,
    ) -> Self {
        let last_start = monitor.last_start();
        Self {
            lifecycle,
            analysis,
            monitor,
            healing,
            back_off: BackOff::new(lifecycle.back_off),
            phase: Phase::Waiting { until: now.monotonic, next_start: now.wall },
            since: now.wall,
            message: None,
            pending_crashes: BTreeMap::new(),
            to_acknowledge: BTreeSet::new(),
            terminating: BTreeMap::new(),
            hearing: None,
            stop: false,
            medic_stops: false,
            last_start,
            key,
        }
    }

    /// Takes in what happened to `worker`.
    pub fn step(&mut self, now: Now, worker: &WorkerId, input: WorkerEvent, effects: &mut Vec<Effect>) {
        self.last_start = self.last_start.max(Some(worker.started_at));
        match input {
            WorkerEvent::Started { pid, port, armed } => {
                let uptime = Uptime { heard_of: now.monotonic, before: Duration::ZERO };
                self.started(now, worker, Process { pid, port, armed, uptime }, effects);
            }
            WorkerEvent::Found { pid, port, armed, warm, asked } => {
                let before = now.wall.since(worker.started_at);
                let uptime = Uptime { heard_of: now.monotonic, before };
                self.found(now, worker, (Process { pid, port, armed, uptime }, warm, asked), effects);
            }
            WorkerEvent::StartFailed { reason } => self.start_failed(now, worker, &reason, effects),
            WorkerEvent::Moved { pid } => self.moved(worker, pid),
            WorkerEvent::Seen(seen) => self.seen(worker, seen),
            WorkerEvent::Listening => self.listening(now, worker, effects),
            WorkerEvent::Limits(limits) => self.set_limits(worker, limits),
            WorkerEvent::Drained => self.drained(now, worker, effects),
            WorkerEvent::Armed => {
                self.monitor.step(
                    now,
                    crash_monitor::MonitorInput::Armed { worker: worker.clone() },
                    effects,
                );
            }
            WorkerEvent::ArmRefused { reason } => {
                let input = crash_monitor::MonitorInput::ArmRefused { worker: worker.clone(), reason };
                self.monitor.step(now, input, effects);
            }
            WorkerEvent::Fatal { pid, signal, at, affected } => {
                self.fatal(now, worker, (pid, signal, at), affected, effects);
            }
            WorkerEvent::Ended { pid, exit, ending, at, uptime, affected, fault } => {
                self.ended(now, worker, (pid, exit, ending, at, uptime), (affected, fault), effects);
            }
            WorkerEvent::Analysed { findings, audit } => self.analysed(now, worker, findings, audit, effects),
            WorkerEvent::Child { process, event } => self.child(now, worker, process, event, effects),
            WorkerEvent::Recorded => {
                self.pending_crashes.remove(&CrashId::of_main(worker.clone()));
                self.acknowledge(worker, effects);
            }
            WorkerEvent::NotRecorded => self.record_later(now, &CrashId::of_main(worker.clone())),
            WorkerEvent::Lost { affected } => self.lost(now, worker, &affected, effects),
        }
        self.decide_when_heard(now, effects);
        self.tick(now, effects);
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.monitor.step(now, crash_monitor::MonitorInput::Tick, effects);
        let is_due = |pending: &PendingCrash| pending.record_at.is_some_and(|at| at <= now.monotonic);
        let due: Vec<CrashId> = self
            .pending_crashes
            .iter()
            .filter(|(_, pending)| is_due(pending))
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.record(&id, effects);
        }
        self.advance_terminating(now, effects);
        self.decide_when_heard(now, effects);
        match &mut self.phase {
            Phase::Waiting { .. } if self.hearing.is_some() => {}
            Phase::Waiting { .. } if self.stop => self.enter(now, Phase::Stopped),
            Phase::Waiting { until, .. } if *until <= now.monotonic => self.start(now, effects),
            Phase::Starting(start) if start.late_at() <= now.monotonic => {
                let (worker, end) = (start.worker.clone(), start.not_ready());
                self.message = Some(InstanceMessage::Ended { end: end.clone() });
                self.note_end(now, end, effects);
                self.ask_to_end(now, &worker, effects);
            }
            Phase::Running { next: Some(next), .. } if next.start.late_at() <= now.monotonic => {
                let why = RestartFailure::NewWorker { end: next.start.not_ready() };
                self.give_up_successor(now, why, effects);
            }
            Phase::Stopping { worker, kill_at, .. } if kill_at.is_some_and(|at| at <= now.monotonic) => {
                *kill_at = None;
                effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::KILL });
            }
            _ => {}
        }
        if self.is_steady(now) {
            self.monitor.set_ends(None, effects);
        }
    }

    /// A worker of this place ended, or will for being late, and none takes over from it.
    fn note_end(&mut self, now: Now, last: LastEnd, effects: &mut Vec<Effect>) {
        if self.stop {
            return;
        }
        let is_ready = matches!(self.phase, Phase::Running { .. });
        let earlier = if self.is_steady(now) { None } else { self.monitor.state().ends.clone() };
        let (since, count, was_ready) =
            earlier.map_or((now.wall, 0, false), |ends| (ends.since, ends.count, ends.was_ready));
        let ends =
            EndsInARow { since, count: count.saturating_add(1), was_ready: was_ready || is_ready, last };
        self.monitor.set_ends(Some(ends), effects);
    }

    /// When something is due by time alone.
    pub fn deadline(&self, now: Now) -> Option<Monotonic> {
        let phase = match &self.phase {
            Phase::Waiting { until, .. } => Some(self.hearing.as_ref().map_or(*until, Hearing::until)),
            Phase::Starting(start) => Some(start.late_at()),
            Phase::Running { next, .. } => next.as_ref().map(|next| next.start.late_at()),
            Phase::Stopping { kill_at, .. } => *kill_at,
            Phase::Stopped => None,
        };
        let terminating = self.terminating.values().filter_map(Terminating::deadline);
        let pending = self.pending_crashes.values().filter_map(|pending| pending.record_at);
        terminating.chain(pending).chain(phase).chain(self.monitor.deadline(now)).min()
    }

    /// Stops the place for good; a second call does not wait for the grace.
    pub fn stop(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.stop = true;
        let hasten = std::mem::replace(&mut self.medic_stops, true);
        self.give_up_successor(now, RestartFailure::MedicStopped, effects);
        self.stop_draining(now, hasten, effects);
        match &mut self.phase {
            Phase::Starting(Start { worker, .. }) | Phase::Running { worker, .. } => {
                let worker = worker.clone();
                self.ask_to_end(now, &worker, effects);
            }
            Phase::Stopping { kill_at: kill_at @ Some(_), .. } if hasten => *kill_at = Some(now.monotonic),
            _ => {}
        }
        self.tick(now, effects);
    }

    /// Nothing runs, nothing will be started, and nothing is on its way to be written down. A crash that could not be written
    /// does not hold Medic back: its shim keeps it for the next one.
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped
            && self.terminating.is_empty()
            && self.pending_crashes.values().all(|pending| pending.record_at.is_some())
    }

    /// It is stopped, and nothing of it waits to be written down.
    pub fn is_gone(&self) -> bool {
        self.is_stopped() && self.pending_crashes.is_empty()
    }

    /// The crash monitoring's settings changed.
    pub fn configure(
        &mut self,
        now: Now,
        numbers: model::crash_monitor::Numbers,
        enabled: bool,
        effects: &mut Vec<Effect>,
    ) {
        self.monitor.step(now, crash_monitor::MonitorInput::Configure { numbers, enabled }, effects);
    }

    /// The way to run it may have changed: what kept workers from running may be over.
    pub fn try_now(&mut self, now: Now) {
        if let Phase::Waiting { until, next_start } = &mut self.phase {
            (*until, *next_start) = (now.monotonic, now.wall);
        }
    }

    /// The numbers changed. What is under way keeps those that it began with.
    pub fn set_lifecycle(&mut self, lifecycle: Lifecycle) {
        if lifecycle.back_off != self.lifecycle.back_off {
            self.back_off = BackOff::new(lifecycle.back_off);
        }
        self.lifecycle = lifecycle;
    }

    /// The worker that takes requests.
    pub fn ready_worker(&self) -> Option<&WorkerId> {
        match &self.phase {
            Phase::Running { worker, .. } => Some(worker),
            _ => None,
        }
    }

    /// The worker that the place has, whether or not it takes requests.
    pub fn worker(&self) -> Option<&WorkerId> {
        match &self.phase {
            Phase::Starting(Start { worker, .. })
            | Phase::Running { worker, .. }
            | Phase::Stopping { worker, .. } => Some(worker),
            Phase::Waiting { .. } | Phase::Stopped => None,
        }
    }

    /// What is true now.
    pub fn status(&self, now: Now) -> InstanceStatus {
        let (state, process, next_start) = match &self.phase {
            Phase::Waiting { until, next_start } => {
                (InstanceState::Waiting, None, Some(told(now, *until, *next_start)))
            }
            Phase::Starting(start) => (InstanceState::Starting, start.process, None),
            Phase::Running { process, .. } => (InstanceState::Running, Some(*process), None),
            Phase::Stopping { process, .. } => (InstanceState::Stopping, *process, None),
            Phase::Stopped => (InstanceState::Stopped, None, None),
        };
        let worker = self.worker().filter(|_| process.is_some());
        let not_responding = self.ready_worker().is_some() && self.healing.rules.is_unanswered();
        InstanceStatus {
            index: self.key.instance,
            pid: process.map(|process| process.pid),
            started_at: worker.map(|worker| worker.started_at),
            state,
            since: self.since,
            port: process.map(|process| process.port),
            next_start,
            message: self
                .message
                .clone()
                .or_else(|| not_responding.then_some(InstanceMessage::NotResponding)),
            not_responding,
            not_responding_since: self.healing.rules.unanswered_since().filter(|_| not_responding),
            ends: self.monitor.state().ends.clone().filter(|_| !self.is_steady(now)),
            recent_crashes: self.monitor.recent_crashes(now),
            ends_in_a_row: if self.is_steady(now) { 0 } else { self.back_off.ends_in_a_row() },
            monitoring: self.monitor.status(now),
            restarting: self.restarting(),
            starting: self.starting(),
        }
    }

    /// The worker has run for so long that those that ended before it are no row any more.
    fn is_steady(&self, now: Now) -> bool {
        matches!(&self.phase, Phase::Running { process, .. } if process.uptime.at(now) >= STEADY)
    }

    fn enter(&mut self, now: Now, phase: Phase) {
        self.phase = phase;
        self.since = now.wall;
    }

    fn holds(&self, worker: &WorkerId) -> bool {
        self.worker() == Some(worker)
    }

    /// How long the worker that the place has has run; nothing before it was there.
    fn uptime(&self, now: Now) -> Duration {
        let process = match &self.phase {
            Phase::Starting(Start { process, .. }) | Phase::Stopping { process, .. } => *process,
            Phase::Running { process, .. } => Some(*process),
            Phase::Waiting { .. } | Phase::Stopped => None,
        };
        process.map_or(Duration::ZERO, |process| process.uptime.at(now))
    }
}

/// The wall clock's time of what is due at `until` and was said to be at `said`: that stays what it was, to the millisecond,
/// unless the wall clock was set meanwhile.
fn told(now: Now, until: Monotonic, said: Timestamp) -> Timestamp {
    let exact = now.wall_at(until);
    let apart = exact.since(said).max(said.since(exact));
    if apart < Duration::from_secs(1) { said } else { exact }
}

#[cfg(test)]
mod tests;
