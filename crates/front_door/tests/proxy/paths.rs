//! What is said of a request's path: what was learnt from the app's own traffic, and no more.

use front_door::{Death, FrontDoor, FrontDoorSettings};

use crate::support::{Wire, Worker, ask_often, door, open, route, settings, workers};

/// The methods and paths that are told when the worker dies with these requests, sorted.
async fn told(door: &FrontDoor, worker: &Worker, requests: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut held = Vec::new();
    for (method, path) in requests {
        let mut client = Wire::connect(door).await;
        client.ask(method, path).await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        held.push((client, upstream));
    }
    let cost = door.worker_died(&worker.id, Death::ByItself).await;
    let mut told: Vec<_> = cost.requests.into_iter().map(|request| (request.method, request.path)).collect();
    told.sort();
    told
}

#[tokio::test]
async fn a_path_is_named_once_it_was_asked_for_often() {
    let (door, [first, second]) = door().await;
    route(&door, [&first]);
    let requests = [("GET", "/cart/checkout?card=4111"), ("POST", "/cart/jane-doe")];
    assert_eq!(
        told(&door, &first, &requests).await,
        [("GET".to_owned(), "/*/*".to_owned()), ("POST".to_owned(), "/*/*".to_owned())]
    );
    route(&door, [&second]);
    ask_often(&door, &second, "/cart/checkout").await;
    // no second has gone by: the last hundred requests count at once
    assert_eq!(
        told(&door, &second, &requests).await,
        [("GET".to_owned(), "/cart/checkout".to_owned()), ("POST".to_owned(), "/cart/*".to_owned())],
        "what one worker was asked for is known when the next dies"
    );
}

#[tokio::test]
async fn all_threads_learn_together() {
    let door = open(FrontDoorSettings { sockets: 4, ..settings() });
    let [worker, other] = workers().await;
    let target = worker.serve();
    door.route(vec![target]);
    for _ in 0..100 {
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/cart/checkout").await;
        client.answered().await;
    }
    route(&door, [&other]);
    assert_eq!(told(&door, &other, &[("GET", "/cart/checkout")]).await[0].1, "/cart/checkout");
}

#[tokio::test]
async fn a_person_is_not_named_however_often_and_what_is_not_there_teaches_nothing() {
    let (door, [worker]) = door().await;
    ask_often(&door, &worker, "/users/jane-doe/orders").await;
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/wp-admin").await;
    let mut upstream = worker.accept().await;
    for _ in 0..100 {
        upstream.head().await;
        upstream.answer(404, b"").await;
        client.answered().await;
        client.ask("GET", "/wp-admin").await;
    }
    upstream.head().await;
    drop((client, upstream));
    let requests = [
        ("GET", "/users/jane-doe/orders"),
        ("GET", "/users/jane-doe"),
        ("PROPFIND", "/wp-admin"),
        ("JANE", "/"),
    ];
    let told = told(&door, &worker, &requests).await;
    let told: Vec<_> = told.iter().map(|(method, path)| (&**method, &**path)).collect();
    assert_eq!(
        told,
        [("*", "/"), ("GET", "/users/*"), ("GET", "/users/*/orders"), ("PROPFIND", "/*")],
        "a client writes any method"
    );
}
