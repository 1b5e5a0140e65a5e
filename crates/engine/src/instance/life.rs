//! A worker's life on its place: started, warm, ended.

use std::time::Duration;

use crate::crash_monitor;
use crate::effect::Effect;
use crate::instance::pending_crash::End;
use crate::instance::start::Start;
use crate::instance::{Instance, Phase, Process, RECORD_RETRY};
use model::auto_heal::restart::RestartFailure;
use model::crash::{AffectedRequests, Audit, Findings, ProcessRole};
use model::crash_monitor::LastEnd;
use model::start::StartFault;
use model::status::InstanceMessage;
use model::{CrashCause, CrashId, Ending, Exit, Now, Signal, Timestamp, WorkerId, text};

impl Instance {
    pub(super) fn start(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let start = self.begin_start(now, effects);
        self.enter(now, Phase::Starting(start));
    }

    pub(super) fn started(
        &mut self,
        now: Now,
        worker: &WorkerId,
        process: Process,
        effects: &mut Vec<Effect>,
    ) {
        match &mut self.phase {
            Phase::Starting(start) if start.worker == *worker => start.process = Some(process),
            Phase::Running { next: Some(next), .. } if next.start.worker == *worker => {
                next.start.process = Some(process);
                effects.push(Effect::Probe { worker: worker.clone() });
                return;
            }
            Phase::Stopping { worker: mine, process: slot, .. } if mine == worker => {
                *slot = Some(process);
                // It was asked to end before it was there to hear it.
                effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
                return;
            }
            // Two workers on one place cannot both be right: the one that is not ours goes.
            _ => return self.dismiss(now, worker, effects),
        }
        effects.push(Effect::Probe { worker: worker.clone() });
        let input = crash_monitor::MonitorInput::Started { worker: worker.clone(), armed: process.armed };
        self.monitor.step(now, input, effects);
    }

    pub(super) fn start_failed(
        &mut self,
        now: Now,
        worker: &WorkerId,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) {
        self.terminating.remove(worker);
        let end = LastEnd::StartFailed { reason: text::seen(reason).into_owned() };
        if self.holds(worker) {
            self.message = Some(InstanceMessage::Ended { end: end.clone() });
            self.note_end(now, end, effects);
            if !self.promote_successor(now, effects) {
                let pause = self.back_off.pause_after_failed_start();
                self.pause(now, pause);
            }
        } else if self.is_successor(worker) {
            self.successor_failed(now, RestartFailure::NewWorker { end }, effects);
        }
    }

    pub(super) fn listening(&mut self, now: Now, worker: &WorkerId, effects: &mut Vec<Effect>) {
        match &self.phase {
            Phase::Starting(Start { worker: mine, process: Some(process), .. }) if mine == worker => {
                let (worker, process) = (worker.clone(), *process);
                self.monitor.set_start_took(process.uptime.at(now), effects);
                self.message = None;
                self.enter(now, Phase::Running { worker, process, next: None });
                self.healing.rules.restarted();
            }
            Phase::Running { next: Some(next), .. } if next.start.worker == *worker => {
                self.succeed(now, effects);
            }
            _ => {}
        }
    }

    pub(super) fn fatal(
        &mut self,
        now: Now,
        worker: &WorkerId,
        (pid, signal, at): (u32, Signal, Timestamp),
        affected: AffectedRequests,
        effects: &mut Vec<Effect>,
    ) {
        self.heard_gone(worker);
        let pending = self.pending_crashes.entry(CrashId::of_main(worker.clone())).or_default();
        pending.add(affected);
        let uptime = at.since(worker.started_at);
        pending.end.get_or_insert(End {
            pid,
            role: ProcessRole::Main,
            exit: Exit::Signal(signal),
            cause: CrashCause::Signal,
            at,
            uptime,
        });
        self.monitor.step(now, crash_monitor::MonitorInput::Fatal { worker: worker.clone() }, effects);
        let end = last_end(Exit::Signal(signal), CrashCause::Signal, None);
        if self.holds(worker) {
            self.message = Some(InstanceMessage::Ended { end: end.clone() });
            self.note_end(now, end, effects);
            self.wait(now, self.uptime(now), effects);
        } else if self.is_successor(worker) {
            self.successor_failed(now, RestartFailure::NewWorker { end }, effects);
        }
    }

    pub(super) fn ended(
        &mut self,
        now: Now,
        worker: &WorkerId,
        end: (u32, Exit, Ending, Timestamp, Duration),
        (affected, fault): (AffectedRequests, Option<StartFault>),
        effects: &mut Vec<Effect>,
    ) {
        self.heard_gone(worker);
        let (pid, exit, ending, at, uptime) = end;
        let crashed = matches!(ending, Ending::Crash(_));
        self.monitor.step(
            now,
            crash_monitor::MonitorInput::Ended { worker: worker.clone(), at, crashed },
            effects,
        );
        let id = CrashId::of_main(worker.clone());
        let pending = self.pending_crashes.entry(id.clone()).or_default();
        pending.add(affected);
        // what it took with it at its fatal signal counts, too
        let affected = pending.affected().clone();
        self.complete_restart(now, worker, &affected, effects);
        if let Ending::Crash(cause) = ending {
            let memory =
                if cause == CrashCause::OutOfMemory { self.healing.memory(worker) } else { Vec::new() };
            let pending = self.pending_crashes.entry(id).or_default();
            pending.end = Some(End { pid, role: ProcessRole::Main, exit, cause, at, uptime });
            pending.memory = memory;
        } else {
            self.pending_crashes.remove(&id);
            self.acknowledge(worker, effects);
        }
        let end = match ending {
            Ending::Asked | Ending::Finished | Ending::PassedOn => last_end(exit, CrashCause::Exit, fault),
            Ending::Crash(cause) => last_end(exit, cause, fault),
        };
        if self.holds(worker) {
            if ending == Ending::Asked {
                self.add_start_fault(fault, effects);
            } else {
                self.message = Some(InstanceMessage::Ended { end: end.clone() });
                self.note_end(now, end, effects);
            }
            self.wait(now, uptime, effects);
        } else if self.is_successor(worker) {
            self.successor_failed(now, RestartFailure::NewWorker { end }, effects);
        }
    }

    pub(super) fn analysed(
        &mut self,
        now: Now,
        worker: &WorkerId,
        findings: Box<Findings>,
        audit: Option<Audit>,
        effects: &mut Vec<Effect>,
    ) {
        let captured_at = audit.as_ref().map(|audit| audit.captured_at);
        let input = crash_monitor::MonitorInput::Analysed { worker: worker.clone(), captured_at };
        self.monitor.step(now, input, effects);
        self.complete(&CrashId::of_main(worker.clone()), (findings, audit), effects);
    }

    /// What the analysis found of a crash is there: all that is known of it is written down.
    pub(super) fn complete(
        &mut self,
        id: &CrashId,
        analysis: (Box<Findings>, Option<Audit>),
        effects: &mut Vec<Effect>,
    ) {
        if let Some(pending) = self.pending_crashes.get_mut(id)
            && pending.analysis.is_none()
        {
            pending.analysis = Some(analysis);
            self.record(id, effects);
        }
    }

    pub(super) fn record(&mut self, id: &CrashId, effects: &mut Vec<Effect>) {
        let Some(pending) = self.pending_crashes.get_mut(id) else { return };
        pending.record_at = None;
        let crash = pending.crash(id, self.analysis);
        effects.extend(crash.map(|crash| Effect::Record(Box::new(crash))));
    }

    pub(super) fn record_later(&mut self, now: Now, id: &CrashId) {
        if let Some(pending) = self.pending_crashes.get_mut(id) {
            pending.record_at = Some(now.monotonic + RECORD_RETRY);
        }
    }

    pub(super) fn lost(
        &mut self,
        now: Now,
        worker: &WorkerId,
        affected: &AffectedRequests,
        effects: &mut Vec<Effect>,
    ) {
        self.heard_gone(worker);
        let id = CrashId::of_main(worker.clone());
        let crash = self.pending_crashes.get_mut(&id).and_then(|pending| {
            pending.add(affected.clone());
            Some((pending.end?, pending.affected().clone()))
        });
        let at = crash.as_ref().map_or(now.wall, |(end, _)| end.at);
        let input =
            crash_monitor::MonitorInput::Ended { worker: worker.clone(), at, crashed: crash.is_some() };
        self.monitor.step(now, input, effects);
        self.complete_restart(
            now,
            worker,
            crash.as_ref().map_or(affected, |(_, affected)| affected),
            effects,
        );
        match crash {
            // its end is known, if nothing more: that is a crash all the same
            Some((end, _)) => {
                let findings = (self.analysis.without_shim)(end.cause, end.exit);
                self.analysed(now, worker, Box::new(findings), None, effects);
            }
            None => drop(self.pending_crashes.remove(&id)),
        }
        self.children_lost(worker, effects);
        let end = LastEnd::ShimKilled;
        if self.holds(worker) {
            self.message = Some(InstanceMessage::Ended { end: end.clone() });
            self.note_end(now, end, effects);
            self.wait(now, self.uptime(now), effects);
        } else if self.is_successor(worker) {
            self.successor_failed(now, RestartFailure::NewWorker { end }, effects);
        }
    }

    pub(super) fn ask_to_end(&mut self, now: Now, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let process = match &self.phase {
            Phase::Starting(start) => start.process,
            Phase::Running { process, .. } => Some(*process),
            _ => return,
        };
        if process.is_some() {
            effects.push(Effect::Signal { worker: worker.clone(), signal: Signal::TERM });
        }
        let kill_at = Some(now.monotonic + self.lifecycle.stop_grace);
        self.enter(now, Phase::Stopping { worker: worker.clone(), process, kill_at });
    }

    /// The place has no worker any more: the one that is being warmed up takes it, or another is started when it is time. A worker
    /// that was never warm has ended soon, however long its warm-up was.
    pub(super) fn wait(&mut self, now: Now, uptime: Duration, effects: &mut Vec<Effect>) {
        let uptime = if matches!(self.phase, Phase::Running { .. }) { uptime } else { Duration::ZERO };
        if self.promote_successor(now, effects) {
            return;
        }
        let pause = self.back_off.pause_after(uptime);
        self.pause(now, pause);
    }

    fn pause(&mut self, now: Now, pause: Duration) {
        let due = now + pause;
        let waiting = Phase::Waiting { until: due.monotonic, next_start: due.wall };
        self.enter(now, if self.stop { Phase::Stopped } else { waiting });
    }
}

fn last_end(exit: Exit, cause: CrashCause, fault: Option<StartFault>) -> LastEnd {
    match exit {
        _ if cause == CrashCause::OutOfMemory => LastEnd::OutOfMemory,
        Exit::Code(code) => LastEnd::ExitCode { code, fault },
        Exit::Signal(signal) => LastEnd::Signal { signal: signal.to_string() },
    }
}
