//! Runs the program that a user's auto-heal rule names.
//!
//! It runs as the app's user, as its workers do, and is started by Medic. It gets the app's environment, in the app's directory,
//! and no shell: `$`, `*` and `;` in its parameters are what they are, quotes keep words together. What it
//! prints replaces what the instance's last action printed, in `custom-action-<instance>.log` beside the worker's own output:
//! it may be private, so it is neither in the result nor in Medic's log.
//!
//! An action ends with its program: what that leaves running in its process group is killed, as it is at the time limit, and
//! when Medic stops: after a few seconds, or at once when it is to be faster.

mod output;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::auto_heal::arithmetic::millis;
use model::auto_heal::config::CustomAction;
use model::auto_heal::event::{ActionEnd, ActionResult, NotStarted};
use model::{Place, Signal};
use shim::OpenFiles;
use shim::protocol::Identity;
use tokio::fs::File;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::stopping::Stop;
pub use output::is_output;

/// How long an action may take. Ours: enough to write a core file of some GB or to send one away, and no longer than the rules'
/// usual `minProcessExecutionTime`, before which the rule would not fire again.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// How long a running action may go on when Medic stops. Ours: most are done by then, and none holds up a restart of Medic.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long what was killed may take to end, and the output of what cannot be killed is waited for.
const END_LIMIT: Duration = Duration::from_secs(5);
/// Where an action runs.
pub struct Context {
    /// For which instance: one action at a time.
    pub place: Place,
    /// Its working directory.
    pub directory: PathBuf,
    /// Its whole environment.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes.
    pub log_folder: PathBuf,
    /// How many files it may have open, where Medic itself may have more.
    pub open_files: Option<u64>,
    /// Who it runs as, where that is not Medic's own user.
    pub identity: Option<Identity>,
    /// Which permissions its new files do not have.
    pub umask: u32,
}

/// Runs an action to its end, for at most 10 minutes. The result holds neither its parameters nor its output.
pub async fn run(action: &CustomAction, context: &Context, stop: &Stop) -> ActionResult {
    run_within(action, context, stop, Limits { time: TIME_LIMIT, stop: STOP_LIMIT }).await
}

struct Limits {
    time: Duration,
    stop: Duration,
}

async fn run_within(action: &CustomAction, context: &Context, stop: &Stop, limits: Limits) -> ActionResult {
    let not_started = |why| ActionEnd::NotStarted { why }.into();
    if stop.has_begun() {
        return not_started(NotStarted::MedicStopped);
    }
    let Some(_lock) = ActionLock::take(&context.place) else {
        return not_started(NotStarted::LastIsRunning);
    };
    let Some(words) = shlex::split(action.parameters.reveal()) else {
        return not_started(NotStarted::UnbalancedParameters);
    };
    let log = output::open_log(context).await;
    match start(action, &words, context) {
        Ok((child, output)) => finish(child, output, log, stop, limits).await,
        Err(error) => ActionEnd::StartFailed { error: kind(&error) }.into(),
    }
}

/// The right to be the only action of an instance.
struct ActionLock(Place);

static RUNNING: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

impl ActionLock {
    fn take(instance: &Place) -> Option<Self> {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(instance.clone()).then(|| Self(instance.clone()))
    }
}

impl Drop for ActionLock {
    fn drop(&mut self) {
        RUNNING.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// A process group that does not outlive this.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        shim::kill_group(self.0);
    }
}

fn start(action: &CustomAction, words: &[String], context: &Context) -> io::Result<(Child, Receiver)> {
    // one pipe for both, so that their lines stay in order
    let (output, write) = io::pipe()?;
    let mut command = Command::new(&action.exe);
    command
        .args(words)
        .current_dir(&context.directory)
        .env_clear()
        .envs(&context.environment)
        .stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write)
        .process_group(0)
        .kill_on_drop(true);
    if let Some(soft) = context.open_files {
        OpenFiles::give_back(command.as_std_mut(), soft);
    }
    shim::run_as(command.as_std_mut(), context.identity.clone(), context.umask);
    let child = command.spawn()?;
    Ok((child, Receiver::from_owned_fd(OwnedFd::from(output))?))
}

async fn finish(
    mut child: Child,
    output: Receiver,
    log: io::Result<File>,
    stop: &Stop,
    limits: Limits,
) -> ActionResult {
    let group = child.id().map(Group);
    let mut keeping = tokio::spawn(output::keep(output, log));
    let ended = tokio::select! {
        biased;
        ended = child.wait() => Ok(ended),
        () = sleep(limits.time) => Err(ActionEnd::TimedOut { limit_ms: millis(limits.time) }),
        () = stop.over(limits.stop) => Err(ActionEnd::MedicStopped),
    };
    drop(group);
    let end = match ended {
        Ok(Ok(status)) => end(status),
        Ok(Err(error)) => ActionEnd::Lost { error: kind(&error) },
        Err(killed) => {
            // killed with its group; now only to be reaped
            let _still_in_the_kernel = timeout(END_LIMIT, child.wait()).await;
            killed
        }
    };
    let output_lost = match timeout(END_LIMIT, &mut keeping).await {
        Ok(Ok(Err(error))) => Some(kind(&error)),
        Ok(_) => None,
        Err(_) => {
            // a process that left the group has the pipe
            keeping.abort();
            None
        }
    };
    ActionResult::Ended { end, output_lost }
}

fn end(status: ExitStatus) -> ActionEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ActionEnd::Exited { code },
        (None, Some(signal)) => ActionEnd::Signal { signal: Signal(signal).to_string() },
        (None, None) => ActionEnd::Lost { error: status.to_string() },
    }
}

/// Without paths: the kind of an error says enough.
fn kind(error: &io::Error) -> String {
    error.kind().to_string()
}

#[cfg(test)]
mod tests;
