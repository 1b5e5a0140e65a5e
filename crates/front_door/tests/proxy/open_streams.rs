//! Answers that last are counted as streams, not as slow requests; a worker that stalls in the middle of a body is slow.

use std::sync::Arc;
use std::time::Duration;

use front_door::{Death, FrontDoor};
use model::WorkerId;
use model::auto_heal::{Tallies, Tally, Watch, percent_request};
use model::requests::RequestMinute;
use model::streams::{OpenCount, OpenStreams};

use crate::support::{
    StillClock, Wire, Worker, open_at, route, settings, soon, stands_still, until, workers,
};

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNK: &str = "5\r\nhello\r\n";

/// A front door with one worker, a clock that is moved, and a watch for slow requests.
async fn watched() -> (FrontDoor, Worker, Arc<StillClock>) {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    door.watch(1, vec![slow()]);
    (door, worker, clock)
}

fn slow() -> Watch {
    Watch { statuses: None, at_least: percent_request::SLOW, path: None, except: Vec::new() }
}

async fn asked(door: &FrontDoor, worker: &Worker, path: &str) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.ask("GET", path).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    (client, upstream)
}

/// An answer whose head has come, and nothing of its body.
async fn begun(door: &FrontDoor, worker: &Worker, head: &str) -> (Wire, Wire) {
    let (mut client, mut upstream) = asked(door, worker, "/").await;
    upstream.send(head).await;
    client.head().await;
    // whatever its thread was at is done before this is answered
    tallies(door).await;
    (client, upstream)
}

async fn passes(door: &FrontDoor, (client, upstream): &mut (Wire, Wire)) {
    upstream.send(CHUNK).await;
    assert_eq!(client.take(CHUNK.len()).await, CHUNK.as_bytes());
    tallies(door).await;
}

async fn tallies(door: &FrontDoor) -> Tallies {
    let [(_, tallies)] = &door.tallies().await[..] else { panic!("one worker") };
    tallies.clone()
}

/// Requests that run and that are slow among them, and streams.
async fn seen(door: &FrontDoor) -> (u64, u64, OpenCount) {
    let Tallies { total, of_watch, open, .. } = tallies(door).await;
    (total.running, of_watch[0].running, open.streams)
}

const fn open(count: u64, seconds: u64) -> OpenCount {
    OpenCount { count, oldest_ms: seconds * 1_000 }
}

fn ended(rows: &[RequestMinute]) -> u64 {
    rows.iter().flat_map(|row| row.by_class).sum()
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn event_streams_are_streams_from_their_head_on_however_long_they_pause() {
    let (door, worker, clock) = watched().await;
    let mut streams = Vec::new();
    for _ in 0..6 {
        let (mut client, mut upstream) = asked(&door, &worker, "/events").await;
        clock.forward(seconds(1));
        upstream.send(EVENTS).await;
        client.head().await;
        streams.push((client, upstream));
    }
    let Tallies { total, of_watch, open: lasting, unanswered, .. } = tallies(&door).await;
    assert_eq!((total, of_watch[0]), (Tally { finished: 6, ..Tally::default() }, Tally::default()));
    assert_eq!(lasting, OpenStreams { streams: open(6, 6), ..OpenStreams::default() });
    assert!(unanswered.heard);
    let rows = door.take_minutes().await;
    assert_eq!((ended(&rows), rows[0].most_in_flight), (6, 6));
    assert!(rows[0].latency.quantile(1.0).unwrap() < 1_200_000, "the time to the head");

    for quarter in 1..=10 {
        clock.forward(seconds(90));
        assert_eq!(seen(&door).await, (0, 0, open(6, 6 + quarter * 90)));
    }
    for stream in &mut streams {
        passes(&door, stream).await;
    }
    assert_eq!(door.in_flight(&worker.id), 6, "they are waited for when the worker is drained");
    drop(streams);
    until(|| door.in_flight(&worker.id) == 0).await;
    let Tallies { total, of_watch, open, .. } = tallies(&door).await;
    assert_eq!((total, of_watch[0], open), (Tally::default(), Tally::default(), OpenStreams::default()));
    assert_eq!(ended(&door.take_minutes().await), 0, "each is counted once");
}

#[tokio::test]
async fn a_chunked_answer_that_is_delivering_is_a_stream() {
    let (door, worker, clock) = watched().await;
    let mut answer = begun(&door, &worker, CHUNKED).await;
    assert_eq!(seen(&door).await, (1, 0, open(0, 0)), "most bodies are short");
    for turn in 1..=100 {
        clock.forward(seconds(5));
        passes(&door, &mut answer).await;
        let expected = if turn < 2 { (1, 0, open(0, 0)) } else { (0, 0, open(1, turn * 5)) };
        assert_eq!(seen(&door).await, expected, "turn {turn}");
    }
    let (mut client, mut upstream) = answer;
    upstream.send("0\r\n\r\n").await;
    client.take(5).await;
    until(|| door.in_flight(&worker.id) == 0).await;
    let Tallies { total, of_watch, .. } = tallies(&door).await;
    assert_eq!((total.finished, of_watch[0].finished), (1, 0));
    let rows = door.take_minutes().await;
    let latency = rows.last().unwrap().latency.quantile(1.0).unwrap();
    assert!((5_000_000..5_700_000).contains(&latency), "{latency} us is the longest pause");
}

#[tokio::test]
async fn a_worker_that_stalls_in_the_middle_of_a_body_is_slow() {
    let (door, worker, clock) = watched().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n5\r\nhello\r\n";
    let known_length = begun(&door, &worker, head).await;
    let mut chunked = begun(&door, &worker, CHUNKED).await;
    for turn in 1..=40 {
        clock.forward(seconds(5));
        passes(&door, &mut chunked).await;
        let (running, slow, _) = seen(&door).await;
        let stalled = if turn < 2 { 2 } else { 1 };
        assert_eq!((running, slow), (stalled, u64::from(turn >= 40)), "turn {turn}");
    }
    clock.forward(seconds(199));
    assert_eq!(seen(&door).await, (2, 1, open(0, 0)), "the other one has begun to stall");
    clock.forward(seconds(1));
    assert_eq!(seen(&door).await, (2, 2, open(0, 0)));
    passes(&door, &mut chunked).await;
    assert_eq!(seen(&door).await, (1, 1, open(1, 400)), "it goes on");
    drop((known_length, chunked));
    until(|| door.in_flight(&worker.id) == 0).await;
    let Tallies { total, of_watch, .. } = tallies(&door).await;
    assert_eq!(
        (total.finished, of_watch[0].finished),
        (2, 2),
        "when they end, it counts how long they stalled"
    );
}

#[tokio::test]
async fn a_long_download_to_a_slow_client_is_a_stream() {
    let (door, worker, clock) = watched().await;
    let length = 96 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
    let (mut client, upstream) = begun(&door, &worker, &head).await;
    let (sent, pouring) = crate::support::pour(upstream, length);
    stands_still(&sent).await;
    clock.forward(seconds(900));
    assert_eq!(seen(&door).await, (0, 0, open(1, 900)));
    client.swallow(length).await;
    soon(pouring).await.unwrap();
    until(|| door.in_flight(&worker.id) == 0).await;
    let Tallies { total, of_watch, .. } = tallies(&door).await;
    assert_eq!((total.finished, of_watch[0].finished), (1, 0));
}

#[tokio::test]
async fn a_stream_of_grpc_is_one_and_keeps_its_trailers() {
    let (door, worker, clock) = watched().await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web+proto\r\ntrailer: grpc-status, grpc-message\r\n\
                transfer-encoding: chunked\r\n\r\n";
    let mut client = Wire::connect(&door).await;
    client
        .send("POST /shop.Orders/Watch HTTP/1.1\r\nhost: x\r\nte: trailers\r\ncontent-length: 5\r\n\r\nhello")
        .await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.take(5).await;
    upstream.send(head).await;
    client.head().await;
    let mut call = (client, upstream);
    assert_eq!(seen(&door).await.2, open(1, 0), "before any message");
    passes(&door, &mut call).await;
    clock.forward(seconds(600));
    assert_eq!(seen(&door).await, (0, 0, open(1, 600)));
    passes(&door, &mut call).await;
    let (mut client, mut upstream) = call;
    upstream.send("0\r\ngrpc-status: 0\r\ngrpc-message: fine\r\n\r\n").await;
    assert_eq!(client.head().await, "0\r\ngrpc-status: 0\r\ngrpc-message: fine");
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(seen(&door).await, (0, 0, open(0, 0)));
}

#[tokio::test]
async fn a_slow_head_is_slow_whatever_comes_behind_it() {
    let (door, worker, clock) = watched().await;
    for head in [EVENTS, CHUNKED] {
        let (mut client, mut upstream) = asked(&door, &worker, "/").await;
        clock.forward(seconds(200));
        assert_eq!(seen(&door).await, (1, 1, open(0, 0)));
        upstream.send(format!("{head}{CHUNK}0\r\n\r\n")).await;
        client.head().await;
        client.take(CHUNK.len() + 5).await;
        until(|| door.in_flight(&worker.id) == 0).await;
        assert_eq!(tallies(&door).await.of_watch[0].finished, 1);
    }
}

/// Drained and failed requests, ended streams and tunnels.
async fn told(door: &FrontDoor, worker: &WorkerId) -> [u64; 4] {
    let affected = door.worker_died(worker, Death::Killed).await;
    [affected.drained, affected.failed, affected.streams_ended, affected.tunnels_ended]
}

async fn tunnel(door: &FrontDoor, worker: &Worker) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    client.head().await;
    (client, upstream)
}

#[tokio::test]
async fn a_restart_is_told_what_lasted_apart_from_what_failed() {
    let (door, worker, clock) = watched().await;
    let early = begun(&door, &worker, EVENTS).await;
    let early_tunnel = tunnel(&door, &worker).await;
    let kept: Vec<_> = [begun(&door, &worker, EVENTS).await, begun(&door, &worker, CHUNKED).await].into();
    let kept_tunnel = tunnel(&door, &worker).await;
    clock.forward(seconds(1));
    assert_eq!(tallies(&door).await.open.tunnels, open(2, 1));
    let request = asked(&door, &worker, "/").await;
    let stalled = begun(&door, &worker, CHUNKED).await;
    clock.forward(seconds(8));
    // the chunked one goes on, so that it does not stall
    let mut kept = kept;
    passes(&door, &mut kept[1]).await;
    clock.forward(seconds(2));
    route(&door, []);
    for (mut client, mut upstream) in [early] {
        upstream.send("0\r\n\r\n").await;
        client.take(5).await;
    }
    drop(early_tunnel.1);
    drop(early_tunnel.0);
    until(|| door.in_flight(&worker.id) == 5).await;
    door.worker_ends(&worker.id);
    // one ends as it should, as an app does that is asked to end; the others are cut
    let cut = kept.pop().unwrap();
    let (mut client, mut upstream) = kept.pop().unwrap();
    upstream.send("0\r\n\r\n").await;
    client.take(5).await;
    cut.1.reset();
    stalled.1.reset();
    drop(kept_tunnel.1);
    drop(kept_tunnel.0);
    let (mut client, mut upstream) = request;
    upstream.answer(200, b"").await;
    client.answered().await;
    until(|| door.is_drained(&worker.id)).await;
    assert_eq!(told(&door, &worker.id).await, [3, 1, 2, 1], "what stalled has failed");
    assert_eq!(told(&door, &worker.id).await, [0; 4], "each is told once");
}

#[tokio::test]
async fn what_dies_with_its_worker_is_told_apart_too() {
    let (door, worker, clock) = watched().await;
    let _streams = [begun(&door, &worker, EVENTS).await, begun(&door, &worker, EVENTS).await];
    let _tunnel = tunnel(&door, &worker).await;
    let _stalled = begun(&door, &worker, CHUNKED).await;
    clock.forward(seconds(20));
    let _request = asked(&door, &worker, "/").await;
    route(&door, []);
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!((affected.count, affected.failed), (5, 2));
    assert_eq!((affected.streams_ended, affected.tunnels_ended), (2, 1));
}
