//! Workers that answer nobody, and clients that give up.

use std::sync::Arc;
use std::time::Duration;

use front_door::{FrontDoor, FrontDoorSettings, Limits};
use model::auto_heal::Unanswered;

use crate::support::{StillClock, Wire, Worker, header, open_at, route, settings, until, workers};

async fn doors() -> (FrontDoor, [Worker; 2], Arc<StillClock>) {
    let clock = Arc::new(StillClock::default());
    let (door, workers) = (open_at(settings(), &clock), workers().await);
    (door, workers, clock)
}

/// A client asks, and gives up once the request is at the worker.
async fn gives_up(door: &FrontDoor, worker: &Worker) {
    let mut client = Wire::connect(door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    drop(client);
    upstream.rest().await;
    until(|| door.in_flight(&worker.id) == 0).await;
}

/// A client asks and is answered by `worker`.
async fn is_answered(door: &FrontDoor, worker: &Worker, headers: &str) -> String {
    let mut client = Wire::connect(door).await;
    client.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n")).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    let head = client.head().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    head
}

async fn unanswered(door: &FrontDoor, worker: &Worker) -> Unanswered {
    let tallies = door.tallies().await;
    tallies.iter().find(|(id, _)| *id == worker.id).expect("routed").1.unanswered
}

#[tokio::test]
async fn a_worker_that_answers_nobody_is_only_tried_until_a_byte_comes() {
    let (door, [silent, other], clock) = doors().await;
    route(&door, [&silent]);
    for _ in 0..3 {
        gives_up(&door, &silent).await;
    }
    route(&door, [&silent, &other]);
    for _ in 0..10 {
        is_answered(&door, &other, "").await;
    }
    clock.forward(Duration::from_secs(10));
    gives_up(&door, &silent).await;
    for _ in 0..3 {
        is_answered(&door, &other, "").await;
    }
    clock.forward(Duration::from_secs(10));
    is_answered(&door, &silent, "").await;
    // both are equals again
    let mut upstreams = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        clients.push(client);
    }
    for worker in [&silent, &other] {
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstreams.push(upstream);
    }
}

#[tokio::test]
async fn its_own_clients_go_elsewhere_meanwhile() {
    let (door, [silent, other], clock) = doors().await;
    route(&door, [&silent, &other]);
    let cookie = loop {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let (worker, mut upstream) = tokio::select! {
            upstream = silent.accept() => (&silent, upstream),
            upstream = other.accept() => (&other, upstream),
        };
        upstream.head().await;
        upstream.send("HTTP/1.1 204 X\r\nconnection: close\r\n\r\n").await;
        let head = client.head().await;
        until(|| door.in_flight(&worker.id) == 0).await;
        if worker.id == silent.id {
            let cookie = header(&head, "set-cookie").expect("the instance's cookie");
            break format!("cookie: {}\r\n", cookie.split(';').next().unwrap());
        }
    };
    is_answered(&door, &silent, &cookie).await;
    route(&door, [&silent]);
    for _ in 0..3 {
        gives_up(&door, &silent).await;
    }
    route(&door, [&silent, &other]);
    for _ in 0..3 {
        let head = is_answered(&door, &other, &cookie).await;
        assert!(header(&head, "set-cookie").is_some(), "the client is told where it is now");
    }
    clock.forward(Duration::from_secs(10));
    is_answered(&door, &silent, &cookie).await;
    is_answered(&door, &silent, &cookie).await;
}

#[tokio::test]
async fn requests_that_wait_for_ten_seconds_count_before_they_are_given_up() {
    let clock = Arc::new(StillClock::default());
    let limits = Limits { idle: Duration::from_secs(1), ..Limits::default() };
    let door = open_at(FrontDoorSettings { limits, ..settings() }, &clock);
    let [silent, other] = workers().await;
    route(&door, [&silent]);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let mut upstream = silent.accept().await;
        upstream.head().await;
        held.push((client, upstream));
    }
    assert_eq!(unanswered(&door, &silent).await.waiting, 3);
    // the other has more to do, and nobody waits for long yet
    route(&door, [&other]);
    for _ in 0..4 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let mut upstream = other.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n").await;
        client.head().await;
        held.push((client, upstream));
    }
    route(&door, [&silent, &other]);
    clock.forward(Duration::from_secs(10));
    // an idle connection is cut in the thread's second look at it, so by then it has looked at the requests too
    Wire::connect(&door).await.rest().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    other.accept().await.head().await;
}

#[tokio::test]
async fn what_is_not_answered_is_told_apart() {
    let (door, [worker, _], clock) = doors().await;
    route(&door, [&worker]);
    gives_up(&door, &worker).await;
    let mut old = Wire::connect(&door).await;
    old.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    clock.forward(Duration::from_secs(200));
    let seen = unanswered(&door, &worker).await;
    assert_eq!(seen, Unanswered { given_up: 1, waiting: 1, heard: false });
    drop(old);
    upstream.rest().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(unanswered(&door, &worker).await, Unanswered { given_up: 1, ..Unanswered::default() });

    // a byte came before the client went away
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").await;
    client.head().await;
    assert_eq!(unanswered(&door, &worker).await, Unanswered { heard: true, ..Unanswered::default() });
    drop(client);
    upstream.rest().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(unanswered(&door, &worker).await, Unanswered::default());

    // the client owes the rest of the body: it is not the worker that lets it wait
    let mut client = Wire::connect(&door).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.take(4).await;
    assert_eq!(unanswered(&door, &worker).await.waiting, 0);
    client.reset();
    upstream.rest().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(unanswered(&door, &worker).await, Unanswered::default());
}
