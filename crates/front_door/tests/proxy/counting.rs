//! What is counted per instance and minute.

use std::sync::Arc;
use std::time::Duration;

use front_door::FrontDoorSettings;
use model::requests::RequestMinute;

use crate::support::{StillClock, Wire, open, open_at, open_on, route, settings, until, workers};

fn requests(rows: &[RequestMinute]) -> u64 {
    rows.iter().flat_map(|row| row.by_class).sum()
}

#[tokio::test]
async fn answers_count_by_class_in_the_minute_of_their_end() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    for (status, took_ms) in [(200, 10), (304, 20), (404, 30), (500, 40), (201, 60_000)] {
        upstream.head().await;
        clock.forward(Duration::from_millis(took_ms));
        upstream.answer(status, b"").await;
        client.answered().await;
        client.ask("GET", "/").await;
    }
    upstream.head().await;
    let rows = door.take_minutes().await;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].place, worker.id.place);
    assert_eq!(rows[0].minute.to_string(), "2026-01-31T08:15:00.000Z");
    assert_eq!(rows[0].by_class, [0, 1, 1, 1, 1]);
    assert_eq!(rows[0].latency.count(), 4);
    assert!((40_000..45_000).contains(&rows[0].latency.quantile(1.0).unwrap()));
    assert_eq!(rows[0].most_in_flight, 1);
    assert_eq!(rows[1].minute.to_string(), "2026-01-31T08:16:00.000Z");
    assert_eq!(rows[1].by_class, [0, 1, 0, 0, 0]);
    assert_eq!(requests(&door.take_minutes().await), 0, "each is told once");
}

#[tokio::test]
async fn the_most_in_flight_is_known_before_they_end() {
    let door = open(settings());
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        held.push((client, upstream));
    }
    let rows = door.take_minutes().await;
    assert_eq!((requests(&rows), rows[0].most_in_flight), (0, 3));
}

#[tokio::test]
async fn what_the_front_door_answers_counts_too() {
    let door = open(FrontDoorSettings { wait: Duration::from_millis(10), ..settings() });
    let [_, worker] = workers().await;
    route(&door, [&worker]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    worker.accept().await.head().await;
    assert_eq!(client.answered().await.0, 502);
    door.route(Vec::new());
    client.ask("GET", "/").await;
    assert_eq!(client.answered().await.0, 503);
    client.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answered().await.0, 400);
    let rows = door.take_minutes().await;
    assert_eq!(rows.len(), 1, "those that no worker took are the last routed instance's");
    assert_eq!((rows[0].place.instance, rows[0].by_class), (1, [0, 0, 0, 1, 2]));
}

#[tokio::test]
async fn a_client_that_went_away_counts_like_nginxs_499() {
    let door = open(settings());
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    client.reset();
    upstream.rest().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(door.take_minutes().await[0].by_class, [0, 0, 0, 1, 0]);
}

#[tokio::test]
async fn a_tunnel_counts_when_it_is_opened() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut client = Wire::connect(&door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    client.head().await;
    clock.forward(Duration::from_hours(1));
    let rows = door.take_minutes().await;
    assert_eq!(rows[0].by_class, [1, 0, 0, 0, 0]);
    assert_eq!(rows[0].latency.quantile(1.0), Some(0), "the time it stays open is no latency");
    drop((client, upstream));
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(requests(&door.take_minutes().await), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_or_counted_twice_among_many_threads() {
    let door = Arc::new(open_on(4));
    let workers: [crate::support::Worker; 3] = workers().await;
    let targets = workers.map(crate::support::Worker::serve);
    door.route(targets.to_vec());
    let clients = (0..32).map(|number| {
        let door = Arc::clone(&door);
        tokio::spawn(async move {
            let mut client = Wire::connect(&door).await;
            for n in 0..50 {
                let body = format!("{number}/{n}");
                client
                    .send(format!(
                        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    ))
                    .await;
                assert_eq!(client.answered().await, (200, body.into_bytes()));
            }
        })
    });
    let mut rows = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
        rows.extend(door.take_minutes().await);
    }
    assert_eq!(requests(&rows), 32 * 50);
    assert_eq!(rows.iter().map(|row| row.latency.count()).sum::<u64>(), 32 * 50);
    for target in &targets {
        assert_eq!(door.in_flight(&target.worker), 0);
        let of_it: Vec<_> = rows.iter().filter(|row| row.place == target.worker.place).cloned().collect();
        assert!(requests(&of_it) > 0);
        assert!(of_it.iter().all(|row| row.most_in_flight <= 32));
    }
}
