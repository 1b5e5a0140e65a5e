//! What is remembered of a worker's memory.

use serde::{Deserialize, Serialize};

use crate::{Place, Timestamp};

/// One minute of an instance's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryMinute {
    /// The minute's start.
    pub minute: Timestamp,
    /// The most private bytes that were seen.
    pub private_bytes_max: u64,
    /// The limit then.
    pub limit_bytes: u64,
}

/// Minutes of one instance's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryHistory {
    pub place: Place,
    /// Oldest first.
    pub minutes: Vec<MemoryMinute>,
}
