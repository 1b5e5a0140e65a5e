//! Apps that are hard to start: each is reached after all, or says what keeps it from that, and leaves nothing behind.
//!
//! How long a start may take is tested where time can be moved, in `engine`; here the programs are real.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::Medic;

const OVERVIEW: &str = "/apps/shop/categories/availability-and-performance/overview";

/// A Medic whose one app starts in this way; `None` where there is no Python, which is said.
fn starting(way: &[&str], app: &str) -> Option<Medic> {
    match lab::start(way) {
        Ok(command) => Some(Medic::with_command(&command, "", app)),
        Err(lab::LabError::Missing(program)) => {
            assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{program} is not installed");
            eprintln!("skipped: {program} is not installed");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Where it is installed; `None` where it is not, which is said.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "{name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The first instance, as soon as what it is asked for says this.
fn until_says(medic: &Medic, words: &str, of: impl Fn(&Value) -> &Value) {
    medic.until(words, || of(&medic.instances()[0]).as_str().filter(|said| said.contains(words)).map(drop));
}

#[test]
fn a_slow_start_says_what_the_worker_does_and_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    for (way, activity) in [
        ("after", "Starting: not listening on $PORT, processor idle."),
        ("busy", "Starting: not listening on $PORT, uses the processor."),
        ("unready", "Starting: HTTP status 503 in the readiness check, processor idle."),
    ] {
        let go = folder.path().join(way);
        let Some(medic) = starting(&[way, text(&go)], "health_path = \"/healthz\"") else { return };
        until_says(&medic, activity, |instance| &instance["starting"]["activity"]);
        let app = medic.json("/api/v1/apps/shop");
        assert_eq!(app["instances"][0]["starting"]["limit_ms"], 230_000, "App Service's");
        assert_eq!(app["verdict"]["reason"], activity);
        let page = medic.get(OVERVIEW).body;
        assert!(page.contains(activity), "{page}");
        std::fs::write(go, "").unwrap();
        medic.until_running();
        assert_eq!(medic.shop("/").status, 200);
        assert!(medic.instances()[0]["starting"].is_null());
    }
}

#[test]
fn an_app_is_reached_wherever_on_this_machine_it_listens() {
    for address in ["::1", "::", "0.0.0.0", "127.0.0.1", "127.1.2.3"] {
        let Some(mut medic) = starting(&["at", address], "") else { return };
        medic.until_running();
        let pid = medic.instances()[0]["pid"].clone();
        assert_eq!(medic.shop("/").body.trim(), pid.to_string(), "{address}");
        medic.kill();
        medic.start();
        medic.until_running();
        assert_eq!(medic.shop("/").body.trim(), pid.to_string(), "{address}: taken over and reached");
    }
}

#[test]
fn node_that_listens_on_localhost_is_reached() {
    let Some(node) = program("node") else { return };
    let server = "require('http').createServer((_, answer) => answer.end('node')).listen(process.env.PORT, 'localhost')";
    let medic = Medic::with_command(&[node, "-e".into(), server.into()], "", "");
    medic.until_running();
    assert_eq!(medic.shop("/").body, "node");
}

#[test]
fn an_app_that_listens_elsewhere_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let (other, socket) = (support::free_address(), folder.path().join("socket"));
    for (way, words) in [
        (["port", &other.port().to_string()], format!("listening on port {} instead of $PORT", other.port())),
        (["unix", text(&socket)], "listening on a Unix socket instead of $PORT".to_owned()),
    ] {
        let Some(medic) = starting(&way, "warm_up = \"3s\"") else { return };
        until_says(&medic, &format!("Starting: {words}"), |instance| &instance["starting"]["activity"]);
        let words = format!("Not ready within 3 s: {words}");
        until_says(&medic, &words, |instance| &instance["message"]);
        let reason = medic.json("/api/v1/apps/shop")["verdict"]["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(&words), "{reason}");
    }
}

/// The verdict's reason, as soon as it begins so.
fn until_reason(medic: &Medic, words: &str) -> String {
    medic.until(words, || {
        let reason = medic.json("/api/v1/apps/shop")["verdict"]["reason"].as_str().unwrap().to_owned();
        reason.starts_with(words).then_some(reason)
    })
}

#[test]
fn a_port_in_use_is_said_with_what_to_look_at() {
    let taken = std::net::TcpListener::bind(support::free_address()).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let Some(medic) = starting(&["port", &port], "") else { return };
    let reason = until_reason(&medic, "Exit code 1: address already in use");
    assert!(reason.contains("Make the app listen on $PORT"), "{reason}");
    let page = medic.get(OVERVIEW).body;
    assert!(
        page.contains("Exit code 1: address already in use") && page.contains("/instances/0/output"),
        "{page}"
    );
}

#[test]
fn what_is_not_there_or_may_not_be_run_is_said() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let no_interpreter = script("app", "#!/no/such/interpreter\n", 0o755);
    let not_executable = script("data", "#!/bin/sh\nexec sleep 1000\n", 0o644);
    let sh = |line: &str| vec!["/bin/sh".into(), "-c".into(), line.into()];
    for (command, words, remedy) in [
        (vec![no_interpreter], "Failed to start: the program", "the interpreter of a script's first line"),
        (vec![not_executable.clone()], "Failed to start: the program", "chmod +x"),
        (sh("no-such-program-4711; exit $?"), "Exit code 127: command not found", "full path"),
        (
            sh(&format!("exec {}", not_executable.display())),
            "Exit code 126: permission denied",
            "owner and mode",
        ),
        (sh("cat /no/such/file"), "Exit code 1: file not found", "Check command, directory"),
    ] {
        let medic = Medic::with_command(&command, "", "");
        let reason = until_reason(&medic, words);
        assert!(reason.contains(remedy), "{reason}");
    }
}

#[test]
fn the_last_lines_of_output_are_the_operators_alone() {
    let line = "echo first; echo my-secret-4711 >&2; exit 3";
    let medic = Medic::with_command(&["/bin/sh".into(), "-c".into(), line.into()], "", "back_off = \"1h\"");
    medic.until("the pause, which follows the second end", || {
        medic.instances()[0]["ends"]["count"].as_u64().filter(|count| *count >= 2)
    });
    let output = medic.json("/api/v1/apps/shop/instances/0/output");
    let lines: Vec<&str> =
        output["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(lines.contains(&"first") && lines.contains(&"my-secret-4711"), "{lines:?}");
    assert!(output["file"].as_str().unwrap().contains("/logfiles/application/0-"));
    let page = medic.get("/apps/shop/instances/0/output").body;
    assert!(page.contains("my-secret-4711"));
    for path in ["/apps/shop/instances/0/output", "/api/v1/apps/shop/instances/0/output"] {
        let proxied = [("X-Forwarded-For", "203.0.113.7")];
        let refused = support::request(medic.address, "GET", path, &proxied, "");
        assert_eq!(refused.status, 403);
        assert!(
            !refused.body.contains("4711") && refused.body.contains("Output refused"),
            "{}",
            refused.body
        );
    }
    assert_eq!(medic.get("/apps/shop/instances/1/output").status, 404);
    let database = std::fs::read(medic.data_dir().join("medic.db")).unwrap();
    let has = |bytes: &[u8]| bytes.windows(4).any(|window| window == b"4711");
    assert!(!has(&database) && !medic.log().contains("4711"), "the output is in no database and no log");
}

#[test]
fn a_daemon_is_the_worker_and_nothing_of_it_is_left_after_a_stop() {
    let Some(mut medic) = starting(&["daemon"], "") else { return };
    medic.until_running();
    let answered: u64 = medic.shop("/").body.trim().parse().unwrap();
    let pid = medic.until("the daemon's process", || {
        medic.instances()[0]["pid"].as_u64().filter(|pid| *pid == answered)
    });
    medic.kill();
    medic.start();
    medic.until_running();
    assert_eq!(medic.shop("/").body.trim(), pid.to_string(), "taken over");
    assert_eq!(medic.instances()[0]["pid"], pid);
    assert!(support::kill(pid, "KILL"));
    medic.until("its crash", || (medic.crashes() == 1).then_some(()));
    medic.until("another daemon", || {
        let next = medic.instances()[0]["pid"].as_u64()?;
        (next != pid && medic.shop("/").body.trim() == next.to_string()).then_some(())
    });
    let next = medic.instances()[0]["pid"].as_u64().unwrap();
    assert!(medic.stop());
    assert!(!support::is_alive(next) && support::processes_below(&medic.data_dir()).is_empty());
}

#[test]
fn a_stop_waits_for_what_takes_long_to_end() {
    let Some(python) = program("python3") else { return };
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("pid");
    let server = lab::start(&["at", "127.0.0.1"]).unwrap();
    let server: Vec<&str> = server.iter().map(|part| text(part)).collect();
    let left = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000'", told.display());
    let line = format!("{left} & exec {}", server.join(" "));
    let mut medic = Medic::with_command(&["/bin/sh".into(), "-c".into(), line.into()], "", "");
    medic.until_running();
    let pid =
        medic.until("what the worker leaves", || std::fs::read_to_string(&told).ok()?.trim().parse().ok());
    let mut holder = Holder::of(&python, pid);
    assert!(medic.stop());
    assert!(!support::is_alive(pid) && support::processes_below(&medic.data_dir()).is_empty());
    assert!(holder.0.wait().unwrap().success(), "it was held until then");
}

/// Keeps a process from ending for a while after its kill.
struct Holder(std::process::Child);

impl Holder {
    fn of(python: &Path, pid: u64) -> Self {
        let mut holder = std::process::Command::new(python);
        holder.arg(lab::root().join("crates/lab/programs/hold.py")).args([&pid.to_string(), "3"]);
        let mut holder = holder.stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(holder.stdout.take().unwrap()), &mut said)
            .unwrap();
        assert_eq!(said, "holding\n");
        Self(holder)
    }
}

#[test]
fn a_daemon_that_listens_nowhere_is_ended_with_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("pid");
    let line = format!("setsid sh -c 'echo $$ >> {}; exec sleep 1000' & sleep 0.2", told.display());
    let command = ["/bin/sh".into(), "-c".into(), line.into()];
    let medic = Medic::with_command(&command, "", "warm_up = \"2s\"\nback_off = \"1h\"");
    until_reason(&medic, "Not ready within 2 s: ");
    let pid: u64 = std::fs::read_to_string(told).unwrap().lines().next().unwrap().parse().unwrap();
    support::wait_until("the daemon's end", move || !support::is_alive(pid));
}

#[test]
fn a_start_that_takes_too_long_says_what_was_found_last() {
    let folder = tempfile::tempdir().unwrap();
    let never = folder.path().join("never");
    for (way, words) in [
        (&["after", text(&never)][..], "Not ready within 3 s: not listening on $PORT"),
        (&["silent"], "Not ready within 3 s: listening on $PORT, no response"),
        (&["unready", text(&never)], "Not ready within 3 s: HTTP status 503 in the readiness check"),
    ] {
        let Some(medic) = starting(way, "warm_up = \"3s\"\nhealth_path = \"/healthz\"") else { return };
        until_says(&medic, words, |instance| &instance["message"]);
        let reason = medic.json("/api/v1/apps/shop")["verdict"]["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(words), "{reason}");
    }
}
