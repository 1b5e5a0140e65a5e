//! `medic stop`: ends the server of a data folder with its apps, or, with `--keep-apps`, without them, and waits until that is
//! done. Where no server runs, the workers that the last one left are taken over to be ended.
//!
//! For packages' scripts and for machines without systemd: who holds the data folder is known by the folder's lock alone.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

/// The file that a server holds, with its process id.
pub const LOCK: &str = "medic.lock";

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The server has ended.
    Server,
    /// There was none.
    NoServer,
}

/// Why a server could not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The lock's file could not be read.
    #[error("cannot read {}: {source}", file.display())]
    Lock { file: PathBuf, source: io::Error },
    /// A server of another version, or one that could not write.
    #[error("a server holds {}, which does not say which process it is; send it SIGTERM", .0.display())]
    NoProcess(PathBuf),
    /// It is not this user's.
    #[error("cannot signal the server, process {pid}: {source}; use the user that runs it, or root")]
    Signal { pid: i32, source: io::Error },
}

/// Has the server of `data_dir` end and waits for that.
pub fn stop(data_dir: &Path, keep_apps: bool) -> Result<Stopped, StopError> {
    let path = data_dir.join(LOCK);
    let failed = |source| StopError::Lock { file: path.clone(), source };
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stopped::NoServer),
        opened => opened.map_err(failed)?,
    };
    match file.try_lock_shared() {
        Ok(()) => return Ok(Stopped::NoServer),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| StopError::NoProcess(path.clone()))?;
    let signal = if keep_apps { Signal::USR1 } else { Signal::TERM };
    kill_process(pid, signal)
        .map_err(|error| StopError::Signal { pid: pid.as_raw_nonzero().get(), source: error.into() })?;
    // the kernel gives the lock back when the process is gone
    file.lock_shared().map_err(failed)?;
    Ok(Stopped::Server)
}
