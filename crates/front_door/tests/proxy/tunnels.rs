//! Upgrades: after an answer 101, bytes go both ways until both sides have ended.

use crate::support::{Wire, Worker, ask_often, door, header, route, status, until};
use front_door::Death;
use front_door::FrontDoor;
use tokio::io::AsyncWriteExt;

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A tunnel through `door`: the client's end and the worker's.
async fn tunnel(door: &FrontDoor, worker: &Worker) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.send(UPGRADE).await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    assert_eq!((header(&head, "upgrade"), header(&head, "connection")), (Some("websocket"), Some("upgrade")));
    assert_eq!(header(&head, "sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    upstream.send(SWITCH).await;
    let head = client.head().await;
    assert_eq!(status(&head), 101);
    assert_eq!((header(&head, "upgrade"), header(&head, "connection")), (Some("websocket"), Some("upgrade")));
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    (client, upstream)
}

#[tokio::test]
async fn bytes_go_both_ways_until_both_sides_have_ended() {
    let (door, [worker]) = door().await;
    let (mut client, mut upstream) = tunnel(&door, &worker).await;
    for text in ["one", "two", "three"] {
        client.send(text).await;
        let heard = upstream.take(text.len()).await;
        upstream.send(heard).await;
        assert_eq!(client.take(text.len()).await, text.as_bytes());
    }
    assert_eq!(door.in_flight(&worker.id), 1);
    client.send("last").await;
    client.socket.shutdown().await.unwrap();
    assert_eq!(upstream.rest().await, b"last");
    assert_eq!(door.in_flight(&worker.id), 1, "half of it is still open");
    upstream.send("answer").await;
    drop(upstream);
    assert_eq!(client.rest().await, b"answer");
    until(|| door.in_flight(&worker.id) == 0).await;
}

#[tokio::test]
async fn what_was_sent_ahead_is_not_lost() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send(format!("{UPGRADE}from the client")).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send(format!("{SWITCH}from the worker")).await;
    assert_eq!(status(&client.head().await), 101);
    assert_eq!(client.take(15).await, b"from the worker");
    assert_eq!(upstream.take(15).await, b"from the client");
}

#[tokio::test]
async fn a_worker_may_decline() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send(UPGRADE).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(426, b"no").await;
    assert_eq!(client.answered().await, (426, b"no".to_vec()));
    client.ask("GET", "/plain").await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /plain "));
    assert_eq!(header(&head, "upgrade"), None);
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_a_bad_gateway() {
    let (door, [worker]) = door().await;
    for request in
        ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n\r\n"]
    {
        let mut client = Wire::connect(&door).await;
        client.send(request).await;
        let mut upstream = worker.accept().await;
        assert_eq!(header(&upstream.head().await, "upgrade"), None);
        upstream.send(SWITCH).await;
        assert_eq!(client.answered().await.0, 502);
    }
}

#[tokio::test]
async fn a_tunnel_is_drained_like_a_request() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    let (mut client, mut upstream) = tunnel(&door, &old).await;
    route(&door, [&new]);
    client.send("still here").await;
    assert_eq!(upstream.take(10).await, b"still here");
    assert_eq!(door.in_flight(&old.id), 1);
    drop(upstream);
    assert_eq!(client.rest().await, b"");
    drop(client);
    until(|| door.in_flight(&old.id) == 0).await;
}

#[tokio::test]
async fn a_tunnel_ends_with_its_worker_and_is_told() {
    let (door, [worker]) = door().await;
    ask_often(&door, &worker, "/chat").await;
    let (mut client, upstream) = tunnel(&door, &worker).await;
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!((affected.count, &*affected.requests[0].path), (1, "/chat"));
    assert_eq!(client.rest().await, b"");
    until(|| door.in_flight(&worker.id) == 0).await;
    drop(upstream);
}

#[tokio::test]
async fn a_client_that_breaks_off_closes_the_tunnel() {
    let (door, [worker]) = door().await;
    let (client, mut upstream) = tunnel(&door, &worker).await;
    client.reset();
    assert_eq!(upstream.rest().await, b"");
    until(|| door.in_flight(&worker.id) == 0).await;
}
