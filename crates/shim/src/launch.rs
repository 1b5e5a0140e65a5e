//! How the server starts a shim and speaks to it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::Clock;

use crate::SystemClock;
use crate::fork_server::ForkServer;
use crate::protocol::{SOCKET_NAME, WorkerSpec};
use crate::start_request::{STARTED, StartRequest};
use crate::sys::descriptors::{Interest, pipe, poll};
use crate::sys::memory::sealed_file;
use crate::sys::{Pid, signals};

/// How long a start may take: a program on a slow network file system is waited for, a hung one is not.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Why no worker was started. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The run directory could not be made or written.
    #[error("the run directory {} cannot be set up: {source}; it must be new, and its parent writable", path.display())]
    RunDirectory { path: PathBuf, source: io::Error },
    /// There is no memory to hand the specification over in.
    #[error("the worker's specification cannot be handed over in memory: {0}")]
    Memory(#[source] io::Error),
    /// The shim's own program could not be run.
    #[error("the shim {} cannot be run: {source}", exe.display())]
    Shim {
        /// Which program.
        exe: PathBuf,
        source: io::Error,
    },
    /// The shim could not start the worker: its words.
    #[error("{0}")]
    Refused(String),
    /// The shim ended without a word.
    #[error("the shim ended before the worker was started; its own log said: {0}")]
    Lost(String),
    /// It took too long.
    #[error("the worker was not started within {} s; is its program on a file system that hangs?", START_LIMIT.as_secs())]
    TimedOut,
}

/// Has a shim forked, which leaves this process, starts the worker and goes on as its parent. Returns when the worker was started.
/// `run_dir` is made (mode 0700) and must not exist. Blocks for as long as the start takes, at most 30 s.
///
/// The specification is handed over in memory: nothing of it is on a disk or a command line, and a full disk takes none.
pub fn launch(fork_server: &ForkServer, run_dir: &Path, spec: &WorkerSpec) -> Result<(), LaunchError> {
    let set_up = |source| LaunchError::RunDirectory { path: run_dir.to_owned(), source };
    let spec = handed_over(spec).map_err(LaunchError::Memory)?;
    // whoever looks for its process looks for this name
    let run_dir = &std::path::absolute(run_dir).map_err(set_up)?;
    if let Some(parent) = run_dir.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(set_up)?;
    }
    DirBuilder::new().mode(0o700).create(run_dir).map_err(set_up)?;
    let result =
        claim(run_dir).map_err(set_up).and_then(|claimed| start(fork_server, run_dir, &spec, &claimed));
    if result.is_err() {
        // the error is what matters; a directory that cannot be removed is found by the next start
        let _ = std::fs::remove_dir_all(run_dir);
    }
    result
}

/// Connects to the shim of a run directory.
pub fn connect(run_dir: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(Address::of(run_dir)?.path())
}

/// Where the shim of a run directory listens. The directory's path may be longer than a socket's address, so it is reached
/// through a descriptor, as long as this lives.
pub struct Address {
    directory: File,
    path: PathBuf,
}

impl Address {
    /// An error where the directory is not there.
    pub fn of(run_dir: &Path) -> io::Result<Self> {
        let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(run_dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_NAME}", directory.as_raw_fd()));
        Ok(Self { directory, path })
    }

    /// What to connect to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A file in memory.
fn handed_over(spec: &WorkerSpec) -> io::Result<File> {
    // relative to this process's directory, not to the shim's
    let spec = WorkerSpec {
        directory: spec.directory.as_deref().map(std::path::absolute).transpose()?,
        application_log_dir: std::path::absolute(&spec.application_log_dir)?,
        crash_log_dir: std::path::absolute(&spec.crash_log_dir)?,
        ..spec.clone()
    };
    sealed_file(&[&serde_json::to_vec(&spec)?])
}

/// A run directory that is a shim's.
pub(crate) struct Claimed {
    /// The directory, locked. Who looks whether a shim lives holds the lock for a moment, so it is waited for. A file system without
    /// locks gives none; there the command line must do.
    pub(crate) lock: File,
    pub(crate) listener: UnixListener,
}

/// A disk that is full, or can only be read, is better known before there is a shim.
pub(crate) fn claim(run_dir: &Path) -> io::Result<Claimed> {
    let address = Address::of(run_dir)?;
    let _without_locks = address.directory.lock();
    let listener = UnixListener::bind(address.path())?;
    listener.set_nonblocking(true)?;
    Ok(Claimed { lock: address.directory, listener })
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn start(
    fork_server: &ForkServer,
    run_dir: &Path,
    spec: &File,
    claimed: &Claimed,
) -> Result<(), LaunchError> {
    let failed = |source| LaunchError::Shim { exe: fork_server.program().name().to_owned(), source };
    let log_path = run_dir.join("shim.log");
    // it is for a shim that fails, and no reason to start none
    let log = private_file(&log_path).or_else(|_| File::options().write(true).open("/dev/null"));
    let log = log.map_err(failed)?;
    let ask = || {
        let (report, its_report) = pipe().map_err(failed)?;
        let request = StartRequest {
            run_dir: run_dir.to_owned(),
            spec: spec.as_fd(),
            lock: claimed.lock.as_fd(),
            listener: claimed.listener.as_fd(),
            log: log.as_fd(),
            report: its_report.as_fd(),
        };
        let process = fork_server.process().map_err(failed)?;
        process.send(&request).map_err(failed)?;
        drop(its_report);
        let words = read_report(report);
        if matches!(words, Err(LaunchError::TimedOut)) {
            // one that is stopped would start the worker when it goes on
            process.kill();
        }
        Ok((words?, process.has_ended()))
    };
    let words = match ask()? {
        // it was killed before it had read the request
        (words, true) if words.is_empty() => ask()?.0,
        (words, _) => words,
    };
    let words = match words.split_once('\n') {
        Some((pid, words)) if pid.parse::<Pid>().is_ok() => words,
        _ => &words,
    };
    match words.trim_end() {
        STARTED => Ok(()),
        "" => {
            let log = std::fs::read_to_string(&log_path).unwrap_or_default();
            Err(LaunchError::Lost(log.trim().chars().take(500).collect()))
        }
        refusal => Err(LaunchError::Refused(refusal.to_owned())),
    }
}

/// Reads until the shim has closed its side: its process id on the first line, then [`STARTED`] or why not.
fn read_report(report: OwnedFd) -> Result<String, LaunchError> {
    let clock = SystemClock;
    let deadline = clock.monotonic() + START_LIMIT;
    let mut report = File::from(report);
    let mut words = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let left = deadline.saturating_sub(clock.monotonic());
        if left.is_zero() {
            stop_late_shim(&words);
            return Err(LaunchError::TimedOut);
        }
        let ready = poll(&[Interest { fd: report.as_fd(), write: false }], Some(left));
        if !ready.first().is_some_and(|ready| ready.read) {
            continue;
        }
        match report.read(&mut chunk) {
            Ok(length @ 1..) if words.len() < 64 << 10 => words.extend_from_slice(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return Ok(String::from_utf8_lossy(&words).into_owned()),
        }
    }
}

/// Ends a shim that did not get ready; its worker, if any, ends with it.
fn stop_late_shim(words: &[u8]) {
    let words = String::from_utf8_lossy(words);
    if let Some(pid) = words.lines().next().and_then(|line| line.parse::<Pid>().ok()) {
        let _ = signals::send(pid, libc::SIGKILL);
    }
}
