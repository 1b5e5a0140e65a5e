//! Apps that share their serving threads.

use std::sync::Arc;

use front_door::{Death, FrontDoor, FrontDoorSettings, ServingThreads};
use model::Clock;

use crate::support::{StillClock, Wire, route, settings, threads, until, workers};

fn open(name: &str, serving: &ServingThreads) -> FrontDoor {
    let settings = FrontDoorSettings { app: name.parse().unwrap(), ..settings() };
    let clock = Arc::new(StillClock::default()) as Arc<dyn Clock>;
    FrontDoor::bind(settings, clock, serving).unwrap()
}

#[tokio::test]
async fn apps_on_the_same_thread_know_nothing_of_each_other() {
    let serving = threads(1);
    let (shop, blog) = (open("shop", &serving), open("blog", &serving));
    drop(serving);
    let [of_shop, of_blog] = workers().await;
    route(&shop, [&of_shop]);
    route(&blog, [&of_blog]);
    let mut reader = Wire::connect(&blog).await;
    reader.ask("GET", "/").await;
    let mut upstream = of_blog.accept().await;
    upstream.head().await;
    let mut buyer = Wire::connect(&shop).await;
    buyer.ask("GET", "/").await;
    of_shop.accept().await.head().await;

    let affected = shop.worker_died(&of_shop.id, Death::Killed).await;
    assert_eq!((affected.count, blog.in_flight(&of_blog.id)), (1, 1));
    assert_eq!(buyer.answered().await.0, 502);
    assert_eq!(shop.take_minutes().await.len(), 1);
    assert_eq!(blog.take_minutes().await[0].most_in_flight, 1);

    drop(shop);
    assert_eq!(buyer.rest().await, b"", "a front door that is gone has no connections");
    upstream.answer(200, b"still here").await;
    assert_eq!(reader.answered().await, (200, b"still here".to_vec()));
}

/// A client that has been answered and is idle now.
async fn idle(door: &FrontDoor) -> Wire {
    let mut client = Wire::connect(door).await;
    client.ask("GET", "/").await;
    assert_eq!(client.answered().await.0, 200);
    client
}

#[tokio::test]
async fn an_apps_idle_clients_make_room_for_anothers() {
    let serving = threads(1);
    let (shop, blog) = (open("shop", &serving), open("blog", &serving));
    let [of_shop, of_blog] = workers().await;
    shop.route(vec![of_shop.serve()]);
    blog.route(vec![of_blog.serve()]);
    serving.limit_connections(24);
    let mut buyers = Vec::new();
    // of twelve, a quarter is not for one app alone
    for _ in 0..9 {
        buyers.push(idle(&shop).await);
    }
    let mut readers = Vec::new();
    for _ in 0..5 {
        readers.push(idle(&blog).await);
    }
    for reader in &mut readers {
        reader.ask("GET", "/").await;
        assert_eq!(reader.answered().await.0, 200);
    }
    assert_eq!(buyers[0].rest().await, b"", "the longest idle has gone");
    let latest = buyers.last_mut().unwrap();
    latest.ask("GET", "/").await;
    assert_eq!(latest.answered().await.0, 200, "the latest used is still there");
    let counts = serving.connections();
    assert!(counts.clients <= counts.limit && counts.turned_away == 0, "{counts:?}");
}

#[tokio::test]
async fn clients_that_wait_at_one_app_leave_room_for_anothers() {
    let serving = threads(1);
    let (shop, blog) = (open("shop", &serving), open("blog", &serving));
    let [of_shop, of_blog] = workers().await;
    route(&shop, [&of_shop]);
    blog.route(vec![of_blog.serve()]);
    serving.limit_connections(32);
    let mut waiting = Vec::new();
    for _ in 0..12 {
        let mut client = Wire::connect(&shop).await;
        client.ask("GET", "/").await;
        let mut upstream = of_shop.accept().await;
        upstream.head().await;
        waiting.push((client, upstream));
    }
    assert_eq!(Wire::connect(&shop).await.answered().await.0, 503, "all that the app may have are busy");
    let _reader = idle(&blog).await;
    for (client, upstream) in &mut waiting {
        upstream.answer(200, b"").await;
        assert_eq!(client.answered().await.0, 200);
    }
}

#[tokio::test]
async fn a_limit_that_is_lowered_in_flight_is_kept_to() {
    let serving = threads(2);
    let shop = open("shop", &serving);
    let [worker] = workers().await;
    shop.route(vec![worker.serve()]);
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(idle(&shop).await);
    }
    assert_eq!((serving.connections().clients, serving.connections().closed_idle), (40, 0));
    serving.limit_connections(20);
    until(|| serving.connections().clients <= 10).await;
    // one after the other finds room, on whichever thread it comes
    for _ in 0..40 {
        clients.push(idle(&shop).await);
    }
    until(|| serving.connections().clients <= 10 && serving.connections().to_workers <= 10).await;
    assert_eq!(serving.connections().turned_away, 0);
}

#[tokio::test]
async fn connections_to_workers_are_used_again() {
    let serving = threads(1);
    let shop = open("shop", &serving);
    let [worker] = workers().await;
    shop.route(vec![worker.serve()]);
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(idle(&shop).await);
    }
    let counts = serving.connections();
    assert_eq!((counts.clients, counts.to_workers), (10, 1), "one after the other over the same connection");
    drop(clients);
    until(|| serving.connections().clients == 0).await;
}

#[tokio::test]
async fn a_flood_of_connections_to_one_app_leaves_another_its_turn() {
    let serving = threads(1);
    let (shop, blog) = (Arc::new(open("shop", &serving)), open("blog", &serving));
    let [worker] = workers().await;
    blog.route(vec![worker.serve()]);
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let shop = Arc::clone(&shop);
            tokio::spawn(async move {
                loop {
                    drop(Wire::connect(&shop).await);
                }
            })
        })
        .collect();
    for _ in 0..20 {
        idle(&blog).await;
    }
    assert!(flood.iter().all(|flooding| !flooding.is_finished()));
    flood.iter().for_each(tokio::task::JoinHandle::abort);
}
