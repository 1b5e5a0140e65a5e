//! What a rule measured beside the numbers that it goes by: all that a sentence about it needs. The sentences are `insight`'s.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auto_heal::cpu::CpuRule;
use crate::auto_heal::limit::MemoryLimit;
use crate::auto_heal::not_responding::NotRespondingNumbers;
use crate::auto_heal::watch::Watch;

/// One for each kind of rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Measured {
    /// Percent memory.
    PercentMemory {
        /// What a share is taken of.
        limit: MemoryLimit,
        /// The most that is not yet above that share.
        threshold_bytes: u64,
        /// Private bytes; absent while they are not known.
        bytes: Option<u64>,
        /// How long they have been above the threshold; absent while they are not.
        above_ms: Option<u64>,
    },
    /// Percent request.
    PercentRequest {
        /// Requests within the window, those still running among them.
        all: u64,
        /// The slow ones of them.
        slow: u64,
        /// The slow ones that still run.
        slow_running: u64,
    },
    /// Not responding.
    NotResponding {
        numbers: NotRespondingNumbers,
        /// Since the last byte.
        silent_ms: u64,
        /// Requests that wait now.
        waiting: u64,
        /// Requests that were given up on since the last byte.
        given_up: u64,
        probes: Probes,
    },
    /// Proactive CPU monitoring.
    ProactiveCpu {
        settings: CpuRule,
        /// Of the last check; absent before the first.
        mean_percent: Option<u64>,
        /// How long every check was at or above the threshold; absent while one was not.
        busy_ms: Option<u64>,
        /// How often it may still act.
        actions_left: u64,
    },
    /// A user's rule that counts requests.
    Requests {
        /// Which requests count; all that ended where it is absent.
        counted: Option<Watch>,
        /// It acts at so many.
        at_least: u64,
        /// Within this long.
        interval: Duration,
        /// So many there are.
        count: u64,
        /// So many of them still run.
        running: u64,
    },
    /// A user's rule on memory.
    PrivateBytes {
        /// It acts above this.
        threshold_bytes: u64,
        /// Private bytes; absent while they are not known.
        bytes: Option<u64>,
    },
}

/// What came of asking a worker that sends no byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "probes", rename_all = "snake_case")]
pub enum Probes {
    /// There was no reason to ask.
    NotDue,
    /// It answered.
    Answered,
    /// So many times in a row it did not.
    Unanswered { failed: u32 },
}
