//! What a worker leaves behind: processes that it started and that outlive it, in sessions and groups of their own.
//!
//! They hold its port and its memory, and nobody watches them. The kernel gives them to the shim, which has asked for its
//! descendants' orphans; or, when the shim is killed, to the reaper. So whatever is a child of either, and not what it started
//! itself, is the worker's. A child's number means that child until its parent has asked for its end, so nobody else is ever hit.
//!
//! Ending one gives its own children to the one that ends it, so it goes in rounds, each after the ends of the round before. They
//! go on while there is progress: on a busy machine a process with much memory takes seconds to end, and whoever went before that
//! would leave its children to nobody.

use std::fmt;
use std::io;
use std::time::Duration;

use model::crash::Note;

use crate::process_tree::children_of;
use crate::sys::process::process_id;
use crate::sys::{Pid, signals};

/// How long none of them may end. Ours: a process that was sent SIGKILL ends in milliseconds unless the kernel itself waits.
const LIMIT: Duration = Duration::from_secs(5);
/// How long all rounds may take. Ours: only what starts processes faster than they can be ended takes so long.
const LIMIT_OF_ALL: Duration = Duration::from_mins(1);

/// The rounds.
pub(crate) struct Orphans {
    began: Duration,
    deadline: Duration,
    /// Who was left at the last round.
    left: Vec<Pid>,
    done: bool,
}

impl Orphans {
    /// To be begun when the worker has ended.
    pub(crate) fn new(now: Duration) -> Self {
        Self { began: now, deadline: now + LIMIT, left: Vec::new(), done: false }
    }

    /// Is there nothing left, or was it given up?
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// When it is given up, by the monotonic clock.
    pub(crate) fn deadline(&self) -> Duration {
        if self.done { Duration::MAX } else { self.deadline }
    }

    /// One round: ends every child but the `spared`. Says, once, which could not be ended.
    pub(crate) fn end(&mut self, spared: &[Pid], now: Duration) -> Vec<Left> {
        if self.done {
            return Vec::new();
        }
        let left: Vec<(Pid, io::Result<()>)> = children_of(process_id())
            .into_iter()
            .filter(|child| !spared.contains(child))
            .map(|child| (child, signals::send(child, libc::SIGKILL)))
            .collect();
        let pids: Vec<Pid> = left.iter().map(|(pid, _)| *pid).collect();
        if self.left.iter().any(|before| !pids.contains(before)) {
            self.deadline = (now + LIMIT).min(self.began + LIMIT_OF_ALL);
        }
        self.left = pids;
        // those of another user can only be told
        let is_hopeless = left.iter().all(|(_, sent)| sent.is_err());
        self.done = is_hopeless || now >= self.deadline;
        if !self.done {
            return Vec::new();
        }
        left.into_iter().map(|(child, sent)| Left::new(child, sent)).collect()
    }
}

/// A process that could not be ended.
pub(crate) struct Left {
    pid: Pid,
    name: String,
    /// Why; where that is not known, it did not end in time.
    error: Option<io::Error>,
}

impl Left {
    fn new(pid: Pid, sent: io::Result<()>) -> Self {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name = name.trim_end().chars().filter(|c| !c.is_control()).collect();
        Self { pid, name, error: sent.err() }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, name, error } = self;
        write!(f, "process {pid} ({name}), left behind by the worker, ")?;
        match error {
            Some(error) => write!(f, "cannot be ended: {error}"),
            None => write!(f, "did not end within {} s: it waits in the kernel", LIMIT.as_secs()),
        }
    }
}

impl From<Left> for Note {
    fn from(left: Left) -> Self {
        let error = left.error.map(|error| error.to_string());
        Self::ProcessLeft { pid: left.pid.unsigned_abs(), name: left.name, error }
    }
}
