//! Crash monitoring as data: its numbers, and what is remembered of an instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::start::{Readiness, StartFault};
use crate::{ProcessId, Timestamp, WorkerId};

/// The numbers, with the announcement's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// More than this many crashes arm the debugger; 0: it is always armed. Default 3.
    pub crashes: u32,
    /// Within this long. Default 24 h.
    pub window: Duration,
    /// No second dump for this long. Default 8 h.
    pub pause: Duration,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { crashes: 3, window: Duration::from_hours(24), pause: Duration::from_hours(8) }
    }
}

/// What survives a restart of Medic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashMonitorState {
    /// The crashes that may still count, oldest first.
    pub crashes: Vec<Counted>,
    /// No dump before this.
    pub paused_until: Option<Timestamp>,
    /// The workers that ended since one last stayed up; absent in what older releases remembered.
    #[serde(default)]
    pub ends: Option<EndsInARow>,
    /// How long the last worker took that became ready, in whole seconds rounded up.
    #[serde(default)]
    pub start_took_ms: Option<u64>,
}

/// Workers of one instance that ended one after another, none of which stayed up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EndsInARow {
    /// When the first of them ended.
    pub since: Timestamp,
    pub count: u32,
    /// Whether any of them was ready for requests before it ended.
    pub was_ready: bool,
    pub last: LastEnd,
}

/// How a worker ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum LastEnd {
    ExitCode {
        code: i32,
        /// What the output of a worker names as the reason that never took requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<StartFault>,
    },
    Signal {
        signal: String,
    },
    OutOfMemory,
    NotReady {
        limit_ms: u64,
        /// What the readiness check found last; absent in what older releases remembered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        readiness: Option<Readiness>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<StartFault>,
    },
    StartFailed {
        reason: String,
    },
    /// The shim was killed, and the worker with it.
    ShimKilled,
}

/// Crashes of one instance with less than [`RECENT`] between one and the next, the last of them less than that ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RecentCrashes {
    pub first: Timestamp,
    pub last: Timestamp,
    pub count: u32,
}

/// An app that crashed less than this long ago is recovering.
pub const RECENT: Duration = Duration::from_mins(15);

/// A crash that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Who crashed.
    pub worker: WorkerId,
    /// Which of its processes, where it was not the main one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessId>,
    pub at: Timestamp,
}
