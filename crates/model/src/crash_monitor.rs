//! Crash monitoring as data: its numbers, and what is remembered of an instance.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Timestamp, WorkerId};

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
pub struct Guard {
    /// The crashes that may still count, oldest first.
    pub crashes: Vec<Counted>,
    /// No dump before this.
    pub paused_until: Option<Timestamp>,
}

/// A crash that was counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Who crashed.
    pub worker: WorkerId,
    /// When.
    pub at: Timestamp,
}
