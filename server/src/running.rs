//! The server that runs with a configuration, as another process finds it: it holds the lock of its data folder, and the lock's file
//! says which process it is and what it was started with. Where the configuration names another data folder by now, the server is
//! known by its command line.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::Pid;

use crate::command_line::{self, Command};
use crate::config::AtStart;

/// The file in the data folder that a server holds.
pub const LOCK: &str = "medic.lock";

/// A server that was found.
#[derive(Debug)]
pub struct RunningServer {
    pub data_dir: PathBuf,
    /// Of another version, or one that could not write: it does not say.
    pub pid: Option<Pid>,
    pub started_with: Option<AtStart>,
    lock: File,
}

/// What was found.
#[derive(Debug)]
pub enum Found {
    Nobody,
    Server(RunningServer),
    /// This process has that configuration, and which data folder it holds may not be seen by this user.
    Hidden(Pid),
}

/// The lock could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", file.display())]
pub struct LockError {
    file: PathBuf,
    source: io::Error,
}

/// The server of this data folder, where one is known, else the one that was started with this configuration's file.
pub fn find(config: &Path, data_dir: Option<&Path>) -> Result<Found, LockError> {
    if let Some(server) = data_dir.map(RunningServer::of).transpose()?.flatten() {
        return Ok(Found::Server(server));
    }
    let Ok(config) = std::fs::canonicalize(config) else { return Ok(Found::Nobody) };
    for pid in served_with(&config) {
        match folder_held_by(pid) {
            // what it says of its own files is checked as everybody's is
            Ok(Some(folder)) => {
                if let Some(server) = RunningServer::of(&folder)?.filter(|server| server.pid == Some(pid)) {
                    return Ok(Found::Server(server));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Found::Hidden(pid)),
            // another program, or one that has ended meanwhile
            Ok(None) | Err(_) => {}
        }
    }
    Ok(Found::Nobody)
}

impl RunningServer {
    /// The one that holds this folder.
    fn of(data_dir: &Path) -> Result<Option<Self>, LockError> {
        let path = data_dir.join(LOCK);
        let failed = |source| LockError { file: path.clone(), source };
        let lock = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        match lock.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let text = std::fs::read_to_string(&path).map_err(failed)?;
        let pid = text.lines().next().and_then(|line| line.trim().parse().ok()).and_then(Pid::from_raw);
        let started_with = AtStart::read(&text, data_dir.to_owned());
        Ok(Some(Self { data_dir: data_dir.to_owned(), pid, started_with, lock }))
    }

    /// The file that it holds.
    pub fn lock_file(&self) -> PathBuf {
        self.data_dir.join(LOCK)
    }

    /// Returns when it has ended: the kernel gives the lock back then.
    pub fn wait(&self) -> io::Result<()> {
        self.lock.lock_shared()
    }
}

/// The processes that were started as `medic serve` with this file, which no link leads to.
fn served_with(config: &Path) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.filter(|pid| serves_with(*pid, config)).collect()
}

fn serves_with(pid: Pid, config: &Path) -> bool {
    let of = |name: &str| PathBuf::from(format!("/proc/{}/{name}", pid.as_raw_nonzero()));
    let Ok(line) = std::fs::read(of("cmdline")) else { return false };
    let words = line.strip_suffix(b"\0").unwrap_or(&line).split(|byte| *byte == 0);
    let Ok((Command::Serve, named)) = command_line::command_of(words) else { return false };
    // a relative one is relative to its folder, which another user's process does not tell
    let named = if named.is_absolute() {
        Ok(named)
    } else {
        std::fs::read_link(of("cwd")).map(|cwd| cwd.join(named))
    };
    named.and_then(std::fs::canonicalize).is_ok_and(|named| named == config)
}

/// The folder whose lock's file this process has open.
fn folder_held_by(pid: Pid) -> io::Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero()))? {
        let Ok(file) = std::fs::read_link(entry?.path()) else { continue };
        if file.file_name().is_some_and(|name| name == LOCK) {
            return Ok(file.parent().map(Path::to_owned));
        }
    }
    Ok(None)
}
