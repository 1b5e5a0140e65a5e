//! The one answer to "how is it?", of real apps: what it says, since when, and across a kill of Medic.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Timestamp;
use serde_json::Value;
use support::Medic;

fn verdict(medic: &Medic) -> Value {
    let app = medic.json("/api/v1/apps/shop");
    assert_eq!(app["verdict"]["status"], medic.json("/api/v1/apps")[0]["verdict"]["status"], "{app:#}");
    app["verdict"].clone()
}

fn until(medic: &Medic, status: &str) -> Value {
    medic.until(status, || {
        Some(medic.json("/api/v1/apps/shop")["verdict"].clone()).filter(|v| v["status"] == status)
    })
}

fn since(verdict: &Value) -> Timestamp {
    verdict["since"].as_str().unwrap().parse().unwrap()
}

#[test]
fn an_app_that_exits_at_once_is_down_since_its_first_exit_also_after_medic_was_killed() {
    let exits = ["/bin/sh", "-c", "exit 3"].map(PathBuf::from);
    let mut medic = Medic::with_command(&exits, "", "");
    let down = medic.until("several exits", || {
        let verdict = medic.json("/api/v1/apps/shop")["verdict"].clone();
        verdict["reason"].as_str().unwrap().contains("3 consecutive exits").then_some(verdict)
    });
    assert_eq!(down["status"], "down", "{down:#}");
    assert!(down["reason"].as_str().unwrap().starts_with("Exit code 3"), "{down:#}");
    assert!(down["impact"].as_str().unwrap().contains("503"), "{down:#}");
    let page = medic.get("/apps/shop").body;
    assert!(page.contains("Exit code 3, ") && page.contains("consecutive exits"), "{page}");
    medic.kill();
    medic.start();
    let again = medic.until("the app down again", || {
        let verdict = medic.json("/api/v1/apps/shop")["verdict"].clone();
        (verdict["status"] == "down").then_some(verdict)
    });
    assert_eq!(since(&again), since(&down), "{down:#} {again:#}");
}

#[test]
fn a_stopped_worker_does_not_respond_and_responds_again_when_it_goes_on() {
    let medic = Medic::with_shop("", "stop_grace = \"1s\"");
    medic.until_running();
    assert_eq!(verdict(&medic)["status"], "healthy");
    let pid = medic.instances()[0]["pid"].as_u64().unwrap();
    let stop = Arc::<AtomicBool>::default();
    let (address, stopped) = (medic.front_door, Arc::clone(&stop));
    let client = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
            let _given_up = stream.read(&mut [0]);
        }
    });
    assert!(support::kill(pid, "STOP"));
    let hung = until(&medic, "not_responding");
    assert!(hung["impact"].as_str().unwrap().contains("canceled by clients"), "{hung:#}");
    let page = medic.get("/apps/shop").body;
    assert!(page.contains("Not responding for") && !page.contains(">Healthy"), "{page}");
    assert!(support::kill(pid, "CONT"));
    until(&medic, "healthy");
    stop.store(true, Ordering::Relaxed);
    client.join().unwrap();
    assert_eq!(medic.instances()[0]["pid"].as_u64(), Some(pid), "nothing was restarted");
}
