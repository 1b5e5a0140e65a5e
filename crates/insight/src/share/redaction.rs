//! Takes out of what is recorded what a stranger must not read, before anything is said of it. What is not named here as fit is left
//! out: a note, a reason or a field that is added does not compile until somebody has decided about it, or is dropped.

use std::collections::BTreeMap;

use model::auto_heal::evidence::{Evidence as RuleEvidence, Reading, RuleState, Seen};
use model::auto_heal::measured::Measured;
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome, RestartReason};
use model::crash::{
    Crash, Frame, InFlightRequest, Incident, IncidentInRange, IncidentSummary, Module, NotAnalysed, Note,
    Thread,
};
use model::crash_monitor::LastEnd;
use model::incident_state::IncidentState;
use model::memory::MemoryHistory;
use model::share::Included;
use model::status::AppStatus;
use model::{AppName, NodeName, Place, WorkerId};

use super::text::{file, without_paths};
use crate::evidence::{CrashCount, Evidence};

/// One snapshot's, in which a machine has the same stand-in everywhere.
pub(super) struct Redaction {
    included: Included,
    stand_ins: BTreeMap<String, NodeName>,
}

impl Redaction {
    pub(super) const fn new(included: Included) -> Self {
        Self { included, stand_ins: BTreeMap::new() }
    }

    /// `node-1` for the first machine that is met.
    fn node(&mut self, node: &str) -> NodeName {
        if self.included.hosts {
            return NodeName::of_hostname(node);
        }
        let number = self.stand_ins.len() + 1;
        let stand_in = || NodeName::of_hostname(&format!("node-{number}"));
        self.stand_ins.entry(node.to_owned()).or_insert_with(stand_in).clone()
    }

    fn app(&self, app: &AppName) -> AppName {
        let stand_in = || "app".parse().unwrap_or_else(|_| app.clone());
        if self.included.app { app.clone() } else { stand_in() }
    }

    fn place(&mut self, place: &Place) -> Place {
        Place { node: self.node(place.node.as_str()), app: self.app(&place.app), instance: place.instance }
    }

    fn worker(&mut self, worker: &WorkerId) -> WorkerId {
        WorkerId { place: self.place(&worker.place), started_at: worker.started_at }
    }

    /// `node/instance`.
    fn instance(&mut self, written: &str) -> String {
        match written.rsplit_once('/') {
            Some((node, instance)) => format!("{}/{instance}", self.node(node)),
            None => String::new(),
        }
    }

    pub(super) fn text(&self, text: &str) -> String {
        if self.included.paths { text.to_owned() } else { without_paths(text) }
    }

    /// A program is often called as its app is.
    fn program(&self, name: &str, app: &AppName) -> String {
        if name == app.as_str() { self.app(app).to_string() } else { self.text(name) }
    }

    /// Its parts are calls, or the program where no call is known.
    fn signature(&self, signature: &str, app: &AppName) -> String {
        const BETWEEN: &str = " | ";
        let parts = signature.split(BETWEEN).map(|part| self.program(part, app));
        parts.collect::<Vec<_>>().join(BETWEEN)
    }

    fn thread(&self, thread: &Thread, app: &AppName) -> Thread {
        let frame = |frame: &Frame| Frame {
            module: frame.module.as_deref().map(|module| self.program(module, app)),
            function: frame.function.as_deref().map(|function| self.text(function)),
            file: if self.included.paths { frame.file.clone() } else { frame.file.as_deref().map(file) },
            ..frame.clone()
        };
        Thread { name: None, frames: thread.frames.iter().map(frame).collect(), ..thread.clone() }
    }

    /// Those that say no more than how the analysis went.
    fn notes(&self, notes: &[Note]) -> Vec<Note> {
        let fit = |note: &Note| match note {
            Note::CausedBy { exception } => Some(Note::CausedBy { exception: self.text(exception) }),
            Note::LinesAfterReport { .. }
            | Note::OfShell { .. }
            | Note::CrashingThreadUnknown
            | Note::ModulesLimited { .. }
            | Note::NotCaptured
            | Note::SenderUnknown { .. }
            | Note::CrashesForgotten
            | Note::ShimKilled
            | Note::NotAnalysed {
                why: NotAnalysed::TookTooLong { .. } | NotAnalysed::Ended { .. } | NotAnalysed::TooManyWaited,
            } => Some(note.clone()),
            Note::NotAnalysed { why: NotAnalysed::NotStarted { .. } | NotAnalysed::Unreadable { .. } }
            | Note::FileReplaced { .. }
            | Note::FileMissing { .. }
            | Note::DebugInformationTooLarge { .. }
            | Note::DumpUnreadable { .. }
            | Note::CaptureFailed { .. }
            | Note::PythonCallsUnread { .. }
            | Note::MessageNotWritten { .. }
            | Note::Unconfined { .. }
            | Note::ProcessLeft { .. }
            | Note::Recorded(_) => None,
        };
        notes.iter().filter_map(fit).collect()
    }

    pub(super) fn incident(&mut self, incident: &Incident) -> Incident {
        Incident {
            app: self.app(&incident.app),
            signature: self.signature(&incident.signature, &incident.app),
            exception_type: self.text(&incident.exception_type),
            instances: incident.instances.iter().map(|instance| self.instance(instance)).collect(),
            crashing_thread: self.thread(&incident.crashing_thread, &incident.app),
            modules: Vec::<Module>::new(),
            // counted all the same
            in_flight: if self.included.paths { requests(&incident.in_flight) } else { Vec::new() },
            audit: None,
            notes: self.notes(&incident.notes),
            matches: Vec::new(),
            state: IncidentState::Open,
            ..incident.clone()
        }
    }

    fn summary(&mut self, listed: &IncidentInRange) -> IncidentInRange {
        let incident = IncidentSummary {
            app: self.app(&listed.incident.app),
            signature: self.signature(&listed.incident.signature, &listed.incident.app),
            exception_type: self.text(&listed.incident.exception_type),
            instances: listed.incident.instances.iter().map(|instance| self.instance(instance)).collect(),
            state: IncidentState::Open,
            ..listed.incident.clone()
        };
        IncidentInRange { incident, ..listed.clone() }
    }

    pub(super) fn crash(&mut self, crash: &Crash) -> Crash {
        let mut redacted = crash.clone();
        redacted.worker = self.worker(&crash.worker);
        redacted.place = self.place(&crash.place);
        redacted.in_flight = Vec::new();
        let findings = &mut redacted.findings;
        findings.exception_type = self.text(&crash.findings.exception_type);
        findings.signature = self.signature(&crash.findings.signature, &crash.place.app);
        findings.crashing_thread = self.thread(&crash.findings.crashing_thread, &crash.place.app);
        findings.modules = Vec::new();
        findings.notes = Vec::new();
        findings.executable = None;
        redacted
    }

    pub(super) fn restart(&mut self, restart: &Restart) -> Restart {
        let reason = match &restart.reason {
            RestartReason::ByHand { by: _ } => RestartReason::ByHand { by: None },
            RestartReason::Rule { .. } | RestartReason::ConfigurationChanged => restart.reason.clone(),
        };
        let outcome = match &restart.outcome {
            RestartOutcome::Done => RestartOutcome::Done,
            RestartOutcome::Failed { why } => RestartOutcome::Failed { why: failure(why) },
        };
        Restart {
            old: self.worker(&restart.old),
            new: restart.new.as_ref().map(|new| self.worker(new)),
            place: self.place(&restart.place),
            reason,
            evidence: restart.evidence.as_ref().and_then(|evidence| self.rule_evidence(evidence)),
            outcome,
            ..restart.clone()
        }
    }

    /// None where an older release recorded it in sentences.
    fn rule_evidence(&self, evidence: &RuleEvidence) -> Option<RuleEvidence> {
        let reading = |reading: &Reading| {
            let state = match &reading.state {
                RuleState::Recorded(_) => return None,
                state => state.clone(),
            };
            Some(Reading { state, seen: self.seen(&reading.seen)?, ..reading.clone() })
        };
        Some(RuleEvidence {
            seen: self.seen(&evidence.seen)?,
            not_fired: evidence.not_fired.iter().filter_map(reading).collect(),
            ..evidence.clone()
        })
    }

    fn seen<Text>(&self, seen: &Seen<Text>) -> Option<Seen<Text>> {
        let Seen::Measured { measured } = seen else { return None };
        let mut measured = measured.clone();
        if let Measured::Requests { counted: Some(watch), .. } = &mut measured
            && !self.included.paths
        {
            // what rules look at are paths, too
            watch.path = None;
            watch.except = Vec::new();
        }
        Some(Seen::Measured { measured })
    }

    /// What detectors that may be shared ask for; of what others ask for, nothing.
    pub(super) fn evidence(&mut self, evidence: &Evidence) -> Evidence {
        let places = evidence.places.iter().map(|place| self.place(place)).collect();
        let status = AppStatus { name: self.app(&evidence.status.name), ..evidence.status.clone() };
        let mut redacted =
            Evidence::new(evidence.range, evidence.now, status, places, evidence.crash_monitoring);
        let count = |this: &mut Self, count: &CrashCount| CrashCount {
            place: this.place(&count.place),
            ..count.clone()
        };
        redacted.crash_counts = evidence.crash_counts.iter().map(|counted| count(self, counted)).collect();
        redacted.incidents = evidence.incidents.iter().map(|incident| self.incident(incident)).collect();
        redacted.incidents_in_range =
            evidence.incidents_in_range.iter().map(|listed| self.summary(listed)).collect();
        redacted.incident_count = evidence.incident_count;
        redacted.crashes = evidence.crashes.iter().map(|crash| self.crash(crash)).collect();
        redacted.restarts = evidence.restarts.iter().map(|restart| self.restart(restart)).collect();
        let history = |this: &mut Self, history: &MemoryHistory| MemoryHistory {
            place: this.place(&history.place),
            minutes: history.minutes.clone(),
        };
        redacted.memory = evidence.memory.iter().map(|of| history(self, of)).collect();
        // only when they were is taken over
        redacted.deploys.clone_from(&evidence.deploys);
        redacted
    }
}

fn requests(requests: &[InFlightRequest]) -> Vec<InFlightRequest> {
    let known = |request: &InFlightRequest| InFlightRequest {
        method: method(&request.method).to_owned(),
        ..request.clone()
    };
    requests.iter().map(known).collect()
}

/// A client may send any word in a method's place.
pub(super) fn method(given: &str) -> &str {
    const KNOWN: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    KNOWN.into_iter().find(|known| *known == given).unwrap_or("other")
}

/// Without what the system, the shell or an older release said.
fn failure(why: &RestartFailure) -> RestartFailure {
    let end = match why {
        RestartFailure::NewWorker { end } => end,
        RestartFailure::OldWorker | RestartFailure::MedicStopped | RestartFailure::InstanceRemoved => {
            return why.clone();
        }
        RestartFailure::Recorded(_) => {
            return RestartFailure::Recorded("The new worker did not take over.".to_owned());
        }
    };
    let end = match end {
        LastEnd::ExitCode { code, fault: _ } => LastEnd::ExitCode { code: *code, fault: None },
        LastEnd::NotReady { limit_ms, .. } => {
            LastEnd::NotReady { limit_ms: *limit_ms, readiness: None, fault: None }
        }
        LastEnd::StartFailed { reason: _ } => {
            LastEnd::StartFailed { reason: "the program cannot be run".to_owned() }
        }
        LastEnd::Signal { .. } | LastEnd::OutOfMemory | LastEnd::ShimKilled => end.clone(),
    };
    RestartFailure::NewWorker { end }
}
