use std::os::unix::fs::PermissionsExt;

use model::auto_heal::config::Parameters;

use super::output::OUTPUT_LIMIT_BYTES;
use super::*;
use crate::stopping;

const DONE: ActionEnd = ActionEnd::Exited { code: 0 };

fn not_started(why: NotStarted) -> ActionResult {
    ActionEnd::NotStarted { why }.into()
}

async fn run(action: &CustomAction, context: &Context) -> ActionResult {
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
        identity: None,
        umask: 0o022,
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
    assert_eq!(said, DONE.into());
    assert_eq!(app.output(), "a b|$HOME|*|;|c d|");
    let mode = std::fs::metadata(app.log()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let script = "'pwd; echo $WEBSITE_SITE_NAME; env | wc -l; echo wrong >&2; exit 7'";
    let said = run(&action("/bin/sh", &format!("-c {script}")), &app.context).await;
    assert_eq!(said, ActionEnd::Exited { code: 7 }.into());
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
    assert_eq!(run(&action("/bin/sh", "-c 'ulimit -Sn'"), &context).await, DONE.into());
    let output = std::fs::read_to_string(context.log_folder.join("custom-action-8.log")).unwrap();
    assert_eq!(output, "123\n");
}

#[tokio::test]
async fn it_runs_as_the_apps_user_where_medic_may_change_users() {
    if !shim::may_change_user() {
        eprintln!("skipped: this process may not change its user");
        return;
    }
    let app = app(9);
    std::fs::set_permissions(&app.context.directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let identity = Identity { user: 65_534, group: 65_534, groups: vec![65_534] };
    let context = Context { identity: Some(identity), umask: 0o027, ..app.context };
    assert_eq!(run(&action("/bin/sh", "-c 'id -u; id -G; umask'"), &context).await, DONE.into());
    let output = std::fs::read_to_string(context.log_folder.join("custom-action-9.log")).unwrap();
    assert_eq!(output, "65534\n65534\n0027\n");
}

#[tokio::test]
async fn what_cannot_be_started_is_said() {
    let failed = |error: &str| ActionEnd::StartFailed { error: error.to_owned() }.into();
    let app = app(2);
    for (exe, parameters, expected) in [
        ("/no/such/program", "secret", failed("entity not found")),
        ("/etc/passwd", "", failed("permission denied")),
        ("/bin/true", "it's", not_started(NotStarted::UnbalancedParameters)),
        ("/bin/sh", "-c 'kill -9 $$'", ActionEnd::Signal { signal: "SIGKILL".to_owned() }.into()),
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
    assert_eq!(said, ActionEnd::TimedOut { limit_ms: 2_000 }.into());
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
    tokio::select! { said = &mut running => panic!("{said:?}"), () = started => {} }
    stopper.stop();
    stopper.stop();
    assert_eq!(running.await, ActionEnd::MedicStopped.into());
    until_gone(app.output().trim()).await;
    let said = super::run(&action("/bin/true", ""), &app.context, &stop).await;
    assert_eq!(said, not_started(NotStarted::MedicStopped));
    let (stopper, stop) = stopping::channel();
    let limits = Limits { time: TIME_LIMIT, stop: Duration::from_millis(1) };
    let sleep = action("/bin/sleep", "600");
    let asked_once = async { stopper.stop() };
    let (said, ()) = tokio::join!(run_within(&sleep, &app.context, &stop, limits), asked_once);
    assert_eq!(said, ActionEnd::MedicStopped.into());
}

#[tokio::test]
async fn what_it_leaves_behind_is_killed() {
    let app = app(4);
    assert_eq!(run(&action("/bin/sh", "-c 'sleep 600 & echo $!'"), &app.context).await, DONE.into());
    until_gone(app.output().trim()).await;
}

async fn until_gone(pid: &str) {
    assert!(!pid.is_empty());
    let gone = async {
        // killed, and a zombie where nobody waits for orphans
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
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
        said = &mut running => panic!("{said:?}"),
        () = until_started => {}
    }
    let true_ = action("/bin/true", "");
    assert_eq!(run(&true_, &first.context).await, not_started(NotStarted::LastIsRunning));
    assert_eq!(run(&true_, &other.context).await, DONE.into());
    // opening waits for the reader
    let writing = tokio::fs::write(&fifo, "done");
    let (said, _) = tokio::join!(running, writing);
    assert_eq!((said, first.output().as_str()), (DONE.into(), "done"));
    assert_eq!(run(&true_, &first.context).await, DONE.into(), "the turn was given back");
}

#[tokio::test]
async fn output_is_bounded_and_never_in_the_way() {
    let app = app(7);
    let said = run(&action("/bin/sh", "-c 'yes | head -c 3000000'"), &app.context).await;
    assert_eq!(said, DONE.into());
    let output = app.output();
    assert!(output.ends_with("not kept: 1 MiB is\n"));
    assert!(output.len() < OUTPUT_LIMIT_BYTES + 100, "{}", output.len());
    std::fs::remove_dir_all(&app.context.log_folder).unwrap();
    std::fs::write(&app.context.log_folder, "in the way").unwrap();
    let said = run(&action("/bin/echo", "hello"), &app.context).await;
    assert_eq!(
        said,
        ActionResult::Ended { end: DONE, output_lost: Some("entity already exists".to_owned()) }
    );
}
