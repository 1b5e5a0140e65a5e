//! What the policies want done. Effects are data: the server's one loop carries them out, and their outcomes come back as
//! inputs.

use serde::{Deserialize, Serialize};

use crate::crash::Crash;
use crate::crash_monitor::Guard;
use crate::{AppName, InstanceKey, Signal, WorkerId};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Start this worker on its instance, with the debugger attached from its first instruction when `arm`.
    Start {
        /// Who.
        worker: WorkerId,
        /// Attach the debugger.
        arm: bool,
    },
    /// Find out when the worker listens on its port.
    Probe {
        /// Who.
        worker: WorkerId,
    },
    /// Send the worker a signal; its end then counts as asked for.
    Signal {
        /// Who.
        worker: WorkerId,
        /// What.
        signal: Signal,
    },
    /// Attach the debugger to the running worker.
    Arm {
        /// Who.
        worker: WorkerId,
    },
    /// Take the debugger off.
    Disarm {
        /// Who.
        worker: WorkerId,
    },
    /// New requests of the app go to these workers from now on.
    Route {
        /// Whose requests.
        app: AppName,
        /// Who takes them, sorted by instance.
        workers: Vec<WorkerId>,
    },
    /// Write the crash down for good, then say [`crate::instance::Input::Recorded`] or `NotRecorded`.
    Record(Box<Crash>),
    /// All that the worker's shim held is safe: it may go.
    Acknowledge {
        /// Whose shim.
        worker: WorkerId,
    },
    /// Keep this for the next start of Medic.
    Remember {
        /// Whose.
        instance: InstanceKey,
        /// What guards it.
        guard: Guard,
    },
}
