//! From a start request to a running worker.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use model::Clock;

use super::children::Children;
use super::{Asked, Shim, Worker};
use crate::capture::Captures;
use crate::cgroup::{OomCounter, OwnGroup};
use crate::local_worker::LocalWorker;
use crate::log_name::OutputName;
use crate::output::{LogFiles, LogLimits, Output};
use crate::protocol::WorkerSpec;
use crate::serving::{Members, ServingProcesses};
use crate::serving_rule::MainProcess;
use crate::start_request::{COMMAND, Report, STARTED, StartRequest};
use crate::sys::descriptors::replace;
use crate::sys::process::{Fork, adopt_orphans, fork, new_session, process_id};
use crate::sys::signals::{SignalFd, ignore};
use crate::tracer::Tracer;
use crate::worker::{self, StartError};
use crate::{SystemClock, cores, open_files, reaper, title};

/// Why a shim has nothing to watch.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    /// Its specification cannot be read.
    #[error("the worker's specification cannot be read: {0}")]
    Spec(#[source] io::Error),
    /// Something of the machine's.
    #[error("the shim cannot be set up: {0}")]
    Machine(#[source] io::Error),
    /// The worker's command, directory or program.
    #[error(transparent)]
    Worker(#[from] StartError),
}

/// Goes on as the reaper, and in a child of it as the shim, which starts the worker, says so, and watches the worker until its end
/// is acknowledged. The reaper ends what is left should the shim be killed.
///
/// For a process of one thread that was forked for this, with nothing open but the request and the standard descriptors.
pub(crate) fn run_shim(request: StartRequest<OwnedFd>) -> ExitCode {
    let _without_a_log = replace(request.log.as_fd(), 2);
    reaper::prepare();
    match new_session().and_then(|()| fork()) {
        Ok(Fork::Parent(shim)) => {
            // whoever has the lock, the socket or the report is taken for the shim
            drop(request);
            reaper::reaper(shim);
            ExitCode::SUCCESS
        }
        Ok(Fork::Child) => watch(request),
        Err(error) => refuse(&mut Report::new(request.report), &error),
    }
}

fn watch(request: StartRequest<OwnedFd>) -> ExitCode {
    let StartRequest { run_dir, spec, lock, listener, log: _, report } = request;
    let mut report = Report::new(report);
    report.say(&process_id());
    let title = [title::program().into_vec(), COMMAND.into(), run_dir.as_os_str().as_bytes().to_vec()];
    match set_up(run_dir, spec.into(), lock.into(), listener.into()) {
        Ok(mut shim) => {
            report.say(&STARTED);
            drop(report);
            // now that the worker is on its way
            if let Err(error) = title::set(&title) {
                eprintln!("the shim is not named in lists of processes: {error}");
            }
            shim.run();
            ExitCode::SUCCESS
        }
        Err(error) => refuse(&mut report, &error),
    }
}

fn refuse(report: &mut Report, error: &dyn std::fmt::Display) -> ExitCode {
    report.say(error);
    ExitCode::FAILURE
}

fn set_up(run_dir: PathBuf, spec: File, lock: File, listener: UnixListener) -> Result<Shim, SetUpError> {
    static CLOCK: SystemClock = SystemClock;
    let mut spec = read(spec).map_err(SetUpError::Spec)?;
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
    let mut serving = ServingProcesses::new(CLOCK, worker_pid, spec.port, members);
    serving.watch(spec.watch);
    // nothing here needs them any more, and they hold secrets
    spec.environment.clear();
    spec.command.clear();
    Ok(Shim {
        clock: &CLOCK,
        output: Output::new(worker.output, worker.error, files).map_err(SetUpError::Machine)?,
        worker: Worker {
            pid: worker_pid,
            program,
            started_at,
            started,
            oom_counter,
            warm: false,
            address: None,
            was_in_background: false,
            group,
        },
        run_dir,
        _lock: lock,
        spec,
        signals,
        listener,
        client: None,
        serving,
        tracer,
        refusal,
        captures,
        asked: Asked::default(),
        background: None,
        ending: None,
        leaving: false,
        orphans: None,
        captured: BTreeMap::new(),
        children: Children::default(),
        aborted: BTreeSet::new(),
        last_crash: None,
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

fn read(mut spec: File) -> io::Result<WorkerSpec> {
    let mut json = Vec::new();
    spec.read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

fn program_name(spec: &WorkerSpec) -> String {
    let path = spec.command.first().map(Path::new);
    path.and_then(Path::file_name).map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn log_files(spec: &WorkerSpec) -> LogFiles {
    let LocalWorker { instance, started_at, .. } = spec.worker;
    let before = OutputName { instance, started_at, number: 0 };
    let limits = LogLimits {
        file_bytes: spec.log_file_limit_bytes,
        files: spec.log_files_kept,
        age: spec.log_file_age_ms.map(Duration::from_millis),
    };
    LogFiles::new(spec.application_log_dir.clone(), before, limits)
}
