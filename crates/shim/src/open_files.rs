//! How many files a process may have open (`RLIMIT_NOFILE`).
//!
//! The soft limit is what holds, and 1,024 is usual for it: old programs that use `select` cannot count further. The hard limit
//! is how far a process may raise its own. Medic does so for itself; what it starts is given the soft limit back that Medic was
//! started with.

use std::io;
use std::process::Command;

use crate::sys::limits;

/// A process's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// The limit that holds.
    pub soft: u64,
    /// How far it can be raised.
    pub hard: u64,
}

impl OpenFiles {
    /// This process's limits.
    pub fn now() -> io::Result<Self> {
        limits::open_files().map(|(soft, hard)| Self { soft, hard })
    }

    /// Raises this process's soft limit as far as it can be; says what the limits were.
    pub fn raise() -> io::Result<Self> {
        let before = Self::now()?;
        limits::set_open_files(before.hard, before.hard)?;
        Ok(before)
    }

    /// Gives `command` this soft limit, where its hard limit allows so much.
    pub fn give_back(command: &mut Command, soft: u64) {
        limits::limit_open_files_of(command, soft);
    }
}

/// Sets this process's soft limit, where its hard limit allows so much.
pub(crate) fn set_soft(soft: u64) -> io::Result<()> {
    let (_, hard) = limits::open_files()?;
    limits::set_open_files(soft.min(hard), hard)
}
