//! What an instance is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use model::auto_heal::Evidence;
use model::auto_heal::limit::Bitness;
use model::auto_heal::restart::RestartReason;
use model::crash::{AffectedRequests, Audit, Findings, ProcessRole};
use model::start::{StartFault, StartSeen};
use model::{CrashCause, Ending, Exit, Now, ProcessId, Signal, Timestamp};

/// An app's numbers for each of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// How long a new worker may take until it is warm; longer where the last good start took more than half of it.
    pub warm_up: Duration,
    /// How long a worker that was asked to end may take before it is killed.
    pub stop_grace: Duration,
    /// The longest pause between the starts of workers that keep ending.
    pub back_off: Duration,
}

/// Why a worker is to be replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// When it was decided.
    pub at: Now,
    pub reason: RestartReason,
    /// What the rule saw, where a rule acted.
    pub evidence: Option<Evidence>,
}

/// What the machine says of a worker, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerLimits {
    /// What its executable was built for.
    pub bitness: Bitness,
    /// The lowest memory limit of its cgroups, in bytes.
    pub cgroup_limit_bytes: Option<u64>,
}

/// What the instance is told about one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WorkerEvent {
    /// It runs: it was just started.
    Started {
        /// Its process id.
        pid: u32,
        /// Its port.
        port: u16,
        /// With the debugger attached.
        armed: bool,
    },
    /// It runs, and was started by an earlier Medic.
    Found {
        /// Its process id.
        pid: u32,
        /// Its port.
        port: u16,
        /// With the debugger attached.
        armed: bool,
        /// It takes requests.
        warm: bool,
        /// It was asked to end.
        asked: bool,
    },
    /// It could not be started.
    StartFailed {
        /// Why; one sentence.
        reason: String,
    },
    /// It is not ready yet: what the readiness check found so far.
    Seen(StartSeen),
    /// It is warm: it answers on its port.
    Listening,
    /// What it is.
    Limits(WorkerLimits),
    /// It takes no new requests and has none left.
    Drained,
    /// The debugger is attached.
    Armed,
    /// The debugger could not be attached.
    ArmRefused {
        /// Why; one sentence.
        reason: String,
    },
    /// The debugger stopped it at its fatal signal; it will not come back.
    Fatal {
        /// Its process id.
        pid: u32,
        /// Which signal.
        signal: Signal,
        at: Timestamp,
        /// What it was answering.
        affected: AffectedRequests,
    },
    /// It is gone.
    Ended {
        /// Its process id.
        pid: u32,
        /// What the kernel said.
        exit: Exit,
        /// What that was.
        ending: Ending,
        at: Timestamp,
        /// How long it had run.
        uptime: Duration,
        /// What it was answering, beyond what `Fatal` told.
        affected: AffectedRequests,
        /// What its output names as the reason, where it never took requests.
        fault: Option<StartFault>,
    },
    /// It went into the background: another process is the worker now.
    Moved { pid: u32 },
    /// Its crash is analysed.
    Analysed {
        /// What was found.
        findings: Box<Findings>,
        /// The dump's proof of deletion.
        audit: Option<Audit>,
    },
    /// Something happened to a serving process that it has started.
    Child { process: ProcessId, event: ChildEvent },
    /// Its crash is written down.
    Recorded,
    /// Its crash could not be written down.
    NotRecorded,
    /// Its shim is gone without a word, and it with it.
    Lost {
        /// What it was answering.
        affected: AffectedRequests,
    },
}

/// What the instance is told about a serving process that a worker has started. The worker lives on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChildEvent {
    /// The debugger stopped it at its fatal signal.
    Fatal { role: ProcessRole, signal: Signal, at: Timestamp, affected: AffectedRequests },
    /// It crashed.
    Ended {
        role: ProcessRole,
        exit: Exit,
        cause: CrashCause,
        at: Timestamp,
        uptime: Duration,
        /// What it was answering, beyond what `Fatal` told.
        affected: AffectedRequests,
    },
    /// Its crash is analysed.
    Analysed { findings: Box<Findings>, audit: Option<Audit> },
    /// Its crash is written down.
    Recorded,
    /// Its crash could not be written down.
    NotRecorded,
}

impl WorkerEvent {
    /// A crash has just been written down.
    pub fn is_recorded(&self) -> bool {
        matches!(self, Self::Recorded | Self::Child { event: ChildEvent::Recorded, .. })
    }

    /// It is there, or takes over: what it runs is to be compared with what it should.
    pub fn is_arrival(&self) -> bool {
        matches!(self, Self::Started { .. } | Self::Found { .. } | Self::Listening)
    }
}
