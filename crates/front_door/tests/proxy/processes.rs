//! Workers that are several processes, of which one dies: what it had read is not given to another, and what it had not read is.

use std::sync::Arc;
use std::time::Duration;

use front_door::{Death, FrontDoor};
use model::Clock;
use model::crash::{AffectedRequests, RequestEvidence};
use model::process_connections::ProcessConnections;

use crate::support::{StillClock, Wire, Worker, door, open_at, route, settings, soon, workers};

const LONG_AGO: Duration = Duration::from_secs(1);

/// A client whose connection has led to one to the worker, which is kept.
async fn with_kept_connection(door: &FrontDoor, worker: &Worker) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.ask("GET", "/first").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    client.answered().await;
    (client, upstream)
}

async fn asks(door: &FrontDoor, request: &str) -> Wire {
    let mut client = Wire::connect(door).await;
    client.send(request).await;
    client
}

/// What the debugger sees of these connections at the worker's end: so much is unread.
fn connections(clock: &StillClock, unread: &[(&Wire, usize)]) -> ProcessConnections {
    let of = |(wire, unread): &(&Wire, usize)| {
        (wire.socket.peer_addr().unwrap().port(), u32::try_from(*unread).unwrap())
    };
    ProcessConnections {
        stopped_us: u64::try_from(clock.monotonic().as_micros()).unwrap(),
        unread: unread.iter().map(of).collect(),
        read: Vec::new(),
    }
}

/// How much of a request lies unread at the worker's end, once all of it is there.
async fn unread(upstream: &Wire, end: &str) -> usize {
    let mut seen = vec![0; 128 * 1024];
    loop {
        let length = soon(upstream.socket.peek(&mut seen)).await.unwrap();
        if seen[..length].ends_with(end.as_bytes()) {
            return length;
        }
        tokio::task::yield_now().await;
    }
}

/// The next thing that the worker hears of is a later request.
async fn nothing_came_to(door: &FrontDoor, worker: &Worker) {
    let mut later = Wire::connect(door).await;
    later.ask("GET", "/later").await;
    assert!(worker.accept().await.head().await.starts_with("GET /later "));
}

#[tokio::test]
async fn a_get_that_a_dead_process_had_read_is_not_given_to_another() {
    for kept in [true, false] {
        let (door, [worker]) = door().await;
        let (mut client, mut upstream) = if kept {
            let (mut client, upstream) = with_kept_connection(&door, &worker).await;
            client.ask("GET", "/kills").await;
            (client, upstream)
        } else {
            (asks(&door, "GET /kills HTTP/1.1\r\nhost: x\r\n\r\n").await, worker.accept().await)
        };
        assert!(upstream.head().await.starts_with("GET /kills "));
        drop(upstream);
        let affected = door.process_died(&worker.id, Death::ByItself, None).await;
        assert_eq!(affected.count, 1, "kept: {kept}");
        assert_eq!(affected.requests[0].evidence, RequestEvidence::Closed);
        assert_eq!(affected.suspect.as_ref(), affected.requests.last());
        assert_eq!(client.answered().await.0, 502);
        assert_eq!(
            door.process_died(&worker.id, Death::ByItself, None).await,
            AffectedRequests::default(),
            "it is told once"
        );
        nothing_came_to(&door, &worker).await;
    }
}

#[tokio::test]
async fn a_post_that_a_dead_process_had_read_is_told_although_it_is_answered_already() {
    let (door, [worker]) = door().await;
    let mut client = asks(&door, "POST /pay HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n1 EU").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.take(4).await;
    drop(upstream);
    assert_eq!(client.answered().await.0, 502);
    let affected = door.process_died(&worker.id, Death::ByItself, None).await;
    assert_eq!((affected.count, &*affected.suspect.unwrap().method), (1, "POST"));
}

#[tokio::test]
async fn what_nobody_has_read_goes_to_another_process_if_it_is_a_get() {
    for told in [true, false] {
        for (method, again) in [("GET", true), ("HEAD", true), ("POST", false)] {
            let (door, [worker]) = door().await;
            let mut client = Wire::connect(&door).await;
            client.ask(method, "/waits").await;
            let upstream = worker.accept().await;
            drop(upstream);
            if told {
                let affected = door.process_died(&worker.id, Death::ByItself, None).await;
                assert_eq!(affected, AffectedRequests::default(), "{method} was not its own");
            }
            if again {
                let mut upstream = worker.accept().await;
                assert!(upstream.head().await.starts_with(&format!("{method} /waits ")));
                upstream.answer(200, b"").await;
            }
            assert_eq!(client.answered().await.0, if again { 200 } else { 502 }, "{method}");
            assert_eq!(door.in_flight(&worker.id), 0);
        }
    }
}

#[tokio::test]
async fn by_its_sockets_it_is_known_what_a_process_had_read() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let mut elsewhere = asks(&door, "GET /elsewhere HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut of_sibling = worker.accept().await;
    of_sibling.head().await;
    let mut killing = asks(&door, "DELETE /kills HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut read = worker.accept().await;
    read.head().await;
    let mut partly = asks(&door, "POST /partly HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc").await;
    let mut read_in_part = worker.accept().await;
    read_in_part.take(1).await;
    let left = unread(&read_in_part, "\r\n\r\nabc").await;
    let mut posting = asks(&door, "POST /waits HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await;
    let not_read = worker.accept().await;
    let all = unread(&not_read, "\r\n\r\nhello").await;
    // the process stands still: its connections are open
    let affected = door
        .process_died(
            &worker.id,
            Death::ByItself,
            Some(connections(&clock, &[(&read, 0), (&read_in_part, left), (&not_read, all)])),
        )
        .await;
    assert_eq!(affected.count, 2, "{affected:?}");
    assert!(affected.requests.iter().all(|request| request.evidence == RequestEvidence::Read));
    assert_eq!(killing.answered().await.0, 502);
    assert_eq!(partly.answered().await.0, 502);
    let mut sibling = worker.accept().await;
    let head = sibling.head().await;
    assert!(head.starts_with("POST /waits "), "{head}");
    assert_eq!(sibling.body_of(&head).await, b"hello");
    sibling.answer(201, b"").await;
    assert_eq!(posting.answered().await.0, 201);
    of_sibling.answer(200, b"").await;
    assert_eq!(elsewhere.answered().await.0, 200, "of another process");
    assert_eq!(door.in_flight(&worker.id), 0);
}

#[tokio::test]
async fn kept_connections_to_a_process_that_dies_are_used_no_more() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let (mut client, mut upstream) = with_kept_connection(&door, &worker).await;
    let told = connections(&clock, &[(&upstream, 0)]);
    assert_eq!(door.process_died(&worker.id, Death::ByItself, Some(told)).await, AffectedRequests::default());
    client.ask("GET", "/next").await;
    assert!(worker.accept().await.head().await.starts_with("GET /next "));
    assert_eq!(upstream.rest().await, b"");
}

#[tokio::test]
async fn what_was_sent_to_a_process_that_stood_still_already_was_not_read() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let (mut client, mut upstream) = with_kept_connection(&door, &worker).await;
    let told = connections(&clock, &[(&upstream, 0)]);
    clock.forward(Duration::from_millis(1));
    client.send("POST /late HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok").await;
    upstream.head().await;
    assert_eq!(door.process_died(&worker.id, Death::ByItself, Some(told)).await, AffectedRequests::default());
    let mut sibling = worker.accept().await;
    let head = sibling.head().await;
    assert_eq!(sibling.body_of(&head).await, b"ok");
    sibling.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

/// It was there before the process stood still, but was sent only afterwards.
#[tokio::test]
async fn of_a_kept_connection_only_what_was_read_beyond_the_requests_before_counts() {
    for (beyond, again) in [(0, true), (1, false)] {
        let clock = Arc::new(StillClock::default());
        let (door, [worker]) = (open_at(settings(), &clock), workers().await);
        route(&door, [&worker]);
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/first").await;
        let mut upstream = worker.accept().await;
        let first = unread(&upstream, "\r\n\r\n").await;
        upstream.head().await;
        upstream.answer(200, b"").await;
        client.answered().await;
        client.ask("GET", "/second").await;
        unread(&upstream, "\r\n\r\n").await;
        let port = upstream.socket.peer_addr().unwrap().port();
        let read = vec![(port, first as u64 + beyond)];
        let told = ProcessConnections { read, ..connections(&clock, &[(&upstream, 0)]) };
        let affected = door.process_died(&worker.id, Death::ByItself, Some(told)).await;
        assert_eq!(affected.count, u32::from(!again));
        if again {
            let mut sibling = worker.accept().await;
            assert!(sibling.head().await.starts_with("GET /second "));
            sibling.answer(200, b"").await;
        }
        assert_eq!(client.answered().await.0, if again { 200 } else { 502 });
    }
}

#[tokio::test]
async fn a_connection_that_was_opened_later_is_another_with_the_same_port() {
    let clock = Arc::new(StillClock::default());
    clock.forward(LONG_AGO);
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let mut client = asks(&door, "POST /new HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    let told = ProcessConnections { stopped_us: 1, ..connections(&clock, &[(&upstream, 0)]) };
    assert_eq!(door.process_died(&worker.id, Death::ByItself, Some(told)).await, AffectedRequests::default());
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn a_body_is_held_up_to_64_kib() {
    for (length, again) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
        let clock = Arc::new(StillClock::default());
        let (door, [worker]) = (open_at(settings(), &clock), workers().await);
        route(&door, [&worker]);
        let body = "x".repeat(length - 1) + "y";
        let request = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}");
        let mut client = asks(&door, &request).await;
        let upstream = worker.accept().await;
        let all = unread(&upstream, "xy").await;
        let told = connections(&clock, &[(&upstream, all)]);
        door.process_died(&worker.id, Death::ByItself, Some(told)).await;
        if again {
            let mut sibling = worker.accept().await;
            let head = sibling.head().await;
            assert_eq!(sibling.body_of(&head).await, body.as_bytes());
            sibling.answer(200, b"").await;
        }
        assert_eq!(client.answered().await.0, if again { 200 } else { 502 }, "{length}");
    }
}

/// Its client is still sending when the process dies: what is held goes first, and the rest as it comes.
#[tokio::test]
async fn a_body_that_is_still_coming_goes_on_at_the_other_process() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let mut client =
        asks(&door, "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await;
    let upstream = worker.accept().await;
    let all = unread(&upstream, "3\r\none\r\n").await;
    let told = connections(&clock, &[(&upstream, all)]);
    door.process_died(&worker.id, Death::ByItself, Some(told)).await;
    let mut sibling = worker.accept().await;
    sibling.head().await;
    assert_eq!(sibling.take(8).await, b"3\r\none\r\n");
    client.send("3\r\ntwo\r\n0\r\n\r\n").await;
    assert_eq!(sibling.take(13).await, b"3\r\ntwo\r\n0\r\n\r\n");
    sibling.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn of_several_that_it_had_read_those_that_began_long_before_the_newest_go_on() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let (mut clients, mut upstreams) = (Vec::new(), Vec::new());
    for (path, later) in [("/old", 0), ("/recent", 1_000), ("/newest", 50)] {
        clock.forward(Duration::from_millis(later));
        let mut client = Wire::connect(&door).await;
        client.ask("GET", path).await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        clients.push(client);
        upstreams.push(upstream);
    }
    let held: Vec<_> = upstreams.iter().map(|upstream| (upstream, 0)).collect();
    let told = connections(&clock, &held);
    let affected = door.process_died(&worker.id, Death::ByItself, Some(told)).await;
    assert_eq!((affected.count, affected.suspect.unwrap().age_ms), (3, 0));
    let mut sibling = worker.accept().await;
    assert!(sibling.head().await.starts_with("GET /old "));
    sibling.answer(200, b"").await;
    for (client, expected) in clients.iter_mut().zip([200, 502, 502]) {
        assert_eq!(client.answered().await.0, expected);
    }
    let mut later = Wire::connect(&door).await;
    later.ask("GET", "/later").await;
    assert!(sibling.head().await.starts_with("GET /later "), "over the kept connection");
}

/// A worker that dies whole: the newest that it had read is the suspect, though a newer one was under way.
#[tokio::test]
async fn a_worker_that_stands_still_is_blamed_on_what_it_had_read_and_the_rest_goes_on() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker, other]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let mut killing = asks(&door, "GET /kills HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut read = worker.accept().await;
    read.head().await;
    clock.forward(LONG_AGO);
    let mut posting = asks(&door, "POST /waits HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await;
    let not_read = worker.accept().await;
    let all = unread(&not_read, "\r\n\r\nhello").await;
    route(&door, [&worker, &other]);
    let told = connections(&clock, &[(&read, 0), (&not_read, all)]);
    let affected = door.worker_crashes(&worker.id, Death::ByItself, Some(told)).await;
    assert_eq!((affected.count, affected.failed), (1, 1));
    assert_eq!(affected.suspect.unwrap().evidence, RequestEvidence::Read);
    assert_eq!(killing.answered().await.0, 502);
    let mut replacement = other.accept().await;
    let head = replacement.head().await;
    assert!(head.starts_with("POST /waits "));
    assert_eq!(replacement.body_of(&head).await, b"hello");
    replacement.answer(200, b"").await;
    assert_eq!(posting.answered().await.0, 200);
}

/// However far it is on its way through the kernel and the front door.
#[tokio::test]
async fn what_a_process_had_answered_before_its_death_arrives_and_is_no_request_of_the_crash() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    for round in 0..200 {
        let method = ["GET", "POST"][round % 2];
        let mut client = Wire::connect(&door).await;
        client.ask(method, "/").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        let told = connections(&clock, &[(&upstream, 0)]);
        upstream.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\ndone").await;
        let affected = door.process_died(&worker.id, Death::ByItself, Some(told)).await;
        assert_eq!(affected, AffectedRequests::default(), "round {round}");
        assert_eq!(client.answered().await, (200, b"done".to_vec()), "round {round}");
    }
}

/// Its answer's end may still be in the kernel of the process's side, which sends it after the death.
#[tokio::test]
async fn an_answer_that_has_begun_is_no_reason_before_one_that_has_not_and_comes_through() {
    let clock = Arc::new(StillClock::default());
    let (door, [worker]) = (open_at(settings(), &clock), workers().await);
    route(&door, [&worker]);
    let mut killing = asks(&door, "GET /kills HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut read = worker.accept().await;
    read.head().await;
    clock.forward(LONG_AGO);
    let mut client = asks(&door, "GET /begun HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut begun = worker.accept().await;
    begun.head().await;
    begun.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await;
    client.head().await;
    let told = connections(&clock, &[(&read, 0), (&begun, 0)]);
    let affected = door.process_died(&worker.id, Death::ByItself, Some(told)).await;
    assert_eq!((affected.count, affected.suspect.unwrap().age_ms), (2, 1_000));
    assert_eq!(killing.answered().await.0, 502);
    begun.send("done").await;
    assert_eq!(client.take(4).await, b"done");
}
