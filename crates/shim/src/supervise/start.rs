//! From the command line to a running worker.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use model::Clock;

use super::{Asked, Shim, Worker};
use crate::SystemClock;
use crate::capture::Captures;
use crate::cgroup::{OomCounter, OwnGroup};
use crate::cores;
use crate::launch::STARTED;
use crate::open_files;
use crate::output::{LogFiles, LogLimits, Output};
use crate::protocol::{SOCKET_NAME, SPEC_NAME, WorkerSpec};
use crate::reaper::{self, reaper};
use crate::serving::{Members, ServingProcesses};
use crate::serving_rule::MainProcess;
use crate::sys::descriptors::{close_all_but_standard, replace};
use crate::sys::process::{
    Role, adopt_orphans, leave_parent, make_files_private, name_as_called, process_id,
};
use crate::sys::signals::{SignalFd, ignore, reset_inherited};
use crate::tracer::Tracer;
use crate::worker::{self, StartError};

/// Why a shim has nothing to watch.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    /// Its specification cannot be read.
    #[error("no specification can be read from standard input, nor from {SPEC_NAME} in {}: {source}", run_dir.display())]
    Spec { run_dir: PathBuf, source: io::Error },
    /// The run directory is another's, or gone.
    #[error("the run directory {} cannot be locked: {source}", run_dir.display())]
    Lock { run_dir: PathBuf, source: io::Error },
    /// Its socket cannot be made.
    #[error("no socket can be made in {}: {source}", run_dir.display())]
    Socket { run_dir: PathBuf, source: io::Error },
    /// Something of the machine's.
    #[error("the shim cannot be set up: {0}")]
    Machine(#[source] io::Error),
    /// The worker's command, directory or program.
    #[error(transparent)]
    Worker(#[from] StartError),
}

/// What `medic shim RUN_DIR` runs, before any runtime or thread exists: leaves its parent, starts the worker whose
/// specification is its standard input, says so on standard output, and watches the worker until its end is acknowledged. Its own
/// parent is then the reaper, which ends what is left should this process be killed.
pub fn shim_main(run_dir: &Path) -> ExitCode {
    reset_inherited();
    close_all_but_standard();
    make_files_private();
    name_as_called();
    let run_dir = match std::path::absolute(run_dir) {
        Ok(run_dir) => run_dir,
        Err(error) => return refuse(&error),
    };
    match leave_parent(reaper::prepare) {
        Ok(Role::Parent) => return ExitCode::SUCCESS,
        Ok(Role::Reaper(shim)) => {
            close_report();
            reaper(shim);
            return ExitCode::SUCCESS;
        }
        Ok(Role::Shim) => {}
        Err(error) => return refuse(&error),
    }
    report(&std::process::id());
    match set_up(run_dir) {
        Ok(mut shim) => {
            report(&STARTED);
            close_report();
            shim.run();
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&error),
    }
}

/// A line for the process that started this one. If it is gone, its successor will find the run directory.
fn report(line: &dyn std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    report(error);
    ExitCode::FAILURE
}

/// The reader of standard output waits for its end.
fn close_report() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = replace(null.as_fd(), 0);
        let _ = replace(null.as_fd(), 1);
    }
}

fn set_up(run_dir: PathBuf) -> Result<Shim, SetUpError> {
    static CLOCK: SystemClock = SystemClock;
    let lock = lock(&run_dir).map_err(|source| SetUpError::Lock { run_dir: run_dir.clone(), source })?;
    let mut spec =
        read_spec(&run_dir).map_err(|source| SetUpError::Spec { run_dir: run_dir.clone(), source })?;
    // what the worker's processes leave as orphans is this one's to end
    adopt_orphans().map_err(SetUpError::Machine)?;
    // the worker inherits it
    let cores = cores::keep_memory_out();
    if let Some(soft) = spec.open_files {
        // inherited by the worker and the analyser; one that cannot be had is no reason to have no worker
        let _ = open_files::set_soft(soft);
    }
    // the terminal's end is nothing to a shim, and a client that is gone is seen when it is written to
    ignore(libc::SIGHUP);
    ignore(libc::SIGPIPE);
    let signals =
        SignalFd::new(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT]).map_err(SetUpError::Machine)?;
    let listener =
        listen(&run_dir).map_err(|source| SetUpError::Socket { run_dir: run_dir.clone(), source })?;
    let files = log_files(&spec);
    let (started_at, started) = (CLOCK.wall(), CLOCK.monotonic());
    let mut armed = None;
    let mut group = spec.cgroup.as_deref().and_then(own_group);
    let mut oom_counter = OomCounter::of(group.as_ref());
    let worker = worker::start(&spec, &mut group, |pid| {
        if spec.core_dumps {
            cores.give_back(pid);
        }
        armed = spec.arm.then(|| Tracer::attach(pid, &mut MainProcess(pid), &CLOCK));
    })?;
    if spec.cgroup.is_some() && group.is_none() {
        oom_counter = OomCounter::of(None);
    }
    // refused: the worker runs unwatched, and every client is told why
    let (tracer, refusal) = match armed {
        Some(Ok(tracer)) => (Some(tracer), None),
        Some(Err(error)) => (None, Some(error.to_string())),
        None => (None, None),
    };
    let captures = Captures::new(&spec.analyser, &CLOCK).map_err(SetUpError::Machine)?;
    let (program, worker_pid) = (program_name(&spec), worker.pid);
    let members = group
        .as_ref()
        .map_or_else(|| Members::Below(process_id()), |group| Members::Group(group.folder().to_owned()));
    // nothing here needs them any more, and they hold secrets
    spec.environment.clear();
    spec.command.clear();
    Ok(Shim {
        clock: &CLOCK,
        output: Output::new(worker.output, worker.error, files).map_err(SetUpError::Machine)?,
        processes: ServingProcesses::new(CLOCK, worker_pid, spec.port, members),
        worker: Worker { pid: worker_pid, program, started_at, started, oom_counter, warm: false, group },
        run_dir,
        _lock: lock,
        spec,
        signals,
        listener,
        client: None,
        serving: MainProcess(worker_pid),
        tracer,
        refusal,
        captures,
        asked: Asked::default(),
        ending: None,
        leaving: false,
        orphans: None,
        left: Vec::new(),
        captured: None,
        post_mortem: None,
        acknowledged: false,
        changes_left: true,
    })
}

fn own_group(folder: &Path) -> Option<OwnGroup> {
    OwnGroup::make(folder)
        .inspect_err(|error| eprintln!("the control group {} cannot be used: {error}", folder.display()))
        .ok()
}

/// From memory; a server of the first release, whose binary was replaced while it ran, has written a file instead.
fn read_spec(run_dir: &Path) -> io::Result<WorkerSpec> {
    let mut json = Vec::new();
    io::stdin().read_to_end(&mut json)?;
    if json.is_empty() {
        let file = run_dir.join(SPEC_NAME);
        json = std::fs::read(&file)?;
        std::fs::remove_file(file)?;
    }
    Ok(serde_json::from_slice(&json)?)
}

/// Who looks whether a shim lives holds the lock for a moment, so it is waited for. A file system without locks gives none;
/// there the command line must do.
fn lock(run_dir: &Path) -> io::Result<File> {
    let directory = File::open(run_dir)?;
    let _without_one = directory.lock();
    Ok(directory)
}

/// By a relative name: the directory's path may be longer than a socket's address.
fn listen(run_dir: &Path) -> io::Result<UnixListener> {
    std::env::set_current_dir(run_dir)?;
    let listener = UnixListener::bind(SOCKET_NAME)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn program_name(spec: &WorkerSpec) -> String {
    let path = spec.command.first().map(Path::new);
    path.and_then(Path::file_name).map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn log_files(spec: &WorkerSpec) -> LogFiles {
    let index = spec.worker.instance;
    let time = spec.worker.started_at.to_utc().format("%Y%m%dT%H%M%S%.3fZ");
    let limits = LogLimits { file_bytes: spec.log_file_limit_bytes, files: spec.log_files_kept };
    LogFiles::new(spec.application_log_dir.clone(), &format!("{index}-"), &format!("{index}-{time}"), limits)
}
