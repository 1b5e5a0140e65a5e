//! One of an app's places to run: keeps a worker running on it, and sees each worker through to the end.
//!
//! ```text
//!              Started            Listening
//!   Waiting ───────────▶ Starting ─────────▶ Running
//!    ▲   ▲  start due       │  │                │
//!    │   │                  │  │ warm-up over   │
//!    │   └─ start failed ───┘  ▼                │
//!    │                      Stopping ◀──────────┤ Stop
//!    │  ended (back-off)       │                │
//!    └─────────────────────────┴────────────────┘   and from Stopping, when Medic stops: Stopped
//! ```
//!
//! A worker that was stopped at its fatal signal, or has ended, is *leaving*: it no longer matters for the place (a replacement
//! is started at the signal), but its end and its analysis are awaited, recorded, and only then its shim is told that it may go:
//! nothing a shim holds is lost because a disk was full or Medic was killed in between.

mod input;
mod leaving;

use std::collections::BTreeMap;
use std::time::Duration;

pub use input::{Input, Lifecycle, Toll};
use leaving::{End, Leaving};

use crate::back_off::BackOff;
use crate::crash::{Audit, Findings};
use crate::crash_monitor::{self, CrashMonitor};
use crate::effect::Effect;
use crate::status::{InstanceState, InstanceStatus};
use crate::time::humanise;
use crate::{AppName, Ending, Exit, IncidentId, InstanceKey, Signal, Timestamp, WorkerId};

/// A crash that could not be written down is tried again after this long.
pub const RECORD_RETRY: Duration = Duration::from_secs(10);

/// Names the incident of an app's signature. (It takes a hash function, which the engine does without.)
pub type NameIncident = fn(&AppName, &str) -> IncidentId;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Waiting { until: Timestamp },
    Starting { worker: WorkerId, process: Option<Process>, late_at: Timestamp },
    Running { worker: WorkerId, process: Process },
    Stopping { worker: WorkerId, process: Option<Process>, kill_at: Option<Timestamp> },
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Process {
    pid: u32,
    port: u16,
}

/// One place of one app.
#[derive(Clone, Debug)]
pub struct Instance {
    key: InstanceKey,
    node: String,
    lifecycle: Lifecycle,
    name_incident: NameIncident,
    monitor: CrashMonitor,
    back_off: BackOff,
    phase: Phase,
    since: Timestamp,
    message: Option<String>,
    leaving: BTreeMap<WorkerId, Leaving>,
    stop: bool,
    last_start: Option<Timestamp>,
}

impl Instance {
    /// A place without a worker; the first [`Instance::tick`] starts one.
    pub fn new(
        now: Timestamp,
        node: &str,
        monitor: CrashMonitor,
        key: InstanceKey,
        lifecycle: Lifecycle,
        name_incident: NameIncident,
    ) -> Self {
        Self {
            node: node.to_owned(),
            lifecycle,
            name_incident,
            monitor,
            back_off: BackOff::new(lifecycle.back_off),
            phase: Phase::Waiting { until: now },
            since: now,
            message: None,
            leaving: BTreeMap::new(),
            stop: false,
            last_start: None,
            key,
        }
    }

    /// Takes in what happened to `worker`.
    pub fn step(&mut self, now: Timestamp, worker: &WorkerId, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Started { pid, port, armed } => {
                self.started(now, worker, Process { pid, port }, armed, effects);
            }
            Input::StartFailed { reason } => self.start_failed(now, worker, &reason),
            Input::Listening => self.listening(now, worker),
            Input::Armed => {
                self.monitor.step(now, crash_monitor::Input::Armed { worker: worker.clone() }, effects);
            }
            Input::ArmRefused { reason } => {
                self.monitor.step(
                    now,
                    crash_monitor::Input::ArmRefused { worker: worker.clone(), reason },
                    effects,
                );
            }
            Input::Fatal { toll } => self.fatal(now, worker, toll, effects),
            Input::Ended { pid, exit, ending, at, uptime, toll } => {
                self.ended(now, worker, (pid, exit, ending, at, uptime), toll, effects);
            }
            Input::Analysed { findings, audit } => self.analysed(now, worker, findings, audit, effects),
            Input::Recorded => {
                self.leaving.remove(worker);
                effects.push(Effect::Acknowledge { worker: worker.clone() });
            }
            Input::NotRecorded => {
                if let Some(leaving) = self.leaving.get_mut(worker) {
                    leaving.record_at = Some(now + RECORD_RETRY);
                }
            }
            Input::Lost => self.lost(now, worker, effects),
        }
        self.tick(now, effects);
    }

    /// Does what is due by now.
    pub fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.monitor.step(now, crash_monitor::Input::Tick, effects);
        let due: Vec<WorkerId> = self
            .leaving
            .iter()
            .filter(|(_, l)| l.record_at.is_some_and(|at| at <= now))
            .map(|(w, _)| w.clone())
            .collect();
        for worker in due {
            self.record(&worker, effects);
        }
        match &mut self.phase {
            Phase::Waiting { .. } if self.stop => self.enter(now, Phase::Stopped),
            Phase::Waiting { until } if *until <= now => self.start(now, effects),
            Phase::Starting { worker, late_at, .. } if *late_at <= now => {
                let (worker, warm_up) = (worker.clone(), humanise(self.lifecycle.warm_up));
                self.message =
                    Some(format!("The worker did not listen on $PORT within {warm_up} and was stopped."));
                self.ask_to_end(now, &worker, effects);
            }
            Phase::Stopping { worker, kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::KILL });
            }
            _ => {}
        }
    }

    /// When something is due by time alone.
    pub fn deadline(&self) -> Option<Timestamp> {
        let phase = match &self.phase {
            Phase::Waiting { until } => Some(*until),
            Phase::Starting { late_at, .. } => Some(*late_at),
            Phase::Stopping { kill_at, .. } => *kill_at,
            Phase::Running { .. } | Phase::Stopped => None,
        };
        self.leaving
            .values()
            .map(|leaving| leaving.record_at)
            .chain([phase, self.monitor.deadline()])
            .flatten()
            .min()
    }

    /// Stops the place for good; a second call does not wait for the grace.
    pub fn stop(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        let hasten = std::mem::replace(&mut self.stop, true);
        match &mut self.phase {
            Phase::Starting { worker, .. } | Phase::Running { worker, .. } => {
                let worker = worker.clone();
                self.ask_to_end(now, &worker, effects);
            }
            Phase::Stopping { kill_at: kill_at @ Some(_), .. } if hasten => *kill_at = Some(now),
            _ => {}
        }
        self.tick(now, effects);
    }

    /// Nothing runs, nothing will be started, and nothing is on its way to be written down. A crash that could not be written
    /// does not hold Medic back: its shim keeps it for the next one.
    pub fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped && self.leaving.values().all(|leaving| leaving.record_at.is_some())
    }

    /// The crash monitoring's settings changed.
    pub fn configure(
        &mut self,
        now: Timestamp,
        numbers: crash_monitor::Numbers,
        enabled: bool,
        effects: &mut Vec<Effect>,
    ) {
        self.monitor.step(now, crash_monitor::Input::Configure { numbers, enabled }, effects);
    }

    /// The worker that takes requests.
    pub fn taker(&self) -> Option<&WorkerId> {
        match &self.phase {
            Phase::Running { worker, .. } => Some(worker),
            _ => None,
        }
    }

    /// What is true now.
    pub fn status(&self, now: Timestamp) -> InstanceStatus {
        let (state, process, next_start) = match &self.phase {
            Phase::Waiting { until } => (InstanceState::Waiting, None, Some(*until)),
            Phase::Starting { process, .. } => (InstanceState::Starting, *process, None),
            Phase::Running { process, .. } => (InstanceState::Running, Some(*process), None),
            Phase::Stopping { process, .. } => (InstanceState::Stopping, *process, None),
            Phase::Stopped => (InstanceState::Stopped, None, None),
        };
        InstanceStatus {
            index: self.key.index,
            pid: process.map(|process| process.pid),
            state,
            since: self.since,
            port: process.map(|process| process.port),
            next_start,
            message: self.message.clone(),
            ends_in_a_row: self.back_off.ends_in_a_row(),
            monitoring: self.monitor.status(now),
            started_at: None,
            restarting: None,
        }
    }

    fn enter(&mut self, now: Timestamp, phase: Phase) {
        self.phase = phase;
        self.since = now;
    }

    fn start(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        // A worker's id is its instance and its start: two starts within one millisecond must not share one.
        let started_at = self.last_start.map_or(now, |last| now.max(last + Duration::from_millis(1)));
        self.last_start = Some(started_at);
        let worker = WorkerId { instance: self.key.clone(), started_at };
        effects.push(Effect::Start { worker: worker.clone(), arm: self.monitor.wants_debugger(now) });
        self.enter(now, Phase::Starting { worker, process: None, late_at: now + self.lifecycle.warm_up });
    }

    fn started(
        &mut self,
        now: Timestamp,
        worker: &WorkerId,
        process: Process,
        armed: bool,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.phase {
            Phase::Starting { worker: mine, process: slot, .. }
            | Phase::Stopping { worker: mine, process: slot, .. }
                if mine == worker =>
            {
                *slot = Some(process);
                if let Phase::Stopping { .. } = self.phase {
                    // It was asked to end before it was there to hear it.
                    effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
                    return;
                }
            }
            // Found running when Medic came back.
            Phase::Waiting { .. } if !self.stop => {
                self.last_start = self.last_start.max(Some(worker.started_at));
                let late_at = now + self.lifecycle.warm_up;
                self.enter(now, Phase::Starting { worker: worker.clone(), process: Some(process), late_at });
            }
            // Two workers on one place cannot both be right: the one that is not ours goes.
            _ => {
                effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
                return;
            }
        }
        effects.push(Effect::Probe { worker: worker.clone() });
        self.monitor.step(now, crash_monitor::Input::Started { worker: worker.clone(), armed }, effects);
    }

    fn start_failed(&mut self, now: Timestamp, worker: &WorkerId, reason: &str) {
        if self.holds(worker) {
            self.message = Some(format!("The worker could not be started: {reason}"));
            self.wait(now, Duration::ZERO);
        }
    }

    fn listening(&mut self, now: Timestamp, worker: &WorkerId) {
        if let Phase::Starting { worker: mine, process: Some(process), .. } = &self.phase
            && mine == worker
        {
            let (worker, process) = (worker.clone(), *process);
            self.message = None;
            self.enter(now, Phase::Running { worker, process });
        }
    }

    fn fatal(&mut self, now: Timestamp, worker: &WorkerId, toll: Toll, effects: &mut Vec<Effect>) {
        self.leaving.entry(worker.clone()).or_default().add(toll);
        self.monitor.step(now, crash_monitor::Input::Fatal { worker: worker.clone() }, effects);
        if self.holds(worker) {
            self.message = Some("The worker was stopped at its fatal signal.".to_owned());
            self.wait(now, now.since(worker.started_at));
        }
    }

    fn ended(
        &mut self,
        now: Timestamp,
        worker: &WorkerId,
        end: (u32, Exit, Ending, Timestamp, Duration),
        toll: Toll,
        effects: &mut Vec<Effect>,
    ) {
        let (pid, exit, ending, at, uptime) = end;
        let crashed = matches!(ending, Ending::Crash(_));
        self.monitor.step(now, crash_monitor::Input::Ended { worker: worker.clone(), at, crashed }, effects);
        if let Ending::Crash(cause) = ending {
            let leaving = self.leaving.entry(worker.clone()).or_default();
            leaving.add(toll);
            leaving.end = Some(End { pid, exit, cause, at, uptime });
        } else {
            self.leaving.remove(worker);
            effects.push(Effect::Acknowledge { worker: worker.clone() });
        }
        if self.holds(worker) {
            self.message = match ending {
                Ending::Asked => self.message.take(),
                Ending::Finished => Some("The worker ended by itself with status 0.".to_owned()),
                Ending::Crash(_) => Some(format!("The worker crashed: {exit}.")),
            };
            self.wait(now, uptime);
        }
    }

    fn analysed(
        &mut self,
        now: Timestamp,
        worker: &WorkerId,
        findings: Box<Findings>,
        audit: Option<Audit>,
        effects: &mut Vec<Effect>,
    ) {
        let captured_at = audit.as_ref().map(|audit| audit.captured_at);
        self.monitor.step(
            now,
            crash_monitor::Input::Analysed { worker: worker.clone(), captured_at },
            effects,
        );
        if let Some(leaving) = self.leaving.get_mut(worker)
            && leaving.analysis.is_none()
        {
            leaving.analysis = Some((findings, audit));
            self.record(worker, effects);
        }
    }

    fn record(&mut self, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let Some(leaving) = self.leaving.get_mut(worker) else { return };
        leaving.record_at = None;
        effects.extend(
            leaving
                .crash(worker, &self.node, self.name_incident)
                .map(|crash| Effect::Record(Box::new(crash))),
        );
    }

    fn lost(&mut self, now: Timestamp, worker: &WorkerId, effects: &mut Vec<Effect>) {
        self.leaving.remove(worker);
        self.monitor.step(
            now,
            crash_monitor::Input::Ended { worker: worker.clone(), at: now, crashed: false },
            effects,
        );
        if self.holds(worker) {
            self.message = Some("The worker's shim was killed, and the worker with it.".to_owned());
            self.wait(now, now.since(worker.started_at));
        }
    }

    fn ask_to_end(&mut self, now: Timestamp, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let process = match &self.phase {
            Phase::Starting { process, .. } => *process,
            Phase::Running { process, .. } => Some(*process),
            _ => return,
        };
        if process.is_some() {
            effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
        }
        let kill_at = Some(now + self.lifecycle.stop_grace);
        self.enter(now, Phase::Stopping { worker: worker.clone(), process, kill_at });
    }

    fn wait(&mut self, now: Timestamp, uptime: Duration) {
        let pause = self.back_off.pause_after(uptime);
        self.enter(now, if self.stop { Phase::Stopped } else { Phase::Waiting { until: now + pause } });
    }

    fn holds(&self, worker: &WorkerId) -> bool {
        match &self.phase {
            Phase::Starting { worker: mine, .. }
            | Phase::Running { worker: mine, .. }
            | Phase::Stopping { worker: mine, .. } => mine == worker,
            Phase::Waiting { .. } | Phase::Stopped => false,
        }
    }
}

#[cfg(test)]
mod tests;
