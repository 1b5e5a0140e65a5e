//! What is asked of a running server from outside: `medic stop` ends it with its apps, or, with `--keep-apps`, without them, and waits
//! until that is done; `medic reload` has it read its configuration again.
//!
//! For packages' scripts, the unit, and machines without systemd.

use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::config::{Config, Waiting};
use crate::running::{self, Found, LockError, RunningServer};

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The server has ended, and its apps where nobody is to keep them or the next server could not find them.
    Server { with_apps: bool },
    /// There was none.
    NoServer,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Who holds the data folder cannot be told.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// There is none.
    #[error("no server is running with {} or its data folder", .0.display())]
    NoServer(PathBuf),
    /// The lock could not be waited for.
    #[error("cannot tell whether the server has ended by {}: {source}", file.display())]
    Wait { file: PathBuf, source: io::Error },
    /// A server of another version, or one that could not write.
    #[error("a server holds {}, which does not say which process it is; send it {signal}", file.display())]
    NoProcess { file: PathBuf, signal: &'static str },
    /// It is not this user's.
    #[error("cannot signal the server, process {pid}: {source}; use the user that runs it, or root")]
    Signal { pid: i32, source: io::Error },
}

/// Has the server of this configuration end and waits for that; of a file that is wrong by now no data folder is known. Where none
/// runs, what the last one left is the caller's business.
pub fn stop(file: &Path, data_dir: Option<&Path>, keep_apps: bool) -> Result<Stopped, AskError> {
    let Some(server) = find(file, data_dir)? else { return Ok(Stopped::NoServer) };
    let (signal, name) = if keep_apps { (Signal::USR1, "SIGUSR1") } else { (Signal::TERM, "SIGTERM") };
    tell(&server, signal, name)?;
    server.wait().map_err(|source| AskError::Wait { file: server.lock_file(), source })?;
    // as the server decides: by the file that it was started with
    let moves = data_dir.is_some_and(|data_dir| server.data_dir != data_dir);
    Ok(Stopped::Server { with_apps: !keep_apps || moves })
}

/// Has it read `file` again, which is valid; what it has to be started again for.
pub fn reload(file: &Path, config: &Config) -> Result<Vec<Waiting>, AskError> {
    let server = find(file, Some(&config.data_dir))?.ok_or_else(|| AskError::NoServer(file.to_owned()))?;
    tell(&server, Signal::HUP, "SIGHUP")?;
    Ok(server.started_with.map(|started_with| started_with.waiting(config)).unwrap_or_default())
}

fn find(file: &Path, data_dir: Option<&Path>) -> Result<Option<RunningServer>, AskError> {
    match running::find(file, data_dir)? {
        Found::Nobody => Ok(None),
        Found::Server(server) => Ok(Some(server)),
        Found::Hidden(pid) => Err(refused(pid, io::ErrorKind::PermissionDenied.into())),
    }
}

fn tell(server: &RunningServer, signal: Signal, name: &'static str) -> Result<(), AskError> {
    let unknown = || AskError::NoProcess { file: server.lock_file(), signal: name };
    let pid = server.pid.ok_or_else(unknown)?;
    kill_process(pid, signal).map_err(|error| refused(pid, error.into()))
}

fn refused(pid: Pid, source: io::Error) -> AskError {
    AskError::Signal { pid: pid.as_raw_nonzero().get(), source }
}
