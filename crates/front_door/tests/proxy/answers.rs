//! Answers that cannot be passed on as they are: what the client is told, what the log says, and that nobody else gets the rest.

use crate::support::{Log, Wire, Worker, door, header, headers, status};
use front_door::{Death, FrontDoor};

/// Asks, has the worker answer so, and gives both ends.
async fn ask(door: &FrontDoor, worker: &Worker, method: &str, answer: &str) -> (Wire, Wire) {
    let mut client = Wire::connect(door).await;
    client.ask(method, "/private-path").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send(answer).await;
    (client, upstream)
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_told_as_that_and_names_nobody() {
    let log = Log::keep();
    let (door, [worker]) = door().await;
    for nonsense in [
        "SSH-2.0-x\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\rz: w\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: nu\0ll\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbad name: x\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let (mut client, _upstream) = ask(&door, &worker, "GET", nonsense).await;
        let (status, body) = client.answered().await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(
            (status, &*text),
            (502, "502 Bad Gateway\nThe app sent a response that is not valid HTTP.\n"),
            "{nonsense:?}"
        );
    }
    assert_eq!(
        door.worker_died(&worker.id, Death::Killed).await.count,
        0,
        "an answer came: its death did not cost these"
    );
    let said = log.of(&worker.id);
    assert_eq!(said.len(), 1, "once for a worker: {said:?}");
    assert!(said[0].contains("not valid HTTP") && !said[0].contains("private"), "{said:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_as_that() {
    let log = Log::keep();
    let (door, [worker]) = door().await;
    for head in [format!("x: {}", "y".repeat(140 * 1024)), "x: y\r\n".repeat(101)] {
        let (mut client, _upstream) =
            ask(&door, &worker, "GET", &format!("HTTP/1.1 200 OK\r\n{head}\r\ncontent-length: 0\r\n\r\n"))
                .await;
        let (status, body) = client.answered().await;
        let text = String::from_utf8(body).unwrap();
        assert_eq!(
            (status, &*text),
            (502, "502 Bad Gateway\nThe app sent a response whose headers are too large.\n")
        );
    }
    let said = log.of(&worker.id);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("the limit is 128 KiB and 100 headers"), "{said:?}");
    let (mut client, mut upstream) =
        ask(&door, &worker, "GET", &format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(100_000))).await;
    assert_eq!(status(&client.head().await), 200);
    upstream.send("end").await;
}

#[tokio::test]
async fn a_coding_that_is_not_passed_on_is_told_as_that() {
    let log = Log::keep();
    let (door, [worker]) = door().await;
    for coding in ["gzip, chunked", "identity", "gzip", "chunked\r\ntransfer-encoding: chunked"] {
        let (mut client, _upstream) = ask(
            &door,
            &worker,
            "GET",
            &format!("HTTP/1.1 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n0\r\n\r\n"),
        )
        .await;
        let (status, body) = client.answered().await;
        assert_eq!(status, 502, "{coding}");
        assert!(String::from_utf8(body).unwrap().contains("unsupported transfer coding"), "{coding}");
    }
    assert_eq!(log.of(&worker.id).len(), 1);
}

#[tokio::test]
async fn of_a_length_and_chunks_the_chunks_count() {
    let log = Log::keep();
    let (door, [worker]) = door().await;
    for framing in [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3000",
        "content-length: 1\r\ncontent-length: 2\r\ntransfer-encoding: chunked",
    ] {
        let (mut client, mut upstream) = ask(
            &door,
            &worker,
            "GET",
            &format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
        )
        .await;
        let head = client.head().await;
        assert_eq!(
            (header(&head, "content-length"), header(&head, "transfer-encoding")),
            (None, Some("chunked")),
            "{framing}"
        );
        assert_eq!(client.take(15).await, b"5\r\nhello\r\n0\r\n\r\n");
        assert_eq!(upstream.rest().await, b"", "what else such a worker sends is nobody's answer");
        client.ask("GET", "/next").await;
        let mut next = worker.accept().await;
        assert!(next.head().await.starts_with("GET /next "), "the client keeps its connection");
        next.answer(200, b"").await;
        client.answered().await;
        drop(next);
    }
    let said = log.of(&worker.id);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("both Content-Length and Transfer-Encoding"), "{said:?}");
    let (mut client, _upstream) = ask(
        &door,
        &worker,
        "HEAD",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await;
    assert_eq!(header(&client.head().await, "content-length"), None);
}

#[tokio::test]
async fn a_length_stands_once_and_where_it_belongs() {
    let (door, [worker]) = door().await;
    for (method, answer, body, expected) in [
        ("GET", "200 OK\r\ncontent-length: 2\r\ncontent-length: 2", "ok", Some("2")),
        ("GET", "200 OK\r\ncontent-length: 2, 2", "ok", Some("2")),
        ("HEAD", "200 OK\r\ncontent-length: 7, 7", "", Some("7")),
        ("GET", "304 Not Modified\r\ncontent-length: 7, 7", "", None),
        ("GET", "204 No Content\r\ncontent-length: 7", "", None),
    ] {
        let (mut client, upstream) =
            ask(&door, &worker, method, &format!("HTTP/1.1 {answer}\r\n\r\n{body}")).await;
        let head = client.head().await;
        assert_eq!(headers(&head, "content-length").next(), expected, "{answer}");
        assert_eq!(headers(&head, "content-length").count(), usize::from(expected.is_some()), "{answer}");
        assert_eq!(client.take(body.len()).await, body.as_bytes());
        upstream.reset();
    }
}

#[tokio::test]
async fn what_a_worker_sends_behind_its_answer_is_nobodys_answer() {
    let (door, [worker]) = door().await;
    let stray = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let (mut client, _upstream) = ask(&door, &worker, "GET", &format!("{answer}{stray}")).await;
        assert_eq!(status(&client.head().await), status(answer));
        let mut other = Wire::connect(&door).await;
        other.ask("GET", "/other").await;
        let mut own = worker.accept().await;
        assert!(own.head().await.starts_with("GET /other "), "over another connection");
        own.answer(200, b"own").await;
        assert_eq!(other.answered().await, (200, b"own".to_vec()), "{answer:?}");
        own.reset();
    }
}

#[tokio::test]
async fn answers_before_the_answer_end_here() {
    let (door, [worker]) = door().await;
    let (mut client, mut upstream) = ask(
        &door,
        &worker,
        "GET",
        "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    )
    .await;
    upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(client.answered().await, (200, b"ok".to_vec()));
}

#[tokio::test]
async fn a_change_to_what_was_not_offered_is_told_as_that() {
    let (door, [worker]) = door().await;
    for (asked, switched) in [
        ("", "websocket"),
        ("upgrade: websocket\r\n", "websocket"),
        ("connection: upgrade\r\nupgrade: h2c\r\n", "h2c"),
        ("connection: upgrade\r\nupgrade: websocket, h2c\r\n", "h2c"),
        ("connection: upgrade\r\nupgrade: websocket\r\n", "websocket, h2c"),
    ] {
        let mut client = Wire::connect(&door).await;
        client.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{asked}\r\n")).await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstream
            .send(format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {switched}\r\n\r\n"
            ))
            .await;
        let (status, body) = client.answered().await;
        assert_eq!(status, 502, "{asked:?}");
        assert!(String::from_utf8(body).unwrap().contains("switched to a protocol"), "{asked:?}");
    }
}

#[tokio::test]
async fn a_worker_that_closes_and_one_that_stops_are_told_apart() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.ask("POST", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    drop(upstream);
    let (_, body) = client.answered().await;
    assert_eq!(body, b"502 Bad Gateway\nThe app closed the connection before it answered.\n");
    client.ask("POST", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    door.worker_died(&worker.id, Death::ByItself).await;
    let (_, body) = client.answered().await;
    assert_eq!(body, b"502 Bad Gateway\nThe app stopped before it answered.\n");
}
