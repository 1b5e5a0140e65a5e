//! What one client may take, and that it gives back what it had.

use std::time::Duration;

use front_door::{Death, FrontDoor, FrontDoorSettings, Limits};

use crate::support::{Wire, Worker, door, open, route, settings, soon, status, until, workers};

async fn limited(limits: Limits) -> (FrontDoor, Worker) {
    let door = open(FrontDoorSettings { limits, ..settings() });
    let [worker] = workers().await;
    route(&door, [&worker]);
    (door, worker)
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn heads_are_bounded() {
    let (door, worker) = limited(Limits { header_bytes: 8 * 1024, ..Limits::default() }).await;
    let long = "x".repeat(9_000);
    let many = "x-more: y\r\n".repeat(200);
    for head in [
        format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"),
        format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n"),
    ] {
        let mut client = Wire::connect(&door).await;
        client.send(head).await;
        assert_eq!(status(&client.head().await), 431);
        assert_eq!(client.rest().await, b"");
    }
    let mut client = Wire::connect(&door).await;
    client.send(format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(7_000))).await;
    worker.accept().await.head().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut() {
    let (door, _worker) = limited(Limits { header_read: SECOND, ..Limits::default() }).await;
    let mut client = Wire::connect(&door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nx-drip: ").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_waiting_one_is_not() {
    let (door, worker) =
        limited(Limits { idle: 2 * SECOND, header_read: SECOND, stall: SECOND, ..Limits::default() }).await;
    let mut waiting = Wire::connect(&door).await;
    waiting.ask("GET", "/slow").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    let mut fresh = Wire::connect(&door).await;
    assert_eq!(fresh.rest().await, b"");
    let mut used = Wire::connect(&door).await;
    used.ask("HEAD", "/quick").await;
    let mut quick = worker.accept().await;
    quick.head().await;
    quick.answer(204, b"").await;
    assert_eq!(status(&used.head().await), 204);
    assert_eq!(used.rest().await, b"");
    upstream.answer(200, b"took its time").await;
    assert_eq!(waiting.answered().await.0, 200, "a worker may take longer than any client");
}

#[tokio::test]
async fn a_client_that_stops_sending_or_reading_gives_its_place_back() {
    let (door, worker) = limited(Limits { stall: SECOND, ..Limits::default() }).await;
    let mut sender = Wire::connect(&door).await;
    sender.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!(upstream.rest().await, b"half");
    assert_eq!(sender.rest().await, b"");

    let mut reader = Wire::connect(&door).await;
    reader.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = [b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat();
    let poured =
        async { while tokio::io::AsyncWriteExt::write_all(&mut upstream.socket, &chunk).await.is_ok() {} };
    soon(poured).await;
    until(|| door.in_flight(&worker.id) == 0).await;
}

#[tokio::test]
async fn a_client_that_goes_away_frees_its_slot_and_the_worker_hears_of_it() {
    let (door, [worker]) = door().await;
    for request in
        ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf"]
    {
        for reset in [true, false] {
            let mut client = Wire::connect(&door).await;
            client.send(request).await;
            let mut upstream = worker.accept().await;
            upstream.head().await;
            assert_eq!(door.in_flight(&worker.id), 1);
            client.end(reset);
            upstream.rest().await;
            until(|| door.in_flight(&worker.id) == 0).await;
        }
    }
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!(affected.count, 0, "that was no fault of the worker's");
}

#[tokio::test]
async fn a_body_that_makes_no_sense_is_the_clients_fault() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n").await;
    assert_eq!(client.answered().await.0, 400);
    assert_eq!(door.worker_died(&worker.id, Death::Killed).await.count, 0);
}

#[tokio::test]
async fn the_longest_idle_client_makes_room_and_a_busy_one_does_not() {
    let (door, worker) = limited(Limits { connections: 3, ..Limits::default() }).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        clients.push((client, upstream));
    }
    let mut turned_away = Wire::connect(&door).await;
    let (status, text) = turned_away.answered().await;
    assert_eq!((status, &*text), (503, &b"503 Service Unavailable\nToo many clients right now.\n"[..]));
    assert_eq!(turned_away.rest().await, b"");
    // the last comes to rest first
    clients.reverse();
    for (client, upstream) in &mut clients {
        upstream.answer(200, b"").await;
        assert_eq!(client.answered().await.0, 200);
    }
    let mut newest = Wire::connect(&door).await;
    let (mut longest, _) = clients.remove(0);
    assert_eq!(longest.rest().await, b"");
    newest.send("GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(newest.answered().await.0, 400);
    for (client, _) in &mut clients {
        client.send("GET / HTTP/1.1\r\n\r\n").await;
        assert_eq!(client.answered().await.0, 400, "it is still open");
    }
}

#[tokio::test]
async fn a_thousand_idle_connections_are_no_burden() {
    let (door, [worker]) = door().await;
    let target = worker.serve();
    let mut idle = Vec::new();
    for _ in 0..1_000 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        assert_eq!(client.answered().await.0, 200);
        idle.push(client);
    }
    assert_eq!(door.in_flight(&target.worker), 0);
    for client in &mut idle {
        client.ask("GET", "/").await;
        assert_eq!(client.answered().await.0, 200, "all of them are still open");
    }
    soon(door.shut_down(Duration::from_secs(10))).await;
    for client in &mut idle {
        assert_eq!(client.rest().await, b"");
    }
}
