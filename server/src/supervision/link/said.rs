//! What a shim says, as what the loop is told: with the requests that a dying process was answering.

use std::time::Duration;

use engine::instance::{self, ChildEvent};
use front_door::Death;
use model::crash::AffectedRequests;
use model::ending::{Ending, classify};
use model::{CrashCause, Signal};
use shim::protocol::FromShim;

use super::Link;
use super::requests::death;
use super::shim_state::ShimState;

impl Link {
    /// `None` for what the loop need not know.
    pub(super) async fn translate(
        &self,
        said: FromShim,
        shim: &mut ShimState,
    ) -> Option<instance::WorkerEvent> {
        let pid = shim.pid;
        Some(match said {
            FromShim::State { .. }
            | FromShim::Disarmed
            | FromShim::Serving { .. }
            | FromShim::Tail { .. }
            | FromShim::Busy { .. }
            | FromShim::Done => return None,
            FromShim::ReceiverEnded { .. } => {
                shim.taking_back.begin();
                return None;
            }
            FromShim::TakenBack { from } => {
                self.taken_back(&mut shim.taking_back, from);
                return None;
            }
            FromShim::Refused { reason } => {
                tracing::warn!(worker = %self.worker, reason, "its shim refused a request");
                return None;
            }
            FromShim::Armed => instance::WorkerEvent::Armed,
            FromShim::ArmRefused { reason } => instance::WorkerEvent::ArmRefused { reason },
            FromShim::Crashing { signal, at, connections } => {
                let affected = self.affected(Death::ByItself, connections).await;
                instance::WorkerEvent::Fatal { pid, signal: Signal(signal), at, affected }
            }
            FromShim::Ended { exit, asked, oom_killed, at, uptime_ms, passed_on, fault, .. } => {
                instance::WorkerEvent::Ended {
                    pid,
                    exit,
                    ending: if passed_on { Ending::PassedOn } else { classify(exit, asked, oom_killed) },
                    at,
                    uptime: Duration::from_millis(uptime_ms),
                    affected: self.affected(death(exit, oom_killed), None).await,
                    fault,
                }
            }
            FromShim::Analysed { findings, audit } => {
                instance::WorkerEvent::Analysed { findings: Box::new(findings), audit }
            }
            FromShim::ChildCrashing { process, role, signal, at, connections } => {
                let affected = if connections.is_some() {
                    shim.read.insert(process);
                    self.affected_by_child(Death::ByItself, connections).await
                } else {
                    AffectedRequests::default()
                };
                let event = ChildEvent::Fatal { role, signal: Signal(signal), at, affected };
                instance::WorkerEvent::Child { process, event }
            }
            FromShim::ChildEnded { process, role, exit, cause, at, uptime_ms } => {
                let affected = if shim.read.remove(&process) {
                    // it was told at its signal
                    AffectedRequests::default()
                } else {
                    self.affected_by_child(death(exit, cause == CrashCause::OutOfMemory), None).await
                };
                let uptime = Duration::from_millis(uptime_ms);
                let event = ChildEvent::Ended { role, exit, cause, at, uptime, affected };
                instance::WorkerEvent::Child { process, event }
            }
            FromShim::ChildAnalysed { process, findings, audit } => {
                let event = ChildEvent::Analysed { findings: Box::new(findings), audit };
                instance::WorkerEvent::Child { process, event }
            }
        })
    }
}
