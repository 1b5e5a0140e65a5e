//! What is counted for auto-heal's rules.

use std::sync::Arc;
use std::time::Duration;

use front_door::FrontDoor;
use model::WorkerId;
use model::auto_heal::{Tallies, Tally, Unanswered, Watch};

use crate::support::{StillClock, Wire, Worker, door, open_at, open_on, route, settings, until, workers};

fn watch(statuses: Option<(u16, u16)>, at_least_s: u64, path: Option<&str>) -> Watch {
    Watch {
        statuses: statuses.map(|(first, last)| first..=last),
        at_least: Duration::from_secs(at_least_s),
        path: path.map(|path| path.parse().unwrap()),
        except: Vec::new(),
    }
}

fn tally(finished: u64, running: u64) -> Tally {
    Tally { finished, running, ..Tally::default() }
}

fn heard() -> Unanswered {
    Unanswered { heard: true, ..Unanswered::default() }
}

/// The tallies of the only worker.
async fn of_one(door: &FrontDoor) -> Tallies {
    let [(_, tallies)] = &door.tallies().await[..] else { panic!("one worker") };
    tallies.clone()
}

async fn answered(door: &FrontDoor, worker: &Worker, path: &str, status: u16) {
    let mut client = Wire::connect(door).await;
    client.ask("GET", path).await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send(format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")).await;
    assert_eq!(client.answered().await.0, status);
}

#[tokio::test]
async fn each_watch_counts_what_it_matches_in_the_lists_order() {
    let (door, [worker]) = door().await;
    assert_eq!(of_one(&door).await, Tallies::default());
    door.watch(
        7,
        vec![
            watch(Some((500, 530)), 0, None),
            watch(None, 0, Some("/a/*")),
            watch(Some((404, 404)), 0, Some("/a*")),
        ],
    );
    for (path, status) in [("/a/b?q=/c", 200), ("/a/b", 404), ("/c", 404), ("/c", 503)] {
        answered(&door, &worker, path, status).await;
    }
    let tallies = of_one(&door).await;
    assert_eq!((tallies.generation, tallies.total), (7, tally(4, 0)));
    assert_eq!(tallies.of_watch, [tally(1, 0), tally(2, 0), tally(1, 0)]);
    assert_eq!(of_one(&door).await.of_watch, [Tally::default(); 3], "each is told once");
}

#[tokio::test]
async fn a_running_request_counts_by_its_age_until_it_has_ended() {
    let clock = Arc::new(StillClock::default());
    let door = open_at(settings(), &clock);
    let [worker] = workers().await;
    route(&door, [&worker]);
    door.watch(1, vec![watch(None, 30, Some("/slow")), watch(Some((200, 299)), 0, None)]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/slow").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    assert_eq!((of_one(&door).await.total, of_one(&door).await.of_watch[0]), (tally(0, 1), tally(0, 0)));
    clock.forward(Duration::from_secs(30));
    assert_eq!(of_one(&door).await.of_watch, [tally(0, 1), tally(0, 0)]);
    upstream.answer(200, b"").await;
    client.answered().await;
    until(|| door.in_flight(&worker.id) == 0).await;
    let tallies = of_one(&door).await;
    assert_eq!((tallies.total, &tallies.of_watch[..]), (tally(1, 0), &[tally(1, 0), tally(1, 0)][..]));
}

#[tokio::test]
async fn what_has_no_answer_has_ended_too() {
    let (door, [worker]) = door().await;
    door.watch(1, vec![watch(Some((499, 499)), 0, None), watch(Some((502, 502)), 0, None)]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    client.reset();
    upstream.rest().await;
    let mut client = Wire::connect(&door).await;
    client.ask("POST", "/").await;
    worker.accept().await.head().await;
    assert_eq!(client.answered().await.0, 502);
    until(|| door.in_flight(&worker.id) == 0).await;
    let tallies = of_one(&door).await;
    let given_up = |finished| Tally { given_up_early: 1, ..tally(finished, 0) };
    assert_eq!((tallies.total, &tallies.of_watch[..]), (given_up(2), &[given_up(1), tally(1, 0)][..]));
}

#[tokio::test]
async fn a_tunnel_is_no_request_once_it_is_open() {
    let (door, [worker]) = door().await;
    door.watch(1, vec![watch(None, 0, None)]);
    let mut client = Wire::connect(&door).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    let mut upstream = worker.accept().await;
    upstream.head().await;
    upstream.send("HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await;
    client.head().await;
    assert_eq!(of_one(&door).await.total, tally(1, 0));
    assert_eq!(door.in_flight(&worker.id), 1);
    drop((client, upstream));
    until(|| door.in_flight(&worker.id) == 0).await;
    assert_eq!(of_one(&door).await.total, tally(0, 0));
}

#[tokio::test]
async fn a_new_list_begins_anew_and_the_total_goes_on() {
    let (door, [worker]) = door().await;
    door.watch(1, vec![watch(None, 0, None)]);
    answered(&door, &worker, "/", 200).await;
    door.watch(2, vec![watch(Some((404, 404)), 0, None), watch(None, 0, None)]);
    answered(&door, &worker, "/", 404).await;
    let tallies = of_one(&door).await;
    assert_eq!((tallies.generation, tallies.total), (2, tally(2, 0)));
    assert_eq!(tallies.of_watch, [tally(1, 0), tally(1, 0)]);
    door.watch(3, Vec::new());
    answered(&door, &worker, "/", 200).await;
    assert_eq!(
        of_one(&door).await,
        Tallies {
            generation: 3,
            total: tally(1, 0),
            of_watch: Vec::new(),
            unanswered: heard(),
            ..Tallies::default()
        }
    );
}

#[tokio::test]
async fn an_old_workers_requests_are_not_its_successors() {
    let (door, [old, _]) = door().await;
    route(&door, [&old]);
    let mut client = Wire::connect(&door).await;
    client.ask("GET", "/").await;
    let mut upstream = old.accept().await;
    upstream.head().await;
    // of the same instance
    let new = Worker::listen(0).await;
    route(&door, [&new]);
    answered(&door, &new, "/", 200).await;
    assert_eq!(
        door.tallies().await,
        [(new.id.clone(), Tallies { total: tally(1, 0), unanswered: heard(), ..Tallies::default() })]
    );
    upstream.answer(500, b"").await;
    client.answered().await;
    until(|| door.is_drained(&old.id)).await;
    assert_eq!(door.tallies().await, [(new.id.clone(), Tallies::default())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_add_up_and_none_is_counted_twice() {
    let door = Arc::new(open_on(4));
    let targets = workers::<2>().await.map(Worker::serve);
    door.route(targets.to_vec());
    door.watch(1, vec![watch(Some((200, 200)), 0, None)]);
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let door = Arc::clone(&door);
            tokio::spawn(async move {
                let mut client = Wire::connect(&door).await;
                for _ in 0..50 {
                    client.ask("GET", "/").await;
                    client.answered().await;
                }
            })
        })
        .collect();
    let mut sums = [0; 2];
    let mut add = |tallies: Vec<(WorkerId, Tallies)>| {
        for (_, tallies) in tallies {
            sums[0] += tallies.total.finished;
            sums[1] += tallies.of_watch[0].finished;
        }
    };
    for client in clients {
        client.await.unwrap();
        add(door.tallies().await);
    }
    until(|| targets.iter().all(|target| door.in_flight(&target.worker) == 0)).await;
    add(door.tallies().await);
    assert_eq!(sums, [16 * 50; 2]);
}
