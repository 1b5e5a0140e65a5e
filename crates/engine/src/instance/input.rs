//! What an instance is told.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crash::{Audit, Findings, InFlightRequest};
use crate::{Ending, Exit, Timestamp};

/// An app's numbers for each of its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// How long a new worker may take until it listens.
    pub warm_up: Duration,
    /// How long a worker that was asked to end may take before it is killed.
    pub stop_grace: Duration,
    /// The longest pause between the starts of workers that keep ending.
    pub back_off: Duration,
}

/// The requests that a worker took with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toll {
    /// How many.
    pub count: u32,
    /// The newest of them, oldest first.
    pub requests: Vec<InFlightRequest>,
}

/// What the instance is told about one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// It runs: just started, or found running when Medic came back.
    Started {
        /// Its process id.
        pid: u32,
        /// Its port.
        port: u16,
        /// With the debugger attached.
        armed: bool,
    },
    /// It could not be started.
    StartFailed {
        /// Why; one sentence.
        reason: String,
    },
    /// It accepts connections on its port.
    Listening,
    /// The debugger is attached.
    Armed,
    /// The debugger could not be attached.
    ArmRefused {
        /// Why; one sentence.
        reason: String,
    },
    /// The debugger stopped it at its fatal signal; it will not come back.
    Fatal {
        /// What it was answering.
        toll: Toll,
    },
    /// It is gone.
    Ended {
        /// Its process id.
        pid: u32,
        /// What the kernel said.
        exit: Exit,
        /// What that was.
        ending: Ending,
        /// When.
        at: Timestamp,
        /// How long it had run.
        uptime: Duration,
        /// What it was answering, beyond what `Fatal` told.
        toll: Toll,
    },
    /// Its crash is analysed.
    Analysed {
        /// What was found.
        findings: Box<Findings>,
        /// The dump's proof of deletion.
        audit: Option<Audit>,
    },
    /// Its crash is written down.
    Recorded,
    /// Its crash could not be written down.
    NotRecorded,
    /// Its shim is gone without a word, and it with it.
    Lost,
}
