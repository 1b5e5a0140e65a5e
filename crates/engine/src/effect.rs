//! What the policies want done. Effects are data: the server's one loop carries them out, and their outcomes come back as
//! inputs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use model::auto_heal::config::CustomAction;
use model::auto_heal::event::HealEvent;
use model::auto_heal::fuse::FuseState;
use model::auto_heal::restart::Restart;
use model::auto_heal::{AutoHealState, Evidence, Watch};
use model::change::Change;
use model::crash::Crash;
use model::crash_monitor::CrashMonitorState;
use model::{AppName, Place, ProcessId, Signal, Timestamp, WorkerId};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Start this worker on its instance, with the debugger attached from its first instruction when `arm`.
    Start {
        worker: WorkerId,
        /// Attach the debugger.
        arm: bool,
    },
    /// Find out when the worker is warm.
    Probe { worker: WorkerId },
    /// Ask the worker for its health path, once, and say by [`crate::fleet::Input::Health`] whether it answered.
    AskHealth {
        worker: WorkerId,
        /// How long an answer may take.
        within: Duration,
    },
    /// Send the worker a signal; its end then counts as asked for.
    Signal { worker: WorkerId, signal: Signal },
    /// Attach the debugger to the running worker.
    Arm { worker: WorkerId },
    /// Take the debugger off.
    Disarm { worker: WorkerId },
    /// New requests of the app go to these workers from now on.
    Route {
        /// Whose requests.
        app: AppName,
        /// Who takes them, sorted by instance.
        workers: Vec<WorkerId>,
    },
    /// The app's front door counts these from now on, and says so under this number.
    Watch {
        /// Whose requests.
        app: AppName,
        /// The list's number.
        generation: u64,
        /// What is counted.
        watches: Vec<Watch>,
    },
    /// Say [`crate::instance::WorkerEvent::Drained`] when the worker, which takes no new requests any more, has finished its own.
    Drain { worker: WorkerId },
    /// Write the crash down for good, then say [`crate::instance::WorkerEvent::Recorded`] or `NotRecorded`.
    Record(Box<Crash>),
    /// Write the restart down for good.
    RecordRestart(Box<Restart>),
    /// Write down what auto-heal did short of a restart.
    RecordEvent(Box<HealEvent>),
    /// Write down what a person changed.
    RecordChange(Box<Change>),
    /// Run the user's own action, and write down how it went.
    RunAction {
        worker: WorkerId,
        /// When it was decided.
        at: Timestamp,
        action: CustomAction,
        /// What the rule saw.
        evidence: Box<Evidence>,
    },
    /// The crash of this process is safe: the worker's shim may forget it.
    AcknowledgeChild { worker: WorkerId, process: ProcessId },
    /// All that the worker's shim held is safe: it may go.
    Acknowledge {
        /// Whose shim.
        worker: WorkerId,
    },
    /// Keep this for the next start of Medic.
    RememberCrashMonitor { place: Place, state: CrashMonitorState },
    /// Keep this for the next start of Medic.
    RememberAutoHeal { place: Place, state: AutoHealState },
    /// Keep this for the next start of Medic.
    RememberFuse { app: AppName, state: FuseState },
}
