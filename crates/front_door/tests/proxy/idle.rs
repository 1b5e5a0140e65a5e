//! Clients that have been idle for so long that their buffers are given up.

use std::time::Duration;

use front_door::{FrontDoor, FrontDoorSettings, Limits, ServingThreads};

use crate::support::{Wire, open_with, route, settings, soon, threads, until, workers};

const SECOND: Duration = Duration::from_secs(1);

/// An app, and another on the same thread by which time is measured there.
struct Apps {
    serving: ServingThreads,
    shop: FrontDoor,
    timer: FrontDoor,
}

impl Apps {
    fn open() -> Self {
        let serving = threads(1);
        let shop = open_with(settings(), &serving);
        let limits = Limits { idle: 2 * SECOND, ..Limits::default() };
        let timer = FrontDoorSettings { app: "timer".parse().unwrap(), limits, ..settings() };
        let timer = open_with(timer, &serving);
        Self { serving, shop, timer }
    }

    /// The thread looks at its clients once a second, and disconnects one of the timer's after more than two looks.
    async fn some_seconds(&self) {
        assert_eq!(Wire::connect(&self.timer).await.rest().await, b"");
    }
}

#[tokio::test]
async fn a_client_is_served_after_it_was_idle_for_long() {
    let apps = Apps::open();
    let [worker] = workers().await;
    apps.shop.route(vec![worker.serve()]);
    let mut clients = [Wire::connect(&apps.shop).await, Wire::connect(&apps.shop).await];
    let [used, _unused] = &mut clients;
    used.ask("GET", "/").await;
    assert_eq!(used.answered().await.0, 200);
    for _ in 0..2 {
        apps.some_seconds().await;
        for client in &mut clients {
            client.send("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nagain").await;
            assert_eq!(client.answered().await, (200, b"again".to_vec()));
        }
    }
}

#[tokio::test]
async fn a_part_of_a_head_that_came_with_the_last_request_is_kept() {
    let apps = Apps::open();
    let [worker] = workers().await;
    route(&apps.shop, [&worker]);
    let mut client = Wire::connect(&apps.shop).await;
    client.send("GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /second HTTP/1.1\r\nho").await;
    let mut upstream = worker.accept().await;
    assert!(upstream.head().await.starts_with("GET /first "));
    upstream.send("HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(client.answered().await.0, 200);
    apps.some_seconds().await;
    client.send("st: y\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    let head = upstream.head().await;
    assert!(head.starts_with("GET /second HTTP/1.1\r\nhost: y"), "{head}");
    upstream.answer(200, b"").await;
    assert_eq!(client.answered().await.0, 200);
}

#[tokio::test]
async fn an_idle_client_that_leaves_is_noticed_and_one_that_stays_is_disconnected_at_the_end() {
    let apps = Apps::open();
    let [worker] = workers().await;
    apps.shop.route(vec![worker.serve()]);
    let (mut stays, mut leaves) = (Wire::connect(&apps.shop).await, Wire::connect(&apps.shop).await);
    for client in [&mut stays, &mut leaves] {
        client.ask("GET", "/").await;
        assert_eq!(client.answered().await.0, 200);
    }
    apps.some_seconds().await;
    assert_eq!(apps.serving.connections().clients, 2);
    drop(leaves);
    until(|| apps.serving.connections().clients == 1).await;
    soon(apps.shop.shut_down(Duration::from_hours(1))).await;
    assert_eq!(stays.rest().await, b"");
}
