//! Requests that wait in a process which accepts connections, on their way to one that has died: what was taken back there is sent
//! again, whatever it is.

use std::sync::Arc;
use std::time::Duration;

use front_door::{Death, FrontDoor};
use model::crash::AffectedRequests;

use crate::support::{StillClock, Wire, door, open_at, route, settings, soon, workers};

const POST: &str = "POST /pay HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello";
const GET: &str = "GET /page HTTP/1.1\r\nhost: x\r\n\r\n";

async fn asks(door: &FrontDoor, request: &str) -> Wire {
    let mut client = Wire::connect(door).await;
    client.send(request).await;
    client
}

/// The front door's port of a connection.
fn port(upstream: &Wire) -> u16 {
    upstream.socket.peer_addr().unwrap().port()
}

/// All that came is thrown away, and the connection closed, as whoever takes a request back does.
async fn take(mut upstream: Wire) {
    let head = upstream.head().await;
    upstream.body_of(&head).await;
}

#[tokio::test]
async fn what_was_taken_back_is_sent_again_whatever_it_is() {
    for (request, told_first) in [(GET, true), (GET, false), (POST, true), (POST, false)] {
        let (door, [worker]) = door().await;
        let mut client = asks(&door, request).await;
        let mut upstream = worker.accept().await;
        assert_eq!(door.ask_back(&worker.id).await, [port(&upstream)]);
        let from = Some(port(&upstream));
        if told_first {
            door.taken_back(&worker.id, from);
            upstream.rest().await;
        } else {
            take(upstream).await;
            door.taken_back(&worker.id, from);
        }
        let mut again = worker.accept().await;
        let head = again.head().await;
        assert!(request.starts_with(head.lines().next().unwrap()), "{head}");
        assert_eq!(again.body_of(&head).await, if request == POST { &b"hello"[..] } else { b"" });
        again.answer(200, b"").await;
        assert_eq!(client.answered().await.0, 200, "{request:?}, told first: {told_first}");
        assert_eq!(door.in_flight(&worker.id), 0);
    }
}

#[tokio::test]
async fn what_was_not_taken_back_goes_on() {
    let (door, [worker]) = door().await;
    let mut taken = asks(&door, GET).await;
    let first = worker.accept().await;
    let mut client = asks(&door, POST).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    let mut asked = door.ask_back(&worker.id).await;
    asked.sort_unstable();
    let mut expected = [port(&first), port(&upstream)];
    expected.sort_unstable();
    assert_eq!(asked, expected);
    door.taken_back(&worker.id, Some(port(&first)));
    let mut again = worker.accept().await;
    again.head().await;
    again.answer(200, b"").await;
    assert_eq!(taken.answered().await.0, 200);
    upstream.answer(201, b"").await;
    assert_eq!(client.answered().await.0, 201);
}

#[tokio::test]
async fn what_is_being_answered_or_was_ended_is_not_asked_for() {
    let (door, [worker]) = door().await;
    let mut client = asks(&door, GET).await;
    let mut upstream = worker.accept().await;
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await;
    client.head().await;
    assert_eq!(door.ask_back(&worker.id).await, [] as [u16; 0]);
    let _posting = asks(&door, POST).await;
    drop(worker.accept().await);
    assert_eq!(door.ask_back(&worker.id).await, [] as [u16; 0]);
}

/// It is not asked for at first, since it may be on its way to a process that is only busy.
#[tokio::test]
async fn one_that_may_not_be_sent_again_ends_when_it_was_waited_for_for_long() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let length = 64 * 1024 + 1;
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    let mut client = asks(&door, &(head + &"x".repeat(length))).await;
    let upstream = worker.accept().await;
    let mut seen = vec![0; 256 * 1024];
    while soon(upstream.socket.peek(&mut seen)).await.unwrap() < length {}
    assert_eq!(door.ask_back(&worker.id).await, [] as [u16; 0]);
    clock.forward(Duration::from_secs(10));
    assert_eq!(door.ask_back(&worker.id).await, [port(&upstream)]);
    door.taken_back(&worker.id, Some(port(&upstream)));
    assert_eq!(client.answered().await.0, 502);
}

/// It was read by nobody, so it was not tried.
#[tokio::test]
async fn one_is_taken_back_as_often_as_it_must_be_also_after_its_second_try() {
    let (door, [worker]) = door().await;
    let mut client = asks(&door, GET).await;
    // not read, so that it is reset
    drop(worker.accept().await);
    for _ in 0..3 {
        let upstream = worker.accept().await;
        assert_eq!(door.ask_back(&worker.id).await, [port(&upstream)]);
        door.taken_back(&worker.id, Some(port(&upstream)));
    }
    let mut again = worker.accept().await;
    again.head().await;
    drop(again);
    assert_eq!(client.answered().await.0, 502, "it was tried twice");
}

/// Nothing was ever said over those that may wait for a process.
#[tokio::test]
async fn a_connection_that_was_used_before_is_not_asked_for() {
    let (door, [worker]) = door().await;
    let mut client = asks(&door, GET).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    client.answered().await;
    client.send(GET).await;
    upstream.head().await;
    assert_eq!(door.ask_back(&worker.id).await, [] as [u16; 0]);
}

/// How its connection ends says nothing while it is being asked for: whoever takes it back closes it, too.
#[tokio::test]
async fn what_was_taken_back_was_not_read_by_a_process_that_died_meanwhile() {
    let (door, [worker]) = door().await;
    let mut client = asks(&door, POST).await;
    let upstream = worker.accept().await;
    let asked = door.ask_back(&worker.id).await;
    take(upstream).await;
    assert_eq!(door.process_died(&worker.id, Death::ByItself, None).await, AffectedRequests::default());
    door.taken_back(&worker.id, asked.first().copied());
    let mut again = worker.accept().await;
    again.head().await;
    again.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}
