//! What a Python program was doing when it died: its calls, read from the interpreter's memory while the process stands still.
//!
//! ```text
//!  shim: thread of the capture                       reader (`medic analyse`, for this one process)
//!     │  /proc/PID/mem, opened by the debugger ──────▶ descriptor 3
//!     │  which process, which thread ────────────────▶ standard input
//!     │  meanwhile: copies what a dump needs           py-spy finds the interpreter's state and walks its frames
//!     │ ◀───────────────────────────── calls, or why not
//!     └─ the process runs on to its death
//! ```
//!
//! A process's memory is whatever the process wants, and walking it may take for ever, take all memory, or end in a wild jump. So
//! a child does it, with hard limits and no rights beyond reading; the shim's own death would be the worker's.

mod child;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use crash::PythonCalls;
use model::Clock;
use serde::{Deserialize, Serialize};

pub(crate) use child::answer;

use crate::analyser::{Resources, spawn_analyser};
use crate::sys::Pid;
use crate::sys::descriptors::{Interest, poll};
use crate::sys::held_process::HeldProcess;
use crate::sys::memory::sealed_file;

/// How long the process stands still for it at most: what the calls are read from is anywhere in its memory, so it cannot be copied
/// first. Source: processes of CPython 3.8 to 3.13 were read in 5 to 43 ms, and beside eight busy programs on two processors in 13
/// to 104 by a program that was compiled without optimization.
const LIMIT: Duration = Duration::from_secs(1);

/// What the child may use. Source: the largest interpreters' symbols took a tenth of it. It gives way to nobody: a process stands
/// still for as long as it works.
const RESOURCES: Resources = Resources { memory_bytes: 512 << 20, time: Duration::from_secs(2), niceness: 0 };

/// Its answer. Some 200 calls with names of 512 characters each stay below it.
const ANSWER_LIMIT_BYTES: u64 = 2 << 20;

/// Which process is to be read, as the child reads it from its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    python: Pid,
    /// The thread's id for the kernel.
    tid: Pid,
    /// The thread's id for the C library: where its own memory is (the base of `fs`).
    thread: u64,
}

/// Is this memory map one of a CPython interpreter? `… r-xp … /usr/bin/python3.11`
pub(crate) fn is_in(maps: &[u8]) -> bool {
    maps.split(|byte| *byte == b'\n').any(|line| {
        let name = line.iter().position(|byte| *byte == b'/').and_then(|at| line.get(at..));
        let file = name.and_then(|path| path.rsplit(|byte| *byte == b'/').next()).unwrap_or_default();
        file.starts_with(b"libpython3.") || file.starts_with(b"python3")
    })
}

/// A child at work.
pub(crate) struct Reader {
    answer: File,
    child: Option<HeldProcess>,
    deadline: Duration,
}

impl Reader {
    /// Starts one on a process that stands still. To be called, as [`Reader::finish`], by a thread of the debugger's process that
    /// lives until it is finished: the child dies with it.
    pub(crate) fn start(
        command: &[String],
        (pid, tid): (Pid, Pid),
        thread: u64,
        clock: &dyn Clock,
    ) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no reader could be started: {error}");
        let memory = File::open(format!("/proc/{pid}/mem"))
            .map_err(|error| format!("the memory of the process could not be opened: {error}"))?;
        let job = serde_json::to_vec(&Job { python: pid, tid, thread }).map_err(|error| failed(&error))?;
        let job = sealed_file(&[&job, b"\n"]).map_err(|error| failed(&error))?;
        let mut child = None;
        // held before it can end, so that its number is its own whenever it is killed
        let hold = |pid| child = HeldProcess::open(pid).ok();
        let (answer, _) = spawn_analyser(command, &[job.as_fd(), memory.as_fd()], RESOURCES, hold)
            .map_err(|error| failed(&error))?;
        Ok(Self { answer: File::from(answer), child, deadline: clock.monotonic() + LIMIT })
    }

    /// Waits for its answer.
    pub(crate) fn finish(mut self, clock: &dyn Clock) -> PythonCalls {
        let answer = self.read(clock);
        if let Some(child) = self.child {
            let _has_mostly_ended = child.signal(libc::SIGKILL);
        }
        let answer = answer.map_err(|error| format!("the reader's answer could not be read: {error}"))?;
        serde_json::from_slice(&answer)
            .unwrap_or_else(|_| Err("the reader failed on the process's memory".to_owned()))
    }

    fn read(&mut self, clock: &dyn Clock) -> io::Result<Vec<u8>> {
        let mut answer = Vec::new();
        let mut chunk = [0; 16 << 10];
        loop {
            let left = self.deadline.saturating_sub(clock.monotonic());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let ready = poll(&[Interest { fd: self.answer.as_fd(), write: false }], Some(left));
            if !ready.first().is_some_and(|ready| ready.read) {
                continue;
            }
            match self.answer.read(&mut chunk) {
                Ok(0) => return Ok(answer),
                Ok(length) => answer.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if answer.len() as u64 > ANSWER_LIMIT_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_known_by_its_file() {
        for (line, expected) in [
            ("400000-500000 r-xp 00000000 fe:00 1 /usr/bin/python3.11", true),
            ("7f00-7f01 r-xp 00000000 fe:00 1 /opt/py/lib/libpython3.12.so.1.0", true),
            ("7f00-7f01 r-xp 00000000 fe:00 1 /srv/python3/app", false),
            ("7f00-7f01 r-xp 00000000 fe:00 1 /usr/bin/python2.7", false),
            ("7f00-7f01 rw-p 00000000 00:00 0 ", false),
        ] {
            assert_eq!(is_in(line.as_bytes()), expected, "{line}");
        }
    }
}
