//! What is sent a second time when a worker dies by itself, and what never is.

use std::sync::Arc;
use std::time::Duration;

use front_door::{Death, FrontDoor, FrontDoorSettings};
use model::crash::AffectedRequests;

use crate::support::{
    StillClock, Wire, Worker, door, open, open_at, open_on, route, settings, soon, until, workers,
};

/// Requests that `worker` has read and not answered: each one's client and the worker's end.
async fn under_way(door: &FrontDoor, worker: &Worker, methods: &[&str]) -> Vec<(Wire, Wire)> {
    let mut under_way = Vec::new();
    for (number, method) in methods.iter().enumerate() {
        let mut client = Wire::connect(door).await;
        client.ask(method, &format!("/{number}")).await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        under_way.push((client, upstream));
    }
    under_way
}

/// The worker ends as a killed process does: nobody listens any more, its connections break. Its death becomes known before or
/// after that.
async fn die(
    door: &FrontDoor,
    worker: &mut Worker,
    under_way: Vec<(Wire, Wire)>,
    known_before: bool,
) -> (AffectedRequests, Vec<Wire>) {
    die_of(Death::Killed, door, worker, under_way, known_before).await
}

async fn die_of(
    death: Death,
    door: &FrontDoor,
    worker: &mut Worker,
    under_way: Vec<(Wire, Wire)>,
    known_before: bool,
) -> (AffectedRequests, Vec<Wire>) {
    worker.refuse();
    let early = if known_before { Some(door.worker_died(&worker.id, death).await) } else { None };
    let (clients, upstreams): (Vec<_>, Vec<_>) = under_way.into_iter().unzip();
    upstreams.into_iter().for_each(Wire::reset);
    let affected = match early {
        Some(affected) => affected,
        None => door.worker_died(&worker.id, death).await,
    };
    (affected, clients)
}

/// The next thing that each worker hears of is a later request.
async fn nothing_came_to(door: &FrontDoor, workers: &[&Worker]) {
    for worker in workers {
        route(door, [*worker]);
        let mut later = Wire::connect(door).await;
        later.ask("GET", "/later").await;
        assert!(worker.accept().await.head().await.starts_with("GET /later "));
    }
}

#[tokio::test]
async fn the_only_request_of_a_worker_that_died_is_the_suspect() {
    for known_before in [true, false] {
        for method in ["GET", "HEAD", "POST"] {
            let (door, [mut worker, other]) = door().await;
            route(&door, [&worker]);
            let under_way = under_way(&door, &worker, &[method]).await;
            route(&door, [&worker, &other]);
            let (affected, mut clients) = die(&door, &mut worker, under_way, known_before).await;
            assert_eq!((affected.count, affected.failed), (1, 1), "{method}");
            assert_eq!(affected.suspect.as_ref(), affected.requests.first());
            assert_eq!(affected.suspect.unwrap().method, method);
            assert!(clients[0].head().await.starts_with("HTTP/1.1 502 "));
            nothing_came_to(&door, &[&other]).await;
        }
    }
}

#[tokio::test]
async fn several_go_to_another_worker_except_what_is_no_get_or_head() {
    for known_before in [true, false] {
        let (door, [mut worker, other]) = door().await;
        route(&door, [&worker]);
        let methods = ["GET", "POST", "HEAD", "DELETE", "GET"];
        let under_way = under_way(&door, &worker, &methods).await;
        route(&door, [&worker, &other]);
        let (affected, mut clients) = die(&door, &mut worker, under_way, known_before).await;
        assert_eq!((affected.count, affected.failed, affected.suspect), (5, 2, None));
        for _ in 0..3 {
            let mut upstream = other.accept().await;
            let head = upstream.head().await;
            assert!(head.starts_with("GET ") || head.starts_with("HEAD "), "{head}");
            upstream.answer(200, b"").await;
        }
        for (client, method) in clients.iter_mut().zip(methods) {
            let expected = if matches!(method, "GET" | "HEAD") { 200 } else { 502 };
            assert_eq!(client.answered().await.0, expected, "{method}");
        }
        assert_eq!(door.in_flight(&worker.id), 0);
        nothing_came_to(&door, &[&other]).await;
        assert_eq!(door.worker_died(&worker.id, Death::Killed).await, AffectedRequests::default());
    }
}

#[tokio::test]
async fn the_newest_request_of_a_worker_that_died_by_itself_is_the_suspect() {
    for known_before in [true, false] {
        let clock = Arc::new(StillClock::default());
        let (door, [mut worker, other]) = (open_at(settings(), &clock), workers().await);
        route(&door, [&worker]);
        let mut requests = under_way(&door, &worker, &["GET", "GET"]).await;
        clock.forward(Duration::from_millis(1));
        requests.extend(under_way(&door, &worker, &["HEAD"]).await);
        route(&door, [&worker, &other]);
        let (affected, mut clients) =
            die_of(Death::ByItself, &door, &mut worker, requests, known_before).await;
        assert_eq!((affected.count, affected.failed), (3, 1));
        assert_eq!(affected.suspect.as_ref(), affected.requests.last());
        for _ in 0..2 {
            let mut upstream = other.accept().await;
            assert!(upstream.head().await.starts_with("GET "));
            upstream.answer(200, b"").await;
        }
        for (client, expected) in clients.iter_mut().zip([200, 200, 502]) {
            assert_eq!(client.answered().await.0, expected);
        }
        nothing_came_to(&door, &[&other]).await;
    }
}

/// A worker that is being replaced is ended with what it did not answer within its grace: that would hold up the next one too.
#[tokio::test]
async fn what_held_up_a_retired_worker_is_not_given_to_its_successor() {
    for known_before in [true, false] {
        let (door, [mut worker, other]) = door().await;
        route(&door, [&worker]);
        let under_way = under_way(&door, &worker, &["GET", "GET"]).await;
        route(&door, [&other]);
        let (affected, mut clients) = die(&door, &mut worker, under_way, known_before).await;
        assert_eq!((affected.count, affected.failed), (2, 2));
        for client in &mut clients {
            assert!(client.head().await.starts_with("HTTP/1.1 502 "));
        }
        nothing_came_to(&door, &[&other]).await;
    }
}

#[tokio::test]
async fn a_get_with_a_body_is_sent_once() {
    let (door, [mut worker, other]) = door().await;
    route(&door, [&worker]);
    let mut under_way = under_way(&door, &worker, &["GET"]).await;
    let mut client = Wire::connect(&door).await;
    client.send("GET /search HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.take(4).await;
    under_way.push((client, upstream));
    route(&door, [&worker, &other]);
    let (affected, mut clients) = die(&door, &mut worker, under_way, false).await;
    assert_eq!((affected.count, affected.failed), (2, 1));
    let mut upstream = other.accept().await;
    assert!(upstream.head().await.starts_with("GET /0 "));
    upstream.answer(200, b"").await;
    assert_eq!(clients[0].answered().await.0, 200);
    assert_eq!(clients[1].answered().await.0, 502);
}

#[tokio::test]
async fn each_is_tried_again_once() {
    let (door, [mut first, mut second, third]) = door().await;
    route(&door, [&first]);
    let mut under_way = under_way(&door, &first, &["GET", "GET"]).await;
    route(&door, [&first, &second]);
    let (_, clients) = die(&door, &mut first, std::mem::take(&mut under_way), true).await;
    for client in clients {
        let mut upstream = second.accept().await;
        upstream.head().await;
        under_way.push((client, upstream));
    }
    route(&door, [&second, &third]);
    let (affected, mut clients) = die(&door, &mut second, under_way, true).await;
    assert_eq!((affected.count, affected.failed, affected.suspect), (2, 2, None));
    for client in &mut clients {
        assert_eq!(client.answered().await.0, 502);
    }
    nothing_came_to(&door, &[&third]).await;
}

#[tokio::test]
async fn a_single_byte_of_an_answer_is_an_answer() {
    for known_before in [true, false] {
        let (door, [mut worker, other]) = door().await;
        route(&door, [&worker]);
        let mut under_way = under_way(&door, &worker, &["GET", "GET"]).await;
        under_way[0].1.send("H").await;
        // a later request on the same thread: by now the byte is read
        let mut later = Wire::connect(&door).await;
        later.ask("GET", "/later").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstream.answer(200, b"").await;
        later.answered().await;
        route(&door, [&worker, &other]);
        let (affected, mut clients) = die(&door, &mut worker, under_way, known_before).await;
        assert_eq!((affected.count, affected.failed), (2, 1));
        let mut upstream = other.accept().await;
        assert!(upstream.head().await.starts_with("GET /1 "));
        upstream.answer(200, b"").await;
        assert_eq!(clients[0].answered().await.0, 502);
        assert_eq!(clients[1].answered().await.0, 200);
    }
}

#[tokio::test]
async fn they_wait_for_the_replacement() {
    let (door, [mut worker]) = door().await;
    let under_way = under_way(&door, &worker, &["GET", "GET"]).await;
    let (affected, clients) = die(&door, &mut worker, under_way, false).await;
    assert_eq!((affected.count, affected.failed), (2, 0));
    let [replacement] = workers().await;
    door.route(vec![replacement.serve()]);
    for mut client in clients {
        assert_eq!(client.answered().await.0, 200);
    }
}

#[tokio::test]
async fn they_do_not_wait_for_ever_and_then_have_failed() {
    let door = open(FrontDoorSettings { wait: Duration::from_millis(30), ..settings() });
    let [mut worker] = workers().await;
    route(&door, [&worker]);
    let under_way = under_way(&door, &worker, &["GET", "GET"]).await;
    let (affected, clients) = die(&door, &mut worker, under_way, false).await;
    assert_eq!(affected.failed, 0);
    for mut client in clients {
        assert_eq!(client.answered().await.0, 503);
    }
    assert_eq!(door.worker_died(&worker.id, Death::Killed).await.failed, 2);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_while_the_worker_lives_costs_no_get() {
    for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 502)] {
        let (door, [worker]) = door().await;
        let mut client = Wire::connect(&door).await;
        client.ask("GET", "/first").await;
        let mut upstream = worker.accept().await;
        upstream.head().await;
        upstream.answer(200, b"").await;
        client.answered().await;
        client.ask(method, "/second").await;
        assert!(upstream.head().await.starts_with(&format!("{method} /second ")));
        drop(upstream);
        if status == 200 {
            let mut upstream = worker.accept().await;
            assert!(upstream.head().await.starts_with(&format!("{method} /second ")));
            upstream.answer(200, b"").await;
        }
        assert_eq!(client.answered().await.0, status);
        assert_eq!(door.in_flight(&worker.id), 0);
    }
}

#[tokio::test]
async fn a_new_connection_that_the_app_closes_is_its_answer() {
    let (door, [worker]) = door().await;
    let mut under_way = under_way(&door, &worker, &["GET", "GET"]).await;
    let (mut client, upstream) = under_way.pop().unwrap();
    drop(upstream);
    assert_eq!(client.answered().await.0, 502);
    nothing_came_to(&door, &[&worker]).await;
}

#[tokio::test]
async fn a_get_that_nobody_reads_is_sent_again_a_few_times() {
    for (deaths, status) in [(4, 200), (5, 502)] {
        for is_told in [true, false] {
            let (door, [worker]) = door().await;
            let mut client = Wire::connect(&door).await;
            client.ask("GET", "/waits").await;
            for _ in 0..deaths {
                drop(worker.accept().await);
                if is_told {
                    door.process_died(&worker.id, Death::ByItself, None).await;
                }
            }
            if status == 200 {
                let mut upstream = worker.accept().await;
                assert!(upstream.head().await.starts_with("GET /waits "));
                upstream.answer(200, b"").await;
            }
            assert_eq!(client.answered().await.0, status, "told: {is_told}");
            nothing_came_to(&door, &[&worker]).await;
        }
    }
}

#[tokio::test]
async fn retries_can_be_switched_off() {
    let door = open(FrontDoorSettings { retries: false, ..settings() });
    let [mut worker, other] = workers().await;
    route(&door, [&worker]);
    let under_way = under_way(&door, &worker, &["GET", "GET"]).await;
    route(&door, [&worker, &other]);
    let (affected, clients) = die(&door, &mut worker, under_way, false).await;
    assert_eq!((affected.count, affected.failed), (2, 2));
    for mut client in clients {
        assert_eq!(client.answered().await.0, 502);
    }
    nothing_came_to(&door, &[&other]).await;
}

#[tokio::test]
async fn who_does_not_wait_for_the_verdict_is_still_told() {
    let (door, [mut worker]) = door().await;
    let under_way = under_way(&door, &worker, &["GET"]).await;
    worker.refuse();
    for (client, upstream) in under_way {
        upstream.reset();
        // the thread has seen the reset before the client goes away
        let mut other = Wire::connect(&door).await;
        other.send("GET / HTTP/1.1\r\n\r\n").await;
        other.head().await;
        client.reset();
    }
    until(|| door.in_flight(&worker.id) == 0).await;
    let affected = door.worker_died(&worker.id, Death::Killed).await;
    assert_eq!((affected.count, affected.failed), (1, 0));
    assert_eq!(affected.suspect.unwrap().path, "/*");
}

#[tokio::test]
async fn the_budget_bounds_what_is_tried_again() {
    const ALL: usize = 160;
    // its clock stands still: no second goes by that would bring new tries
    let door = open_at(settings(), &Arc::default());
    let [mut worker, other] = workers().await;
    route(&door, [&worker]);
    let under_way = under_way(&door, &worker, &["GET"; ALL]).await;
    let (affected, clients) = die(&door, &mut worker, under_way, true).await;
    assert_eq!(affected.count as usize, ALL);
    let target = other.serve();
    door.route(vec![target]);
    let mut answered = 0;
    for mut client in clients {
        match client.answered().await.0 {
            200 => answered += 1,
            status => assert_eq!(status, 502),
        }
    }
    assert_eq!(affected.failed, ALL as u64 - answered);
    // ten a second for ten seconds, and a fifth of the requests that were counted by then
    assert!((100..=100 + ALL as u64 / 5).contains(&answered), "{answered} were tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn none_is_taken_for_the_only_one_on_many_threads() {
    for round in 0..20 {
        let door = open_on(4);
        let [mut worker, other] = workers().await;
        route(&door, [&worker]);
        let methods = ["GET", "GET", "POST", "GET", "GET", "GET", "GET", "GET"];
        let under_way = under_way(&door, &worker, &methods).await;
        let other = other.serve();
        door.route(vec![worker.target(), other]);
        worker.refuse();
        let (clients, upstreams): (Vec<_>, Vec<_>) = under_way.into_iter().unzip();
        let broke = tokio::spawn(async move {
            for upstream in upstreams {
                upstream.reset();
                tokio::task::yield_now().await;
            }
        });
        // known while they break, or when all have broken
        if round % 2 == 1 {
            soon(broke).await.unwrap();
        }
        let affected = door.worker_died(&worker.id, Death::Killed).await;
        assert_eq!((affected.count, affected.failed, affected.suspect), (8, 1, None));
        for (mut client, method) in clients.into_iter().zip(methods) {
            assert_eq!(client.answered().await.0, if method == "GET" { 200 } else { 502 });
        }
    }
}
