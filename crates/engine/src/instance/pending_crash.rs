//! A process that will not come back, until everything about its crash is written down.

use std::time::Duration;

use crate::instance::CrashAnalysis;
use model::auto_heal::evidence::Sample;
use model::crash::{AffectedRequests, Audit, Crash, Findings, ProcessRole};
use model::{CrashCause, CrashId, Exit, Monotonic, Timestamp};

/// What is known of it so far.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingCrash {
    affected: AffectedRequests,
    /// Its end, where that is a crash; of one that was stopped at its fatal signal, what is to be expected.
    pub(super) end: Option<End>,
    /// It has ended, so that its analysis will come.
    pub(super) has_ended: bool,
    /// Its private bytes over its last minutes, where it was killed for want of memory.
    pub(super) memory: Vec<Sample>,
    /// What the analysis found, and the dump's proof of deletion.
    pub(super) analysis: Option<(Box<Findings>, Option<Audit>)>,
    /// When to try again to write it down.
    pub(super) record_at: Option<Monotonic>,
}

/// How it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) pid: u32,
    pub(super) role: ProcessRole,
    pub(super) exit: Exit,
    pub(super) cause: CrashCause,
    pub(super) at: Timestamp,
    pub(super) uptime: Duration,
}

impl PendingCrash {
    pub(super) fn affected(&self) -> &AffectedRequests {
        &self.affected
    }

    /// Adds what came to light later.
    pub(super) fn add(&mut self, affected: AffectedRequests) {
        self.affected.add(affected);
    }

    /// The crash, once its end and its analysis are there.
    pub(super) fn crash(&self, id: &CrashId, analysis: CrashAnalysis) -> Option<Crash> {
        let (end, (findings, audit)) = (self.end?, self.analysis.as_ref()?);
        let (signal, exit_code) = Crash::exit_parts(end.exit);
        let worker = &id.worker;
        Some(Crash {
            worker: worker.clone(),
            place: worker.place.clone(),
            pid: end.pid,
            role: end.role,
            process_started_at: id.process.map_or(worker.started_at, |process| process.started_at),
            at: end.at,
            uptime_ms: u64::try_from(end.uptime.as_millis()).unwrap_or(u64::MAX),
            cause: end.cause,
            signal,
            exit_code,
            incident: (analysis.name_incident)(&worker.place.app, &findings.signature),
            findings: (**findings).clone(),
            in_flight: self.affected.requests.clone(),
            in_flight_count: self.affected.count,
            memory: self.memory.clone(),
            audit: audit.clone(),
        })
    }
}
