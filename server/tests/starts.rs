//! Apps that are hard to start: each is reached after all, or says what keeps it from that, and leaves nothing behind.
//!
//! How long a start may take is tested where time can be moved, in `engine`; here the programs are real.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::Medic;

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
        let page = medic.get("/apps/shop/categories/availability-and-performance/overview").body;
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
