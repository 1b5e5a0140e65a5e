//! A process of an app, as it is now.

use crate::Timestamp;

/// What a person is told of one process. Its command line is not among it: that may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    /// Who started it, or adopted it since.
    pub parent: u32,
    /// At most 15 bytes of its own choice, cleaned by [`crate::text::seen`].
    pub name: String,
    /// Its share of one processor over the last moment, in hundredths: 250 is two and a half processors.
    pub cpu_percent: Option<u32>,
    /// Anonymous memory and swap, with what it shares with others since a fork. None of one that has ended.
    pub private_bytes: Option<u64>,
    pub threads: Option<u32>,
    pub open_files: Option<u64>,
    /// How many files it may have open.
    pub open_files_limit: Option<u64>,
    pub started_at: Timestamp,
}
