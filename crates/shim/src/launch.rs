//! How the server starts a shim and speaks to it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use engine::Clock;

use crate::SystemClock;
use crate::program::Program;
use crate::protocol::{SOCKET_NAME, SPEC_NAME, WorkerSpec};
use crate::sys::descriptors::{Interest, pipe, poll};
use crate::sys::{Pid, signals};

/// How long a start may take: a program on a slow network file system is waited for, a hung one is not.
const START_LIMIT: Duration = Duration::from_secs(30);

/// What a shim writes when its worker runs.
pub(crate) const STARTED: &str = "started";

/// Why no worker was started. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The run directory could not be made or written.
    #[error("the run directory {} cannot be set up: {source}; it must be new, and its parent writable", path.display())]
    RunDirectory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The shim's own program could not be run.
    #[error("the shim {} cannot be run: {source}", exe.display())]
    Shim {
        /// Which program.
        exe: PathBuf,
        /// Why.
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

/// Starts `program shim RUN_DIR`, which leaves this process, starts the worker and goes on as its parent. Returns when the worker
/// was started. `run_dir` is made (mode 0700) and must not exist. Blocks for as long as the start takes, at most 30 s.
pub fn launch(program: impl Into<Program>, run_dir: &Path, spec: &WorkerSpec) -> Result<(), LaunchError> {
    let set_up = |source| LaunchError::RunDirectory { path: run_dir.to_owned(), source };
    if let Some(parent) = run_dir.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(set_up)?;
    }
    DirBuilder::new().mode(0o700).create(run_dir).map_err(set_up)?;
    let result = write_spec(run_dir, spec).map_err(set_up).and_then(|()| start(&program.into(), run_dir));
    if result.is_err() {
        // the error is what matters; a directory that cannot be removed is found by the next start
        let _ = std::fs::remove_dir_all(run_dir);
    }
    result
}

/// Connects to the shim of a run directory. The directory's path may be longer than a socket's address.
pub fn connect(run_dir: &Path) -> io::Result<UnixStream> {
    let directory = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(run_dir)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{SOCKET_NAME}", directory.as_raw_fd()))
}

fn write_spec(run_dir: &Path, spec: &WorkerSpec) -> io::Result<()> {
    // relative to this process's directory, not to the shim's
    let spec = WorkerSpec {
        directory: spec.directory.as_deref().map(std::path::absolute).transpose()?,
        application_log_dir: std::path::absolute(&spec.application_log_dir)?,
        crash_log_dir: std::path::absolute(&spec.crash_log_dir)?,
        ..spec.clone()
    };
    let mut file = private_file(&run_dir.join(SPEC_NAME))?;
    file.write_all(&serde_json::to_vec(&spec)?)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn start(program: &Program, run_dir: &Path) -> Result<(), LaunchError> {
    let failed = |source| LaunchError::Shim { exe: program.name().to_owned(), source };
    let log_path = run_dir.join("shim.log");
    let log = private_file(&log_path).map_err(failed)?;
    let (report, report_write) = pipe().map_err(failed)?;
    let mut first = program
        .command()
        .arg("shim")
        .arg(run_dir)
        // the server's environment may hold secrets that the shim does not need
        .env_clear()
        .stdin(Stdio::null())
        .stdout(report_write)
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    let words = read_report(report);
    // it ends as soon as it has handed over to the process that stays
    if words.is_err() {
        let _ = first.kill();
    }
    let _ = first.wait();
    let words = words?;
    let (_pid, words) = words.split_once('\n').unwrap_or(("", &words));
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
