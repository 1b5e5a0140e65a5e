//! A worker that another has replaced finishes what it has, and that is told: what it finished, and what failed.

use front_door::{Death, FrontDoor};
use model::crash::AffectedRequests;

use crate::support::{Wire, Worker, door, route, status, until};

async fn ask(door: &FrontDoor, worker: &Worker, method: &str) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.ask(method, "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    (client, upstream)
}

async fn tunnel(door: &FrontDoor, worker: &Worker) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.send("GET /chat HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    assert_eq!(status(&client.head().await), 101);
    (client, upstream)
}

/// What became of them: drained, failed, and in flight at the end.
fn numbers(affected: &AffectedRequests) -> (u64, u64, u32) {
    (affected.drained, affected.failed, affected.count)
}

#[tokio::test]
async fn a_worker_is_drained_when_it_is_retired_and_has_nothing_left() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    assert!(!door.is_drained(&old.id), "it takes requests");
    assert!(door.is_drained(&new.id), "it was retired with nothing to do");
    assert!(door.is_drained(&"node-a/shop/7/7".parse().unwrap()), "never routed");
    let (mut client, mut upstream) = ask(&door, &old, "POST").await;
    let (talker, chat) = tunnel(&door, &old).await;
    route(&door, [&new]);
    assert!(!door.is_drained(&old.id));
    upstream.answer(200, b"whole").await;
    client.answered().await;
    until(|| door.in_flight(&old.id) == 1).await;
    assert!(!door.is_drained(&old.id), "the tunnel is open");
    drop((talker, chat));
    until(|| door.is_drained(&old.id)).await;
    // much later, and after many others
    for _ in 0..50 {
        route(&door, [&new]);
    }
    assert_eq!(numbers(&door.worker_died(&old.id, Death::Killed).await), (2, 0, 0));
    assert_eq!(
        door.worker_died(&old.id, Death::Killed).await,
        AffectedRequests::default(),
        "each is told once"
    );
}

#[tokio::test]
async fn former_workers_are_forgotten_in_the_end() {
    let (door, [old, new]) = door().await;
    for worker in [&old, &new] {
        route(&door, [worker]);
        let (mut client, mut upstream) = ask(&door, worker, "GET").await;
        route(&door, []);
        upstream.answer(200, b"").await;
        client.answered().await;
        until(|| door.is_drained(&worker.id)).await;
        // as many restarts as are remembered, and one more
        let restarts = if worker.id == old.id { 256 } else { 100 };
        for number in 0..=restarts {
            let successor = format!("node-a/shop/0/{number}").parse().unwrap();
            door.route(vec![front_door::Target { worker: successor, address: ([127, 0, 0, 1], 9).into() }]);
        }
    }
    assert_eq!(door.worker_died(&old.id, Death::Killed).await.drained, 0);
    assert_eq!(door.worker_died(&new.id, Death::Killed).await.drained, 1);
}

#[tokio::test]
async fn what_fails_while_it_drains_is_told() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    let (mut refused, upstream_of_refused) = ask(&door, &old, "POST").await;
    let (mut cut, mut upstream_of_cut) = ask(&door, &old, "GET").await;
    let (mut talker, chat) = tunnel(&door, &old).await;
    let (gone, _held) = ask(&door, &old, "GET").await;
    let (mut nonsense, mut upstream_of_nonsense) = ask(&door, &old, "GET").await;
    route(&door, [&new]);
    upstream_of_refused.reset();
    assert_eq!(refused.answered().await.0, 502);
    upstream_of_cut.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    cut.head().await;
    upstream_of_cut.reset();
    cut.rest().await;
    chat.reset();
    talker.rest().await;
    gone.reset();
    upstream_of_nonsense.send("what?\r\n\r\n").await;
    assert_eq!(nonsense.answered().await.0, 502);
    until(|| door.is_drained(&old.id)).await;
    let affected = door.worker_died(&old.id, Death::Killed).await;
    assert_eq!((affected.drained, affected.failed), (0, 3), "who gave up was neither finished nor failed");
    assert_eq!((affected.streams_ended, affected.tunnels_ended), (0, 1));
}

#[tokio::test]
async fn what_ended_before_it_was_retired_is_not_counted() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    let (mut client, mut upstream) = ask(&door, &old, "GET").await;
    upstream.send("HTTP/1.1 204 X\r\nconnection: close\r\n\r\n").await;
    client.answered().await;
    let (mut client, mut upstream) = ask(&door, &old, "GET").await;
    upstream.send("what?\r\n\r\n").await;
    assert_eq!(client.answered().await.0, 502);
    until(|| door.in_flight(&old.id) == 0).await;
    route(&door, [&new]);
    assert_eq!(numbers(&door.worker_died(&old.id, Death::Killed).await), (0, 0, 0));
}

#[tokio::test]
async fn what_is_cut_at_the_end_of_its_grace_has_failed() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    let (mut client, mut upstream) = ask(&door, &old, "POST").await;
    let (mut talker, _chat) = tunnel(&door, &old).await;
    let (mut slow, mut upstream_of_slow) = ask(&door, &old, "GET").await;
    upstream_of_slow.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    slow.head().await;
    route(&door, [&new]);
    upstream.answer(200, b"").await;
    client.answered().await;
    until(|| door.in_flight(&old.id) == 2).await;
    let affected = door.worker_died(&old.id, Death::Killed).await;
    assert_eq!((numbers(&affected), affected.tunnels_ended), ((1, 1, 2), 1));
    talker.rest().await;
    slow.rest().await;
    until(|| door.is_drained(&old.id)).await;
    assert_eq!(door.worker_died(&old.id, Death::Killed).await, AffectedRequests::default());
}

#[tokio::test]
async fn a_connection_that_broke_before_anybody_knew_is_counted_once() {
    let (door, [worker, new]) = door().await;
    route(&door, [&worker]);
    let (mut client, upstream) = ask(&door, &worker, "POST").await;
    upstream.reset();
    assert_eq!(client.answered().await.0, 502);
    route(&door, [&new]);
    assert_eq!(numbers(&door.worker_died(&worker.id, Death::Killed).await), (0, 1, 1));
}
