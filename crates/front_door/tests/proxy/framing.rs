//! What a client could send so that the worker, or somebody in front, reads it in another way than the front door does. Most of
//! it is refused by hyper; that it is, is shown here.

use crate::messages::at_the_worker;
use crate::support::{Wire, door, header, headers, status};

/// Heads and what they are answered with; nothing of them reaches the worker.
async fn are_refused(cases: &[(&str, u16)]) {
    let (door, [worker]) = door().await;
    for (request, expected) in cases {
        let mut client = Wire::connect(&door).await;
        client.send(request).await;
        let head = client.head().await;
        assert_eq!(status(&head), *expected, "{request:?}");
    }
    // the first thing the worker hears is this
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/innocent").await;
    assert!(worker.accept().await.head().await.starts_with("GET /innocent "));
}

#[tokio::test]
async fn a_length_that_could_be_read_in_two_ways_is_refused() {
    are_refused(&[
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: +3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0x3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length:\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length : 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\n content-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n 4\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\rx: y\r\n\r\nabc", 400),
    ])
    .await;
}

#[tokio::test]
async fn a_transfer_coding_that_could_be_overlooked_is_refused() {
    are_refused(&[
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, gzip\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: identity\r\ncontent-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\ncontent-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \"chunked\"\r\ncontent-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: \x0bchunked\r\ncontent-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding:\r\ncontent-length: 3\r\n\r\nabc", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding\r\n : chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nhost: a\r\nx: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ])
    .await;
}

#[tokio::test]
async fn a_head_that_is_not_plain_is_refused() {
    are_refused(&[
        ("GET / HTTP/1.1\r\nhost: a\r\n folded: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: y\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nbad name: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\n: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: nu\0ll\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: del\x7f\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nn\u{e9}: x\r\n\r\n", 400),
        ("GET /a\tb HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET  / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nhost: a\r\n\r\n", 400),
        ("GET /\rHTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("G\u{e9}T / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nhost: a\r\n\r\n", 400),
        ("GET / http/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n", 501),
        ("TRACE / HTTP/1.1\r\nhost: a\r\n\r\n", 501),
    ])
    .await;
}

#[tokio::test]
async fn http_2_without_asking_is_hung_up_on() {
    let (door, [_worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn a_host_that_is_more_than_a_host_is_refused() {
    are_refused(&[
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost:\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nhost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x/y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x\\y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: x?y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a#b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: ada@shop.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: http://shop.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a%00\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a:80:81\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a:65536\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: [::1]evil\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: [::1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a\u{202e}b\r\n\r\n", 400),
        ("GET http://ada:secret@shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n", 400),
        ("GET http://shop.example/ HTTP/1.1\r\n\r\n", 400),
        ("GET http://shop.example/ HTTP/1.1\r\nhost: x/y\r\n\r\n", 400),
        ("GET http://shop.example/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        ("GET http://a,b/ HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET http:///path HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET ftp://shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n", 400),
        ("GET shop.example:80 HTTP/1.1\r\nhost: shop.example\r\n\r\n", 400),
        ("GET path HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
    ])
    .await;
}

#[tokio::test]
async fn an_ordinary_host_arrives_as_it_came() {
    for host in ["shop.example", "Shop.Example.:8080", "db_1", "127.0.0.1:80", "[::1]:8080"] {
        let head = at_the_worker(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!((header(&head, "host"), header(&head, "x-forwarded-host")), (Some(host), Some(host)));
    }
    assert!(
        at_the_worker("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").await.starts_with("OPTIONS * HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn an_absolute_target_names_the_host() {
    let head = at_the_worker("GET http://shop.example/cart?x=1 HTTP/1.1\r\nhost: other\r\n\r\n").await;
    assert!(head.starts_with("GET /cart?x=1 HTTP/1.1"));
    assert_eq!(header(&head, "host"), Some("shop.example"));
    assert_eq!(header(&head, "x-forwarded-host"), Some("shop.example"));
}

#[tokio::test]
async fn a_length_said_twice_alike_arrives_once() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 3\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\n\r\nabc")
        .await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    assert_eq!(headers(&head, "content-length").collect::<Vec<_>>(), ["3"]);
    assert!(!head.contains('_'), "a CGI app would take them for the real ones: {head}");
    assert_eq!(upstream.take(3).await, b"abc");
}

#[tokio::test]
async fn two_lengths_become_the_one_that_counts() {
    for lengths in [
        "content-length: 6\r\ntransfer-encoding: chunked",
        "Transfer-Encoding: Chunked\r\nContent-Length: 6",
        "content-length: 6\r\ncontent-length: 6\r\ntransfer-encoding: chunked",
    ] {
        let (door, [worker]) = door().await;
        let mut client = Wire::connect(&door).await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nhost: a\r\n{lengths}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
            ))
            .await;
        let mut upstream = worker.accept().await;
        let head = upstream.head().await;
        assert_eq!(
            (header(&head, "content-length"), header(&head, "transfer-encoding")),
            (None, Some("chunked")),
            "{lengths}"
        );
        assert_eq!(upstream.take(5).await, b"0\r\n\r\n");
        upstream.answer(200, b"").await;
        assert_eq!(header(&client.head().await, "connection"), Some("close"));
        assert_eq!(client.rest().await, b"", "what follows is not trusted to be a request");
        let mut other = Wire::connect(&door).await;
        other.ask("GET", "/next").await;
        assert!(upstream.head().await.starts_with("GET /next "));
    }
}

#[tokio::test]
async fn chunks_arrive_in_one_writing_whatever_the_client_wrote_beside_them() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0003;x=\"y;z\" \r\nabc\r\n000\r\n\r\n\
             GET /second HTTP/1.1\r\nhost: a\r\n\r\n",
        )
        .await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!(upstream.take(13).await, b"3\r\nabc\r\n0\r\n\r\n");
    upstream.answer(200, b"").await;
    assert!(upstream.head().await.starts_with("GET /second "));
}

#[tokio::test]
async fn chunks_that_make_no_sense_do_not_end_in_a_request() {
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcX0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc",
        "\r\nabc\r\n0\r\n\r\n",
    ] {
        let (door, [worker]) = door().await;
        let mut client = Wire::connect(&door).await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{body}GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
            ))
            .await;
        assert_eq!(status(&client.head().await), 400, "{body:?}");
        client.rest().await;
        client = Wire::connect(&door).await;
        client.ask("GET", "/innocent").await;
        loop {
            // the head of the one that was broken off may have come
            let head = worker.accept().await.head().await;
            assert!(!head.contains("/smuggled"), "{body:?}: {head}");
            if head.starts_with("GET /innocent ") {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_stands_behind_a_body_cannot_say_what_the_head_may_not() {
    let (door, [worker]) = door().await;
    let mut client = Wire::connect(&door).await;
    client
        .send(
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
             trailer: x-sum, x-forwarded-for, x_real_ip, host, content-length, connection\r\n\r\n0\r\n\
             x-sum: 1\r\nx-forwarded-for: 6.6.6.6\r\nx_real_ip: 6.6.6.6\r\nhost: evil\r\ncontent-length: 5\r\n\
             connection: close\r\nx-unannounced: 2\r\n\r\n",
        )
        .await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!(upstream.head().await, "0\r\nx-sum: 1");
}

#[tokio::test]
async fn http_2_is_taken_out_of_what_a_client_would_change_to() {
    for (upgrade, expected) in [
        ("upgrade: h2c", None),
        ("upgrade: H2C, h2", None),
        ("upgrade: h2c\r\nupgrade: HTTP/2.0", None),
        ("upgrade: TLS/1.2, HTTP/1.1", None),
        ("upgrade: ,", None),
        ("upgrade: websocket, h2c", Some("websocket")),
        ("upgrade: h2c, websocket", Some("websocket")),
        ("upgrade: h2c\r\nupgrade: WebSocket", Some("WebSocket")),
        ("upgrade: a/1, h2c, b", Some("a/1, b")),
    ] {
        let head = at_the_worker(&format!(
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: Upgrade, HTTP2-Settings\r\n{upgrade}\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
        ))
        .await;
        assert_eq!(header(&head, "upgrade"), expected, "{upgrade}");
        assert_eq!(header(&head, "connection"), expected.map(|_| "upgrade"), "{upgrade}");
        assert!(!head.to_ascii_lowercase().contains("http2"), "{head}");
    }
}
