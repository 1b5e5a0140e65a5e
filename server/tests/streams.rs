//! Answers that last, through the real program: no slow-request rule sees them, they are shown with number and age, and a
//! restart says how many it ended.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use support::{Medic, request, wait_until};

/// Acts on three requests of a second within a minute.
const SLOW_REQUESTS: &str = r#"{"autoHealEnabled": true, "autoHealRules": {
    "triggers": {"slowRequests": {"timeTaken": "00:00:01", "count": 3, "timeInterval": "00:01:00"}},
    "actions": {"actionType": 0, "minProcessExecutionTime": "00:00:00"}}}"#;

/// A client that has read the first line of an answer's body, or of what its connection became.
fn open(address: SocketAddr, path: &str, headers: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "{path}: the answer ended within its head");
    }
    reader
}

/// Waits until the API says of the only instance's streams and tunnels what is wanted.
fn until_open(medic: &Medic, what: &str, is_it: fn(&Value) -> bool) {
    let address = medic.address;
    wait_until(what, move || {
        let app = request(address, "GET", "/api/v1/apps/shop", &[], "").json();
        is_it(&app["instances"][0]["open_streams"])
    });
}

fn reading(medic: &Medic, rule: &str) -> Value {
    let status = medic.json("/api/v1/apps/shop/auto-heal/status");
    let readings = status["instances"][0]["status"]["readings"].as_array().unwrap().clone();
    readings.into_iter().find(|reading| reading["rule"]["name"] == rule).unwrap()
}

#[test]
fn streams_are_no_slow_requests_and_a_worker_that_stalls_in_a_body_is() {
    let medic = Medic::with_shop("", "stop_grace = \"1s\"");
    medic.until_running();
    let headers = [("Content-Type", "application/json")];
    let saved = request(medic.address, "PUT", "/api/v1/apps/shop/auto-heal", &headers, SLOW_REQUESTS);
    assert_eq!(saved.status, 200, "{}", saved.body);
    let _streams: Vec<_> = [10, 10, 10, 3_600_000, 3_600_000, 3_600_000]
        .map(|pause_ms| open(medic.front_door, &format!("/events?ms={pause_ms}"), ""))
        .into();
    let _tunnel = open(medic.front_door, "/echo", "Connection: Upgrade\r\nUpgrade: x\r\n");
    until_open(&medic, "six streams and a tunnel, older than the rule's limit", |open| {
        let (streams, tunnels) = (&open["streams"], &open["tunnels"]);
        let counted = streams["count"] == 6 && tunnels["count"] == 1;
        counted && [streams, tunnels].iter().all(|of| of["oldest_ms"].as_u64().unwrap() > 3_000)
    });
    assert_eq!(reading(&medic, "slow_requests")["value"], 0);
    assert_eq!(medic.json("/api/v1/apps/shop/restarts"), Value::Array(vec![]));
    let page = medic.get("/apps/shop/categories/availability-and-performance/overview").body;
    assert!(page.contains("6 streams (oldest "), "{page}");

    let _stalled: Vec<_> =
        (0..3).map(|_| open(medic.front_door, "/stream?chunks=2&ms=3600000", "")).collect();
    let restart = medic.until("a restart", || medic.json("/api/v1/apps/shop/restarts").get(0).cloned());
    assert_eq!(restart["reason"]["rule"]["name"], "slow_requests", "{restart:#}");
    assert_eq!((&restart["streams_ended"], &restart["tunnels_ended"]), (&6.into(), &1.into()), "{restart:#}");
    assert_eq!(restart["failed"], 3, "{restart:#}");
    let page =
        medic.get("/apps/shop/categories/availability-and-performance/detectors/web-app-restarted").body;
    assert!(page.contains("6 streams and 1 tunnel ended during 1 restart"), "{page}");
    assert!(!page.contains("No requests failed"), "{page}");
    until_open(&medic, "nothing open at the new worker", |open| open["streams"]["count"] == 0);
}
