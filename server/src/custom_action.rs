//! Runs the program that a user's auto-heal rule names.
//!
//! It runs as Medic's own user, which is every worker's user too: an app has no other. It gets the app's environment, in the
//! app's directory, and no shell: `$`, `*` and `;` in its parameters are what they are, quotes keep words together. What it
//! prints replaces what the instance's last action printed, in `custom-action-<instance>.log` beside the worker's own output:
//! it may be private, so it is neither in the result nor in Medic's log.
//!
//! An action ends with its program: what that leaves running in its process group is killed, as it is at the time limit, and
//! when Medic stops: after a few seconds, or at once when it is to be faster.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::auto_heal::config::CustomAction;
use model::{Place, Signal};
use shim::OpenFiles;
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::stopping::Stop;

/// How long an action may take. Ours: enough to write a core file of some GB or to send one away, and no longer than the rules'
/// usual `minProcessExecutionTime`, before which the rule would not fire again.
const TIME_LIMIT: Duration = Duration::from_mins(10);
/// How long a running action may go on when Medic stops. Ours: most are done by then, and none holds up a restart of Medic.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How long what was killed may take to end, and the output of what cannot be killed is waited for.
const END_LIMIT: Duration = Duration::from_secs(5);
/// How much of its output is kept.
const OUTPUT_LIMIT_BYTES: usize = 1 << 20;

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
}

/// Runs an action to its end, for at most 10 minutes, and says in one sentence how it ended. The sentence holds neither its
/// parameters nor its output.
pub async fn run(action: &CustomAction, context: &Context, stop: &Stop) -> String {
    run_within(action, context, stop, Limits { time: TIME_LIMIT, stop: STOP_LIMIT }).await
}

struct Limits {
    time: Duration,
    stop: Duration,
}

async fn run_within(action: &CustomAction, context: &Context, stop: &Stop, limits: Limits) -> String {
    if stop.has_begun() {
        return "It was not started: Medic was shutting down.".to_owned();
    }
    let Some(_turn) = ActionLock::take(&context.place) else {
        return "It was not started: the instance's last action still runs.".to_owned();
    };
    let Some(words) = shlex::split(action.parameters.reveal()) else {
        return "It could not be started: its parameters have a quote or a \\ that nothing follows."
            .to_owned();
    };
    let log = open_log(context).await;
    match start(action, &words, context) {
        Ok((child, output)) => finish(child, output, log, stop, limits).await,
        Err(error) => format!("It could not be started: {}.", reason(&error)),
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
    let child = command.spawn()?;
    Ok((child, Receiver::from_owned_fd(OwnedFd::from(output))?))
}

async fn finish(
    mut child: Child,
    output: Receiver,
    log: io::Result<File>,
    stop: &Stop,
    limits: Limits,
) -> String {
    let group = child.id().map(Group);
    let mut keeping = tokio::spawn(keep(output, log));
    let ended = tokio::select! {
        biased;
        ended = child.wait() => Ok(ended),
        () = sleep(limits.time) => {
            Err(format!("It was killed after its time limit of {}", humantime::format_duration(limits.time)))
        }
        () = stop.over(limits.stop) => Err("It was killed because Medic was shutting down".to_owned()),
    };
    drop(group);
    let how = match ended {
        Ok(Ok(status)) => in_words(status),
        Ok(Err(error)) => format!("It was lost: {}", reason(&error)),
        Err(why) => {
            // killed with its group; now only to be reaped
            let _still_in_the_kernel = timeout(END_LIMIT, child.wait()).await;
            why
        }
    };
    match timeout(END_LIMIT, &mut keeping).await {
        Ok(Ok(Err(error))) => format!("{how}; its output was not kept: {}.", reason(&error)),
        Ok(_) => format!("{how}."),
        Err(_) => {
            // a process that left the group has the pipe
            keeping.abort();
            format!("{how}.")
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("It ended with status {code}"),
        (None, Some(signal)) => format!("It was ended by {}", Signal(signal)),
        (None, None) => "It ended".to_owned(),
    }
}

/// Without paths: the kind of an error says enough.
fn reason(error: &io::Error) -> String {
    error.kind().to_string()
}

async fn open_log(context: &Context) -> io::Result<File> {
    let (folder, name) =
        (context.log_folder.clone(), format!("custom-action-{}.log", context.place.instance));
    let made = {
        let folder = folder.clone();
        move || DirBuilder::new().recursive(true).mode(0o700).create(folder)
    };
    tokio::task::spawn_blocking(made).await.map_err(io::Error::other)??;
    let path = folder.join(name);
    // a new file, so that its mode is this one and a link is not followed
    match tokio::fs::remove_file(&path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).await
}

/// Keeps the beginning of the output and reads all of it, so that its writer never waits.
async fn keep(mut output: Receiver, log: io::Result<File>) -> io::Result<()> {
    let mut log = log;
    let (mut room, mut is_told) = (OUTPUT_LIMIT_BYTES, false);
    let mut chunk = vec![0; 16 << 10];
    while let Ok(length @ 1..) = output.read(&mut chunk).await {
        let Ok(file) = &mut log else { continue };
        let kept = length.min(room);
        room -= kept;
        let written = async {
            file.write_all(&chunk[..kept]).await?;
            if kept < length && !std::mem::replace(&mut is_told, true) {
                file.write_all(b"\n[medic] what follows was not kept: 1 MiB is\n").await?;
            }
            file.flush().await
        };
        if let Err(error) = written.await {
            log = Err(error);
        }
    }
    log.map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use model::auto_heal::config::Parameters;

    use super::*;
    use crate::stopping;

    async fn run(action: &CustomAction, context: &Context) -> String {
        super::run(action, context, &stopping::channel().1).await
    }

    /// An app's folders, and a number of its own for each test: turns are taken by instance.
    struct App {
        folder: tempfile::TempDir,
        context: Context,
    }

    fn app(instance: u16) -> App {
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            place: Place { node: "node-a".parse().unwrap(), app: "shop".parse().unwrap(), instance },
            directory: folder.path().to_owned(),
            environment: BTreeMap::from([("WEBSITE_SITE_NAME".to_owned(), "shop".to_owned())]),
            log_folder: folder.path().join("logfiles/application"),
            open_files: None,
        };
        App { folder, context }
    }

    fn action(exe: &str, parameters: &str) -> CustomAction {
        CustomAction { exe: exe.to_owned(), parameters: Parameters::new(parameters) }
    }

    impl App {
        fn log(&self) -> PathBuf {
            self.context.log_folder.join(format!("custom-action-{}.log", self.context.place.instance))
        }

        fn output(&self) -> String {
            std::fs::read_to_string(self.log()).unwrap()
        }
    }

    #[tokio::test]
    async fn it_runs_where_the_app_runs_and_its_words_are_not_a_shells() {
        let app = app(1);
        let said = run(&action("/usr/bin/printf", "'%s|' \"a b\" $HOME * ';' c\\ d"), &app.context).await;
        assert_eq!(said, "It ended with status 0.");
        assert_eq!(app.output(), "a b|$HOME|*|;|c d|");
        let mode = std::fs::metadata(app.log()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let script = "'pwd; echo $WEBSITE_SITE_NAME; env | wc -l; echo wrong >&2; exit 7'";
        let said = run(&action("/bin/sh", &format!("-c {script}")), &app.context).await;
        assert_eq!(said, "It ended with status 7.");
        let folder = app.folder.path().canonicalize().unwrap();
        let output = app.output();
        // the shell itself sets PWD, and some set two more
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), (folder.to_str().unwrap(), "shop", "wrong"));
        assert!(lines[2].trim().parse::<u32>().unwrap() <= 5, "nothing is inherited: {output}");
    }

    #[tokio::test]
    async fn it_may_have_as_many_files_open_as_medic_was_started_with() {
        let app = app(8);
        let context = Context { open_files: Some(123), ..app.context };
        assert_eq!(run(&action("/bin/sh", "-c 'ulimit -Sn'"), &context).await, "It ended with status 0.");
        let output = std::fs::read_to_string(context.log_folder.join("custom-action-8.log")).unwrap();
        assert_eq!(output, "123\n");
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_said() {
        let app = app(2);
        for (exe, parameters, expected) in [
            ("/no/such/program", "secret", "It could not be started: entity not found."),
            ("/etc/passwd", "", "It could not be started: permission denied."),
            (
                "/bin/true",
                "it's",
                "It could not be started: its parameters have a quote or a \\ that nothing follows.",
            ),
            ("/bin/sh", "-c 'kill -9 $$'", "It was ended by SIGKILL."),
        ] {
            assert_eq!(run(&action(exe, parameters), &app.context).await, expected, "{exe}");
        }
    }

    #[tokio::test]
    async fn at_the_limit_its_whole_group_is_killed() {
        let app = app(3);
        let script = "-c 'sleep 600 & echo $!; wait'";
        let limits = Limits { time: Duration::from_secs(2), stop: STOP_LIMIT };
        let (_stopper, stop) = stopping::channel();
        let said = run_within(&action("/bin/sh", script), &app.context, &stop, limits).await;
        assert_eq!(said, "It was killed after its time limit of 2s.");
        until_gone(app.output().trim()).await;
    }

    #[tokio::test]
    async fn when_medic_stops_its_whole_group_is_killed_and_none_is_started() {
        let app = app(8);
        let script = action("/bin/sh", "-c 'sleep 600 & echo $!; wait'");
        let (stopper, stop) = stopping::channel();
        let mut running = Box::pin(super::run(&script, &app.context, &stop));
        let started = async {
            while !std::fs::read_to_string(app.log()).is_ok_and(|output| output.ends_with('\n')) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { said = &mut running => panic!("{said}"), () = started => {} }
        stopper.stop();
        stopper.stop();
        assert_eq!(running.await, "It was killed because Medic was shutting down.");
        until_gone(app.output().trim()).await;
        let said = super::run(&action("/bin/true", ""), &app.context, &stop).await;
        assert_eq!(said, "It was not started: Medic was shutting down.");
        let (stopper, stop) = stopping::channel();
        let limits = Limits { time: TIME_LIMIT, stop: Duration::from_millis(1) };
        let sleep = action("/bin/sleep", "600");
        let asked_once = async { stopper.stop() };
        let (said, ()) = tokio::join!(run_within(&sleep, &app.context, &stop, limits), asked_once);
        assert_eq!(said, "It was killed because Medic was shutting down.");
    }

    #[tokio::test]
    async fn what_it_leaves_behind_is_killed() {
        let app = app(4);
        assert_eq!(
            run(&action("/bin/sh", "-c 'sleep 600 & echo $!'"), &app.context).await,
            "It ended with status 0."
        );
        until_gone(app.output().trim()).await;
    }

    async fn until_gone(pid: &str) {
        assert!(!pid.is_empty());
        let gone = async {
            // killed, and a zombie where nobody waits for orphans
            while std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
            {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_mins(1), gone).await.unwrap();
    }

    #[tokio::test]
    async fn an_instance_has_one_action_at_a_time() {
        let (first, other) = (app(5), app(6));
        let fifo = first.folder.path().join("go");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let patient = action("/bin/cat", "go");
        let mut running = Box::pin(run(&patient, &first.context));
        let until_started = async {
            while !RUNNING.lock().unwrap().contains(&first.context.place) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            said = &mut running => panic!("{said}"),
            () = until_started => {}
        }
        let true_ = action("/bin/true", "");
        assert_eq!(
            run(&true_, &first.context).await,
            "It was not started: the instance's last action still runs."
        );
        assert_eq!(run(&true_, &other.context).await, "It ended with status 0.");
        // opening waits for the reader
        let writing = tokio::fs::write(&fifo, "done");
        let (said, _) = tokio::join!(running, writing);
        assert_eq!((said.as_str(), first.output().as_str()), ("It ended with status 0.", "done"));
        assert_eq!(run(&true_, &first.context).await, "It ended with status 0.", "the turn was given back");
    }

    #[tokio::test]
    async fn output_is_bounded_and_never_in_the_way() {
        let app = app(7);
        let said = run(&action("/bin/sh", "-c 'yes | head -c 3000000'"), &app.context).await;
        assert_eq!(said, "It ended with status 0.");
        let output = app.output();
        assert!(output.ends_with("not kept: 1 MiB is\n"));
        assert!(output.len() < OUTPUT_LIMIT_BYTES + 100, "{}", output.len());
        std::fs::remove_dir_all(&app.context.log_folder).unwrap();
        std::fs::write(&app.context.log_folder, "in the way").unwrap();
        let said = run(&action("/bin/echo", "hello"), &app.context).await;
        assert_eq!(said, "It ended with status 0; its output was not kept: entity already exists.");
    }
}
