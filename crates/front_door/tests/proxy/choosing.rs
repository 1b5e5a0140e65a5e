//! Which worker gets a request, and what a request does that finds none.

use std::sync::Arc;
use std::time::Duration;

use front_door::{FrontDoorSettings, Limits};

use crate::support::{Wire, Worker, door, header, open, route, settings, soon, status, workers};

/// Whichever worker is connected to next.
async fn whoever(workers: &[Worker; 2]) -> (usize, Wire) {
    tokio::select! {
        wire = workers[0].accept() => (0, wire),
        wire = workers[1].accept() => (1, wire),
    }
}

#[tokio::test]
async fn the_worker_with_the_fewest_requests_gets_the_next() {
    let (door, workers) = door::<2>().await;
    let mut clients = Vec::new();
    let mut held = [Vec::new(), Vec::new()];
    for _ in 0..6 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        clients.push(client);
        let (at, mut upstream) = whoever(&workers).await;
        upstream.head().await;
        held[at].push(upstream);
    }
    assert_eq!(held.each_ref().map(Vec::len), [3, 3]);
    assert_eq!(workers.each_ref().map(|worker| door.in_flight(&worker.id)), [3, 3]);
    // the one that is rid of two takes the next two
    for _ in 0..2 {
        let mut upstream = held[1].pop().unwrap();
        upstream.send("HTTP/1.1 204 X\r\nconnection: close\r\n\r\n").await;
    }
    crate::support::until(|| door.in_flight(&workers[1].id) == 1).await;
    for _ in 0..2 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        clients.push(client);
        workers[1].accept().await.head().await;
    }
}

#[tokio::test]
async fn a_client_comes_back_to_its_instance() {
    let door = open(settings());
    let workers: [Worker; 2] = workers().await;
    let targets = workers.map(Worker::serve);
    door.route(targets.to_vec());
    let ask = async |cookie: &str| {
        let mut client = Wire::connect(&door).await;
        client.send(format!("GET / HTTP/1.1\r\nhost: x\r\ncookie: a=b; {cookie}\r\n\r\n")).await;
        let head = client.head().await;
        (header(&head, "set-cookie").map(str::to_owned), client.body_of(&head).await)
    };
    let (cookie, home) = ask("").await;
    let cookie = cookie.expect("several instances: the client is told which was its own");
    let (pair, attributes) = cookie.split_once(';').unwrap();
    assert_eq!(attributes, " Path=/; HttpOnly; SameSite=Lax");
    for _ in 0..5 {
        assert_eq!(ask(pair).await, (None, home.clone()));
    }
    // its instance takes no requests: another does, and says so
    door.route(targets.iter().filter(|target| instance(target) != home).cloned().collect());
    let (single, elsewhere) = ask(pair).await;
    assert_eq!(single, None, "one instance needs no cookie");
    assert_ne!(elsewhere, home);
    door.route(targets.to_vec());
    assert_eq!(ask(pair).await, (None, home));
    let (replaced, _) = ask("ARRAffinity=0000000000000000").await;
    assert!(replaced.is_some());
}

fn instance(target: &front_door::Target) -> Vec<u8> {
    target.worker.place.instance.to_string().into_bytes()
}

#[tokio::test]
async fn the_app_gets_the_cookie_too() {
    let (door, workers) = door::<2>().await;
    let mut client = Wire::connect(&door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\ncookie: ARRAffinity=0123456789abcdef\r\n\r\n").await;
    let head = whoever(&workers).await.1.head().await;
    assert_eq!(header(&head, "cookie"), Some("ARRAffinity=0123456789abcdef"));
}

#[tokio::test]
async fn a_request_that_is_refused_goes_to_another() {
    let (door, mut workers) = door::<2>().await;
    workers[0].refuse();
    let mut client = Wire::connect(&door).await;
    client.ask("POST", "/first").await;
    let mut upstream = workers[1].accept().await;
    for _ in 0..4 {
        assert!(upstream.head().await.starts_with("POST "));
        upstream.answer(200, b"taken").await;
        assert_eq!(client.answered().await, (200, b"taken".to_vec()));
        client.ask("POST", "/next").await;
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_worker_closed_costs_no_request() {
    for method in ["GET", "POST"] {
        for reset in [false, true] {
            let (door, [worker]) = door().await;
            let mut client = Wire::connect(&door).await;
            client.ask(method, "/1").await;
            let mut upstream = worker.accept().await;
            upstream.head().await;
            upstream.answer(200, b"1").await;
            client.answered().await;
            upstream.end(reset);
            client.ask(method, "/2").await;
            let mut upstream = worker.accept().await;
            assert!(upstream.head().await.starts_with(&format!("{method} /2 ")));
            upstream.answer(200, b"2").await;
            assert_eq!(client.answered().await, (200, b"2".to_vec()));
        }
    }
}

#[tokio::test]
async fn a_request_waits_for_the_replacement() {
    let door = open(settings());
    let mut client = Wire::connect(&door).await;
    client.send("POST /kept HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody").await;
    // by now the thread has seen it, since it has seen a later one
    let mut other = Wire::connect(&door).await;
    other.send("GET / HTTP/1.1\r\n\r\n").await;
    other.head().await;
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut upstream = worker.accept().await;
    assert!(upstream.head().await.starts_with("POST /kept "));
    assert_eq!(upstream.take(4).await, b"body");
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn a_request_waits_for_a_worker_that_refuses_for_a_moment() {
    let (door, [mut worker]) = door().await;
    worker.refuse();
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    worker.listen_again().await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn waiting_ends_with_503() {
    let door = open(FrontDoorSettings { wait: Duration::from_millis(30), ..settings() });
    let [mut worker] = workers().await;
    for refused in [false, true] {
        if refused {
            worker.refuse();
            route(&door, [&worker]);
        }
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/").await;
        let head = client.head().await;
        assert_eq!(status(&head), 503);
        assert_eq!(header(&head, "retry-after"), Some("5"));
        assert_eq!(header(&head, "cache-control"), Some("no-store"));
        let text = String::from_utf8(client.body_of(&head).await).unwrap();
        assert!(text.starts_with("503 Service Unavailable"));
        assert!(!text.contains("127.0.0.1"));
        client.ask("HEAD", "/").await;
        assert_eq!(status(&client.head().await), 503, "the connection is good for the next request");
    }
}

#[tokio::test]
async fn the_waiting_room_is_bounded() {
    let limits = Limits { waiting: 1, ..Limits::default() };
    let door = open(FrontDoorSettings { wait: Duration::from_hours(1), limits, ..settings() });
    let mut clients = [Wire::connect(&door).await, Wire::connect(&door).await];
    for client in &mut clients {
        client.ask("GET", "/").await;
    }
    let [mut first, mut second] = clients;
    let (turned_away, mut waiting) = tokio::select! {
        answer = first.answered() => (answer, second),
        answer = second.answered() => (answer, first),
    };
    assert_eq!(turned_away.0, 503);
    let [worker] = workers().await;
    route(&door, [&worker]);
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"").await;
    assert_eq!(waiting.answered().await.0, 200);
}

#[tokio::test]
async fn a_drained_worker_finishes_what_it_has_and_gets_no_more() {
    let (door, [old, new]) = door().await;
    route(&door, [&old]);
    let mut early = Wire::connect(&door).await;
    early.ask("GET", "/early").await;
    let mut upstream = old.accept().await;
    upstream.head().await;
    route(&door, [&new]);
    assert_eq!(door.in_flight(&old.id), 1);
    let mut late = Wire::connect(&door).await;
    late.ask("GET", "/late").await;
    let mut replacement = new.accept().await;
    assert!(replacement.head().await.starts_with("GET /late "));
    upstream.answer(200, b"whole").await;
    assert_eq!(early.answered().await, (200, b"whole".to_vec()));
    crate::support::until(|| door.in_flight(&old.id) == 0).await;
    assert_eq!(upstream.rest().await, b"", "its kept connection is closed");
    // the client stays, the next worker answers
    early.ask("GET", "/next").await;
    let mut upstream = new.accept().await;
    upstream.head().await;
}

#[tokio::test]
async fn shutting_down_lets_requests_finish_and_closes_idle_connections() {
    let (door, [worker]) = door().await;
    let address = door.address();
    let mut idle = Wire::connect(&door).await;
    let mut busy = Wire::connect(&door).await;
    busy.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    let door = Arc::new(door);
    let closing = tokio::spawn({
        let door = Arc::clone(&door);
        async move { door.shut_down(Duration::from_hours(1)).await }
    });
    assert_eq!(idle.rest().await, b"");
    assert_eq!(door.in_flight(&worker.id), 1);
    assert_eq!(door.take_minutes().await[0].most_in_flight, 1, "it can still be asked");
    upstream.answer(200, b"whole").await;
    let head = busy.head().await;
    assert_eq!(header(&head, "connection"), Some("close"));
    assert_eq!(busy.body_of(&head).await, b"whole");
    assert_eq!(busy.rest().await, b"");
    let rows = soon(closing).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.by_class[1]).sum::<u64>(), 1);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_second_call_hastens_the_first() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    worker.accept().await.head().await;
    let (first, second) = (door.shut_down(Duration::from_hours(1)), door.shut_down(Duration::ZERO));
    let (first, second) = soon(async { tokio::join!(first, second) }).await;
    assert_eq!(first.len() + second.len(), 1);
}

#[tokio::test]
async fn dropping_it_closes_it_at_once() {
    let (door, [worker]) = door().await;
    let address = door.address();
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    drop(door);
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.rest().await, b"");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn grace_is_not_for_ever() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    soon(door.shut_down(Duration::from_millis(30))).await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(upstream.rest().await, b"");
}
