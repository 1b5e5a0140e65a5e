//! What is changed in a message on its way through, and what is not.

use crate::support::{Wire, door, header, headers, open, settings, status, threads};
use front_door::{BindError, FrontDoor, FrontDoorSettings, Scheme};

#[tokio::test]
async fn both_sides_keep_their_connections() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/first").await;
    let mut upstream = worker.accept().await;
    for path in ["/first", "/second", "/third"] {
        assert!(upstream.head().await.starts_with(&format!("GET {path} HTTP/1.1")));
        upstream.answer(200, path.as_bytes()).await;
        assert_eq!(client.answered().await, (200, path.as_bytes().to_vec()));
        let next = if path == "/first" { "/second" } else { "/third" };
        client.ask("GET", next).await;
    }
}

#[tokio::test]
async fn another_client_gets_the_kept_connection() {
    let (door, [worker]) = door().await;
    let mut first = Wire::connect(&door).await;
    first.ask("GET", "/1").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.answer(200, b"1").await;
    first.answered().await;
    let mut second = Wire::connect(&door).await;
    second.ask("GET", "/2").await;
    assert!(upstream.head().await.starts_with("GET /2 "));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_turn() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    for path in ["/1", "/2"] {
        assert!(upstream.head().await.starts_with(&format!("GET {path} ")));
        upstream.answer(200, path.as_bytes()).await;
    }
    assert_eq!(client.answered().await.1, b"/1");
    assert_eq!(client.answered().await.1, b"/2");
}

/// Sends a request and gives its head as the worker gets it.
pub(crate) async fn at_the_worker(request: &str) -> String {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send(request).await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    upstream.answer(204, b"").await;
    assert_eq!(status(&client.head().await), 204);
    head
}

#[tokio::test]
async fn the_worker_learns_who_the_client_is() {
    let head = at_the_worker("GET /a?b=c HTTP/1.1\r\nHost: shop.example:8080\r\nX-Kept: yes\r\n\r\n").await;
    assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"));
    for (name, value) in [
        ("host", "shop.example:8080"),
        ("x-kept", "yes"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "shop.example:8080"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "127.0.0.1"),
    ] {
        assert_eq!(header(&head, name), Some(value), "{name}");
    }
    assert_eq!(header(&head, "via"), None);
}

#[tokio::test]
async fn a_client_cannot_pose_as_another() {
    let head = at_the_worker(
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nx-forwarded-proto: https\r\n\
         x-forwarded-host: evil\r\nx-real-ip: 3.3.3.3\r\nforwarded: for=4.4.4.4\r\nX_Forwarded_For: 5.5.5.5\r\n\
         connection: x-forwarded-for\r\n\r\n",
    )
    .await;
    assert_eq!(
        header(&head, "x-forwarded-for"),
        Some("127.0.0.1"),
        "as the client asked to leave its own out"
    );
    assert_eq!(header(&head, "x-forwarded-proto"), Some("http"));
    assert_eq!(header(&head, "x-forwarded-host"), Some("a"));
    assert_eq!(header(&head, "x-real-ip"), Some("127.0.0.1"));
    assert_eq!(header(&head, "forwarded"), None);
    assert_eq!(header(&head, "x_forwarded_for"), None);
    let head = at_the_worker(
        "GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\n\r\n",
    )
    .await;
    assert_eq!(header(&head, "x-forwarded-for"), Some("1.1.1.1, 2.2.2.2, 127.0.0.1"));
}

#[tokio::test]
async fn the_scheme_is_the_settings() {
    let door = open(FrontDoorSettings { forwarded: Scheme::Https, ..settings() });
    let [worker] = crate::support::workers().await;
    crate::support::route(&door, [&worker]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    assert_eq!(header(&worker.accept().await.head().await, "x-forwarded-proto"), Some("https"));
}

#[tokio::test]
async fn hop_by_hop_headers_stay_behind() {
    let head = at_the_worker(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive, x-hop, Host\r\nkeep-alive: timeout=5\r\nx-hop: 1\r\n\
         x-end: 2\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic eA==\r\nte: trailers, gzip\r\n\
         upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
    )
    .await;
    for gone in
        ["keep-alive", "x-hop", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"]
    {
        assert_eq!(header(&head, gone), None, "{gone} in {head}");
    }
    assert_eq!(header(&head, "x-end"), Some("2"));
    assert_eq!(header(&head, "host"), Some("a"));
    assert_eq!((header(&head, "te"), header(&head, "connection")), (Some("trailers"), Some("te")));
}

#[tokio::test]
async fn an_answers_hop_by_hop_headers_stay_behind_too() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream
        .send(
            "HTTP/1.1 299 Quite Fine\r\nconnection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nset-cookie: a=1\r\n\
             set-cookie: b=2\r\nserver: app\r\ncontent-length: 2\r\n\r\nok",
        )
        .await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 299 Quite Fine\r\n"), "{head}");
    for gone in ["connection", "x-hop", "keep-alive", "transfer-encoding"] {
        assert_eq!(header(&head, gone), None, "{gone} in {head}");
    }
    assert_eq!(headers(&head, "set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(header(&head, "server"), Some("app"));
    assert_eq!(client.take(2).await, b"ok");
    // the worker closes its connection, the client keeps its own
    drop(upstream);
    client.ask("GET", "/again").await;
    assert!(worker.accept().await.head().await.starts_with("GET /again "));
}

#[tokio::test]
async fn answers_without_a_body_are_passed_on_with_their_length() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("HEAD", "/").await;
    let mut upstream = worker.accept().await;
    for (method, next, answer, length) in [
        ("HEAD", "GET", "200 OK\r\ncontent-length: 1234", Some("1234")),
        ("GET", "GET", "204 No Content", None),
        ("GET", "HEAD", "304 Not Modified\r\netag: \"x\"", None),
        ("HEAD", "GET", "200 OK\r\ntransfer-encoding: chunked", None),
        ("GET", "GET", "200 OK\r\ncontent-length: 0", Some("0")),
    ] {
        assert!(upstream.head().await.starts_with(method));
        upstream.send(format!("HTTP/1.1 {answer}\r\n\r\n")).await;
        let head = client.head().await;
        assert_eq!(status(&head).to_string(), answer[..3]);
        assert_eq!(header(&head, "content-length"), length, "{head}");
        client.ask(next, "/").await;
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_what_it_understands() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("GET /old HTTP/1.0\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /old HTTP/1.1\r\n"));
    assert_eq!(header(&head, "host"), Some(&*door.address().to_string()));
    upstream.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nold\r\n0\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
    assert_eq!(header(&head, "transfer-encoding"), None);
    assert_eq!(client.rest().await, b"old", "its end is the connection's");

    let mut client = Wire::connect(&door).await;
    for _ in 0..2 {
        client.send("GET /old HTTP/1.0\r\nhost: x\r\nconnection: keep-alive\r\n\r\n").await;
        upstream.head().await;
        upstream.answer(200, b"kept").await;
        let head = client.head().await;
        assert_eq!(header(&head, "connection"), Some("keep-alive"));
        assert_eq!(client.body_of(&head).await, b"kept");
    }
}

#[tokio::test]
async fn a_worker_that_speaks_http_1_0_is_understood() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    for path in ["/1", "/2"] {
        client.ask("GET", path).await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstream.send("HTTP/1.0 200 OK\r\n\r\nuntil the end").await;
        drop(upstream);
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert_eq!(header(&head, "transfer-encoding"), Some("chunked"));
        assert_eq!(client.take(23).await, b"D\r\nuntil the end\r\n0\r\n\r\n"[..].to_vec());
    }
}

#[tokio::test]
async fn a_front_door_says_why_it_cannot_open() {
    let first = open(settings());
    let clock = || std::sync::Arc::<crate::support::StillClock>::default();
    let bind = |listen| {
        FrontDoor::bind(FrontDoorSettings { listen, ..settings() }, clock(), &threads(1)).err().unwrap()
    };
    let taken = bind(first.address());
    assert!(matches!(taken, BindError::InUse { .. }));
    assert!(taken.to_string().contains(&format!("{} is in use by another program", first.address())));
    let nowhere = bind("192.0.2.1:8080".parse().unwrap());
    assert!(matches!(nowhere, BindError::NoSuchAddress { .. }));
    assert!(nowhere.to_string().contains("no address 192.0.2.1;"), "{nowhere}");
}
