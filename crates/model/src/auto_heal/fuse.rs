//! The fuse of an app as data: its numbers, what is remembered of it, and how it is now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::auto_heal::config::Violation;
use crate::time::humanise;
use crate::violation::Accepted;

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuseNumbers {
    /// This many proactive restarts blow it. Default 3.
    pub restarts: u32,
    /// Within this long. Default 30 minutes.
    pub window: Duration,
    /// Blown for this long. Default 3 h.
    pub off: Duration,
}

impl Default for FuseNumbers {
    fn default() -> Self {
        Self { restarts: 3, window: Duration::from_mins(30), off: Duration::from_hours(3) }
    }
}

impl FuseNumbers {
    /// Everything that is wrong with them.
    pub fn check(&self) -> Vec<Violation> {
        let longest = Duration::from_hours(24);
        let mut found = Vec::new();
        if !(1..=100).contains(&self.restarts) {
            found.push(Violation::new("fuse.restarts", self.restarts, Accepted::between(1, 100)));
        }
        let durations =
            [("window", self.window, Duration::from_mins(1)), ("off", self.off, self.window.min(longest))];
        for (field, value, least) in durations {
            if !(least..=longest).contains(&value) {
                let accepted = Accepted::between(least, longest);
                found.push(Violation::new(format!("fuse.{field}"), humanise(value), accepted));
            }
        }
        found
    }
}

/// What survives a restart of Medic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FuseState {
    /// The proactive restarts that may still count, oldest first.
    pub restarts: Vec<Timestamp>,
    /// When it blew, while it is blown.
    pub blown_at: Option<Timestamp>,
}

/// How the fuse is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FuseStatus {
    /// Proactive restarts may happen.
    Armed {
        /// How many there were within the window.
        restarts: u32,
        /// How many blow it.
        limit: u32,
        /// How long the window is.
        window_ms: u64,
    },
    /// None may happen.
    Blown {
        /// Since when.
        at: Timestamp,
        /// Until then.
        until: Timestamp,
        /// How long that is.
        remaining_ms: u64,
    },
}
