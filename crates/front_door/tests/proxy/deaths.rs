//! What a worker's death costs, and that it is told.

use front_door::Death;
use std::sync::Arc;
use std::time::Duration;

use front_door::FrontDoorSettings;
use model::crash::{Crash, InFlightRequest, RequestEvidence};

use crate::support::{StillClock, Wire, ask_often, door, open_at, route, settings, soon, workers};

fn request(method: &str, path: &str, age_ms: u64, evidence: RequestEvidence) -> InFlightRequest {
    InFlightRequest { method: method.to_owned(), path: path.to_owned(), age_ms, evidence }
}

#[tokio::test]
async fn requests_in_flight_get_502_at_once_and_are_told_once() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(FrontDoorSettings { retries: false, ..settings() }, &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    ask_often(&door, &worker, "/orders/17").await;
    ask_often(&door, &worker, "/users/grace@example.org/mails").await;
    let mut clients = Vec::new();
    let mut upstreams = Vec::new();
    for (method, path) in
        [("POST", "/orders/4711?card=4111111111111111"), ("GET", "/users/ada@example.org/mails")]
    {
        let mut client = Wire::connect(&door).await;
        client.ask(method, path).await;
        clients.push(client);
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstreams.push(upstream);
        clock.forward(Duration::from_secs(5));
    }
    // the worker's sockets are still open: a debugger may hold it
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!(affected.count, 2);
    assert_eq!(
        affected.requests,
        [
            request("POST", "/orders/*", 10_000, RequestEvidence::InFlight),
            request("GET", "/users/*/mails", 5_000, RequestEvidence::InFlight)
        ]
    );
    for client in &mut clients {
        let (status, body) = client.answered().await;
        assert_eq!((status, body.starts_with(b"502 Bad Gateway")), (502, true));
    }
    assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 0);
    assert_eq!(door.in_flight(&worker.id), 0);
    // and it gets no new ones
    let [replacement] = workers().await;
    clients[0].ask("GET", "/after").await;
    route(&door, [&replacement]);
    assert!(replacement.accept().await.head().await.starts_with("GET /after "));
}

#[tokio::test]
async fn connections_that_broke_a_moment_before_are_among_the_affected_requests() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker, other] = workers().await;
    route(&door, [&worker]);
    ask_often(&door, &worker, "/broke").await;
    for (pause, count) in [(Duration::from_secs(1), 1), (Duration::from_secs(3), 0)] {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/broke").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        drop(upstream);
        assert_eq!(client.answered().await.0, 502);
        clock.forward(pause);
        // the server may have routed around it already
        route(&door, [&other]);
        let affected = door.worker_died(&worker.id, Death::Killed).await;
        assert_eq!(affected.count, count, "after {pause:?}");
        assert_eq!(
            affected.requests,
            vec![request("GET", "/broke", 0, RequestEvidence::Closed); count as usize]
        );
        assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 0);
        route(&door, [&worker]);
    }
}

#[tokio::test]
async fn what_came_between_two_tellings_is_told_by_the_second() {
    let (door, [worker]) = door().await;
    let mut first = Wire::connect(&door).await;
    first.ask("GET", "/first").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    first.answered().await;
    assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 0);
    assert_eq!(upstream.rest().await, b"", "its kept connections are closed");
}

#[tokio::test]
async fn affected_requests_are_all_counted_and_the_newest_listed() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    let all = Crash::IN_FLIGHT_KEPT + 5;
    let mut held = Vec::new();
    for _ in 0..all {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        held.push((client, upstream));
        clock.forward(Duration::from_millis(10));
    }
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!(affected.count as usize, all);
    assert_eq!(affected.requests.len(), Crash::IN_FLIGHT_KEPT);
    assert_eq!(affected.requests[0].age_ms, Crash::IN_FLIGHT_KEPT as u64 * 10);
    assert!(affected.requests.is_sorted_by(|older, newer| older.age_ms > newer.age_ms));
}

#[tokio::test]
async fn an_answer_that_had_begun_is_cut_so_that_the_client_sees_it() {
    for told in [true, false] {
        let (door, [worker]) = door().await;
        for framing in ["content-length: 100", "transfer-encoding: chunked"] {
            let mut client = Wire::connect(&door).await;
            client.ask("GET", "/").await;
            let mut upstream = worker.accept().await;
            upstream.head().await;
            upstream.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n")).await;
            client.head().await;
            client.take(1).await;
            if told {
                assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 1);
                route(&door, [&worker]);
            } else {
                upstream.reset();
            }
            let rest = client.rest().await;
            assert!(rest.len() < 10 && !rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
            crate::support::until(|| door.in_flight(&worker.id) == 0).await;
        }
        let left = if told { 0 } else { 2 };
        assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, left);
    }
}

#[tokio::test]
async fn a_request_that_waits_is_no_casualty() {
    let (door, [mut worker]) = door().await;
    worker.refuse();
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/waits").await;
    let mut other = Wire::connect(&door).await;
    other.send("GET / HTTP/1.1\r\n\r\n").await;
    other.head().await;
    assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 0);
    let [replacement] = workers().await;
    route(&door, [&replacement]);
    let mut upstream = replacement.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

/// Where a worker's connection breaks.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Point {
    Accepted,
    PartOfTheHead,
    Head,
    PartOfTheBody,
    Body,
    PartOfTheAnswersHead,
    AnswersHead,
    PartOfTheAnswersBody,
}

const POINTS: [Point; 8] = [
    Point::Accepted,
    Point::PartOfTheHead,
    Point::Head,
    Point::PartOfTheBody,
    Point::Body,
    Point::PartOfTheAnswersHead,
    Point::AnswersHead,
    Point::PartOfTheAnswersBody,
];

/// Behaves like a worker up to `point`.
async fn behave(upstream: &mut Wire, point: Point) {
    match point {
        // the request lies unread in the worker's socket
        Point::Accepted => drop(soon(upstream.socket.peek(&mut [0])).await.unwrap()),
        Point::PartOfTheHead => drop(upstream.take(7).await),
        _ => drop(upstream.head().await),
    }
    if point >= Point::PartOfTheBody {
        upstream.take(if point == Point::PartOfTheBody { 2 } else { 4 }).await;
    }
    match point {
        Point::PartOfTheAnswersHead => upstream.send("HTTP/1.1 200 OK\r\ncontent-le").await,
        Point::AnswersHead => upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await,
        Point::PartOfTheAnswersBody => upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nok").await,
        _ => {}
    }
}

#[tokio::test]
async fn a_post_reaches_a_worker_at_most_once_wherever_the_connection_breaks() {
    for point in POINTS {
        for reset in [false, true] {
            let (door, [first, second]) = door().await;
            route(&door, [&first]);
            let mut client = Wire::connect(&door).await;
            client.send("POST /pay HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n1 EU").await;
            let mut upstream = first.accept().await;
            // from here on another worker could be given the request
            route(&door, [&first, &second]);
            behave(&mut upstream, point).await;
            upstream.end(reset);
            let answer = client.try_head().await;
            if point < Point::AnswersHead {
                let head = answer.unwrap_or_else(|| panic!("an answer at {point:?}"));
                assert_eq!(crate::support::status(&head), 502, "{point:?}");
            } else {
                assert!(
                    client.rest().await.len() < 4,
                    "{point:?}: the client sees that the answer is not whole"
                );
            }
            // neither worker hears of it again: the first thing that each gets is a later request
            for worker in [&first, &second] {
                route(&door, [worker]);
                let mut later = Wire::connect(&door).await;
                later.ask("GET", "/later").await;
                assert!(worker.accept().await.head().await.starts_with("GET /later "), "{point:?}");
            }
        }
    }
}
