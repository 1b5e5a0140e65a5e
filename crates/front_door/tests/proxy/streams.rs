//! Bodies pass as they come, in both directions, and none is held whole.

use crate::support::{Wire, door, header, pour, soon, stands_still, status};

#[tokio::test]
async fn a_request_streams() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
    assert_eq!(upstream.take(10).await, b"5\r\nfirst\r\n");
    client.send("6\r\nsecond\r\n").await;
    assert_eq!(upstream.take(11).await, b"6\r\nsecond\r\n");
    client.send("0\r\n\r\n").await;
    assert_eq!(upstream.take(5).await, b"0\r\n\r\n");
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn a_get_with_a_body_keeps_it() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    assert_eq!(header(&upstream.head().await, "transfer-encoding"), Some("chunked"));
    assert_eq!(upstream.take(12).await, b"2\r\nhi\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_answer_streams() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    for (framing, length) in [("transfer-encoding: chunked", 10), ("content-length: 15", 5)] {
        client.ask("GET", "/").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstream.send(format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{framing}\r\n\r\n")).await;
        client.head().await;
        let chunk = if length == 10 { &b"5\r\nhello\r\n"[..] } else { b"hello" };
        for _ in 0..3 {
            upstream.send(chunk).await;
            assert_eq!(client.take(length).await, chunk);
        }
        if length == 10 {
            upstream.send("0\r\n\r\n").await;
            assert_eq!(client.take(5).await, b"0\r\n\r\n");
        }
    }
}

#[tokio::test]
async fn an_answer_may_begin_before_the_request_has_ended() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhello").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!(upstream.take(5).await, b"hello");
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nHELLO").await;
    client.head().await;
    assert_eq!(client.take(5).await, b"HELLO");
    client.send("world").await;
    assert_eq!(upstream.take(5).await, b"world");
    upstream.send("WORLD").await;
    assert_eq!(client.take(5).await, b"WORLD");
    client.ask("GET", "/next").await;
    assert!(
        upstream.head().await.starts_with("GET /next "),
        "both connections are good for the next request"
    );
}

#[tokio::test]
async fn the_client_is_told_to_continue_when_a_worker_wants_the_body() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    assert_eq!(header(&upstream.head().await, "expect"), None);
    assert_eq!(status(&client.head().await), 100);
    client.send("body").await;
    assert_eq!(upstream.take(4).await, b"body");
    upstream.answer(201, b"").await;
    assert_eq!(client.answered().await.0, 201);
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: x\r\nte: trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
             2\r\nhi\r\n0\r\nx-sum: 7\r\n\r\n",
        )
        .await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!(upstream.take(10).await, b"2\r\nhi\r\n0\r\n");
    assert_eq!(upstream.head().await, "x-sum: 7");
    upstream
        .send("HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-sum: 8\r\n\r\n")
        .await;
    client.head().await;
    assert_eq!(client.take(10).await, b"2\r\nhi\r\n0\r\n");
    assert_eq!(client.head().await, "x-sum: 8");
}

/// More than all sockets on the way hold together.
const LARGE: usize = 96 * 1024 * 1024;

/// What may be under way when nobody reads: the kernel's buffers on both hops and hyper's.
const UNDER_WAY: usize = LARGE / 2;

#[tokio::test]
async fn a_large_answer_waits_for_a_slow_client() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n")).await;
    let (sent, pouring) = pour(upstream, LARGE);
    client.head().await;
    assert!(stands_still(&sent).await < UNDER_WAY);
    client.swallow(LARGE).await;
    let mut upstream = soon(pouring).await.unwrap();
    client.ask("GET", "/next").await;
    upstream.head().await;
}

#[tokio::test]
async fn a_large_request_waits_for_a_slow_worker() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n")).await;
    let (sent, pouring) = pour(client, LARGE);
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert!(stands_still(&sent).await < UNDER_WAY);
    upstream.swallow(LARGE).await;
    upstream.answer(200, b"thanks").await;
    assert_eq!(soon(pouring).await.unwrap().answered().await, (200, b"thanks".to_vec()));
}

#[tokio::test]
async fn an_early_answer_ends_an_upload_and_is_read() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    client.send(vec![b'x'; 100_000]).await;
    upstream.answer(413, b"too much").await;
    assert_eq!(client.answered().await, (413, b"too much".to_vec()));
    assert_eq!(client.rest().await, b"", "the connection is closed, as the rest of the body is of no use");
}
