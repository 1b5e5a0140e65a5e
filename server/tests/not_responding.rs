//! Workers that answer nobody while their clients give up.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use model::Clock;
use serde_json::Value;
use shim::SystemClock;
use support::Medic;

/// Short enough for a test, and long enough for a busy machine to answer.
const NUMBERS: &str =
    "stop_grace = \"1s\"\nauto_heal = { not_responding_after = \"3s\", not_responding_probe = \"2s\" }";
/// How long a client waits for the first byte.
const PATIENCE: Duration = Duration::from_secs(2);

fn pids(medic: &Medic) -> Vec<u64> {
    medic.instances().iter().map(|instance| instance["pid"].as_u64().unwrap()).collect()
}

fn restart(medic: &Medic) -> Value {
    medic.until("a restart recorded", || {
        medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().first().cloned()
    })
}

fn reading(medic: &Medic) -> Value {
    let status = medic.json("/api/v1/apps/shop/auto-heal/status");
    let readings = status["instances"][0]["status"]["readings"].as_array().unwrap().clone();
    readings.into_iter().find(|reading| reading["rule"]["name"] == "not_responding").unwrap()
}

/// Asks, and gives up when no byte has come for as long as a client waits; tells whether one came.
fn ask(address: SocketAddr, path: &str) -> bool {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    stream.read(&mut [0]).is_ok_and(|length| length > 0)
}

/// Clients that ask and give up until they are told to stop; each tells how often it was answered and how often not.
struct Impatient {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<[usize; 2]>>,
}

impl Impatient {
    fn start(medic: &Medic, count: usize, path: &'static str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let address = medic.front_door;
        let client = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut told = [0; 2];
                while !stop.load(Ordering::Relaxed) {
                    told[usize::from(!ask(address, path))] += 1;
                }
                told
            })
        };
        Self { clients: (0..count).map(client).collect(), stop }
    }

    /// How many were answered, and how many were not.
    fn end(self) -> [usize; 2] {
        self.stop.store(true, Ordering::Relaxed);
        let told = self.clients.into_iter().map(|client| client.join().unwrap());
        told.fold([0; 2], |sum, told| [sum[0] + told[0], sum[1] + told[1]])
    }
}

#[test]
fn a_stopped_worker_is_passed_over_and_replaced_and_the_other_is_not_touched() {
    let medic = Medic::with_shop("", &format!("instances = 2\n{NUMBERS}"));
    medic.until_running();
    let before = pids(&medic);
    let clients = Impatient::start(&medic, 8, "/slow?ms=20");
    let stop = Command::new("kill").args(["-STOP", &before[0].to_string()]).status().unwrap();
    assert!(stop.success());
    let restart = restart(&medic);
    let [answered, lost] = clients.end();
    assert_eq!(restart["reason"]["rule"]["name"], "not_responding", "{restart:#}");
    assert_eq!((restart["instance"].as_u64(), restart["outcome"].as_str()), (Some(0), Some("done")));
    let observed = restart["evidence"]["observed"].as_str().unwrap();
    assert!(observed.contains("2 of 2 probes got no answer"), "{observed}");
    let after = pids(&medic);
    assert!(after[0] != before[0] && after[1] == before[1], "{before:?} {after:?}");
    // half of them would be lost if it went on taking its turn
    assert!(lost * 4 < answered, "{lost} lost, {answered} answered");
    assert_eq!(medic.json("/api/v1/apps/shop/auto-heal/status")["fuse"]["restarts"], 1);
}

#[test]
fn a_hung_app_is_down_until_it_is_replaced() {
    let medic = Medic::with_shop("", NUMBERS);
    medic.until_running();
    let before = pids(&medic);
    let address = medic.front_door;
    let hang = std::thread::spawn(move || ask(address, "/crash/hang"));
    let clients = Impatient::start(&medic, 3, "/");
    medic.until("the app down", || (medic.json("/api/v1/apps/shop")["health"] == "down").then_some(()));
    let restart = restart(&medic);
    clients.end();
    hang.join().unwrap();
    assert_eq!(restart["reason"]["rule"]["name"], "not_responding", "{restart:#}");
    assert_ne!(pids(&medic), before);
    assert_eq!(medic.json("/api/v1/apps/shop")["health"], "healthy");
    assert_eq!(medic.shop("/").status, 200);
    assert_eq!(reading(&medic)["standing"], "watching");
}

#[test]
fn a_worker_that_hangs_on_one_path_and_answers_the_probe_is_never_replaced() {
    for health_path in ["", "health_path = \"/status/204\"\n"] {
        let medic = Medic::with_shop("", &format!("{health_path}{NUMBERS}"));
        medic.until_running();
        let before = pids(&medic);
        let clients = Impatient::start(&medic, 3, "/slow?ms=60000");
        // no change is published for a reading, so it is asked for
        let deadline = SystemClock.monotonic() + support::PATIENCE;
        while !reading(&medic)["text"].as_str().unwrap().contains("the probe was answered") {
            assert!(SystemClock.monotonic() < deadline, "never probed: {:#}", reading(&medic));
            std::thread::yield_now();
        }
        assert_eq!(clients.end()[0], 0, "nobody was answered");
        assert_eq!(medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().len(), 0);
        assert_eq!(
            (pids(&medic), medic.json("/api/v1/apps/shop")["health"].clone()),
            (before, "healthy".into())
        );
    }
}
