//! Taking hold of a process that runs.

use std::io;

use crate::proc_status;
use crate::sys::process::own_thread;
use crate::sys::{Pid, ptrace};

/// How many passes over the thread list attaching takes at most: a pass that finds no new thread is the last.
const PASSES: usize = 1_000;

/// Why the debugger could not be attached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachError {
    /// Another debugger is.
    #[error(
        "process {pid} is being debugged by `{name}` (process {tracer}); end that debugger, then attaching works"
    )]
    Traced {
        /// Which process.
        pid: Pid,
        /// Who traces it.
        tracer: Pid,
        /// Its name.
        name: String,
    },
    /// The kernel forbids it.
    #[error(
        "the kernel does not let process {pid} be debugged: {source}; it may run as another user, its file may have \
         capabilities or a set-user-id bit, or a sandbox forbids ptrace"
    )]
    Forbidden {
        /// Which process.
        pid: Pid,
        /// The kernel's word.
        source: io::Error,
    },
    /// It is gone.
    #[error("process {pid} has ended")]
    Gone {
        /// Which process.
        pid: Pid,
    },
}

/// Seizes every thread of a process, none of which stops for it, and tells each that is ours then, also where not all are.
pub(super) fn seize_all(pid: Pid, mut seized: impl FnMut(Pid)) -> Result<(), AttachError> {
    let mut ours = std::collections::BTreeSet::new();
    for _ in 0..PASSES {
        // threads made by a thread that is ours are ours from the start, so a pass without a new one is the last
        let before = ours.len();
        for tid in threads(pid)? {
            if !ours.contains(&tid) && seize(pid, tid)? {
                ours.insert(tid);
                seized(tid);
            }
        }
        if ours.len() == before {
            break;
        }
    }
    if ours.is_empty() { Err(AttachError::Gone { pid }) } else { Ok(()) }
}

fn threads(pid: Pid) -> Result<Vec<Pid>, AttachError> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| AttachError::Gone { pid })?;
    Ok(tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).collect())
}

/// `false` where the thread is gone.
fn seize(pid: Pid, tid: Pid) -> Result<bool, AttachError> {
    match ptrace::seize(tid) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(false),
        // the kernel refuses a thread on its way out as if it were forbidden
        Err(_) if !proc_status::is_alive(pid, tid) => Ok(false),
        // already ours: made by a thread that was seized before
        Err(_) if proc_status::tracer_of(tid) == Some(own_thread()) => Ok(true),
        Err(source) => Err(refusal(pid, tid, source)),
    }
}

fn refusal(pid: Pid, tid: Pid, source: io::Error) -> AttachError {
    match proc_status::tracer_of(tid) {
        Some(tracer) if tracer != 0 => {
            let name = std::fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
            AttachError::Traced { pid, tracer, name: name.trim_end().to_owned() }
        }
        _ => AttachError::Forbidden { pid, source },
    }
}
