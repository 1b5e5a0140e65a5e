//! Serving processes that a worker has started: their crashes are the instance's, but whoever has started one replaces it. So they
//! are counted, armed for and written down, and nothing is started or routed anew.

use crate::crash_monitor;
use crate::effect::Effect;
use crate::instance::pending_crash::End;
use crate::instance::{ChildEvent, Instance};
use model::{CrashCause, CrashId, Exit, Now, ProcessId, WorkerId};

impl Instance {
    pub(super) fn child(
        &mut self,
        now: Now,
        worker: &WorkerId,
        process: ProcessId,
        input: ChildEvent,
        effects: &mut Vec<Effect>,
    ) {
        let id = CrashId { worker: worker.clone(), process: Some(process) };
        match input {
            ChildEvent::Fatal { role, signal, at, affected } => {
                let pending = self.pending_crashes.entry(id).or_default();
                pending.add(affected);
                pending.end.get_or_insert(End {
                    pid: process.pid,
                    role,
                    exit: Exit::Signal(signal),
                    cause: CrashCause::Signal,
                    at,
                    uptime: at.since(process.started_at),
                });
                let input = crash_monitor::MonitorInput::ChildFatal { worker: worker.clone() };
                self.monitor.step(now, input, effects);
            }
            ChildEvent::Ended { role, exit, cause, at, uptime, affected } => {
                let memory = match cause {
                    CrashCause::OutOfMemory => self.healing.memory(worker),
                    _ => Vec::new(),
                };
                let pending = self.pending_crashes.entry(id).or_default();
                pending.add(affected);
                pending.end = Some(End { pid: process.pid, role, exit, cause, at, uptime });
                pending.has_ended = true;
                pending.memory = memory;
                let input = crash_monitor::MonitorInput::ChildCrashed { worker: worker.clone(), process, at };
                self.monitor.step(now, input, effects);
            }
            ChildEvent::Analysed { findings, audit } => {
                let captured_at = audit.as_ref().map(|audit| audit.captured_at);
                let input = crash_monitor::MonitorInput::Analysed { worker: worker.clone(), captured_at };
                self.monitor.step(now, input, effects);
                self.complete(&id, (findings, audit), effects);
            }
            ChildEvent::Recorded => {
                self.pending_crashes.remove(&id);
                effects.push(Effect::AcknowledgeChild { worker: worker.clone(), process });
                if self.to_acknowledge.remove(worker) {
                    self.acknowledge(worker, effects);
                }
            }
            ChildEvent::NotRecorded => self.record_later(now, &id),
        }
    }

    /// The worker's own end is safe. Its shim may go, and hears nothing more, when the crashes of its children are, too.
    pub(super) fn acknowledge(&mut self, worker: &WorkerId, effects: &mut Vec<Effect>) {
        // of a child that was stopped at its signal as the main process ended, older shims tell no more
        self.pending_crashes
            .retain(|id, pending| id.worker != *worker || id.process.is_none() || pending.has_ended);
        if self.pending_crashes.keys().any(|id| id.worker == *worker) {
            self.to_acknowledge.insert(worker.clone());
        } else {
            effects.push(Effect::Acknowledge { worker: worker.clone() });
        }
    }

    /// Their shim is gone: what is known of them is all that ever will be.
    pub(super) fn children_lost(&mut self, worker: &WorkerId, effects: &mut Vec<Effect>) {
        let ends: Vec<(CrashId, End)> = self
            .pending_crashes
            .iter()
            .filter(|(id, pending)| {
                id.worker == *worker && id.process.is_some() && pending.analysis.is_none()
            })
            .filter_map(|(id, pending)| Some((id.clone(), pending.end?)))
            .collect();
        for (id, end) in ends {
            let findings = (self.analysis.without_shim)(end.cause, end.exit);
            self.complete(&id, (Box::new(findings), None), effects);
        }
    }
}
