//! How long the pages' questions take on SQLite: a day of minutes, and the top incidents over 1,000,000 crashes beside the same
//! answer by a scan. `cargo bench -p store`; the figures are printed, nothing is asserted. The server's bench `pages` measures
//! whole pages, on both databases.
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

mod busy_day;
#[path = "../tests/conformance/fixtures.rs"]
#[expect(dead_code, reason = "shared with the conformance suite, which uses more of it")]
mod fixtures;

use std::time::{Duration, Instant};

use busy_day::BusyDay;
use fixtures::{app, at, captured, instance, node, range};
use model::requests::RequestMinute;
use sqlx::{Connection as _, SqliteConnection};
use store::{Database, Flush, Store};

const DAY_MS: i64 = 86_400_000;
const DAY: BusyDay = BusyDay {
    instances: 10,
    crashes: 1_000_000,
    incidents: 2_000,
    requests_per_minute: 695,
    restarts: 1_000,
};
const ROUNDS: usize = 21;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
    let mut shell = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    println!("one crash recorded durably: {:?}", record(&store).await);
    println!("a minute of {} instances added: {:?}", DAY.instances, add_minutes(&store).await);
    let (shop, day) = (app("shop"), range(0, DAY_MS));
    DAY.write(&Database::Sqlite(path), &node("node-a"), &shop, day.end).await;

    let minutes = async || {
        let mut rows = 0;
        store.each_minute(&shop, day, true, |_| rows += 1).await.unwrap();
        rows
    };
    measure(&format!("24 h of minutes, {} rows", minutes().await), minutes).await;
    let incidents = async || store.incidents(Some(&shop), Some(day), 20).await.unwrap().len();
    measure(&format!("20 incidents of {}, {} crashes", DAY.incidents, DAY.crashes), incidents).await;
    measure("20 incidents, all apps, ever", async || store.incidents(None, None, 20).await.unwrap().len())
        .await;
    let scan =
        "SELECT signature, COUNT(*) AS n, MAX(at_ms) FROM crash GROUP BY incident ORDER BY n DESC LIMIT 20";
    measure("  anchor: the same signatures by a scan", async || {
        sqlx::query(scan).fetch_all(&mut shell).await.unwrap().len()
    })
    .await;
    let counts = async || store.crash_counts(&shop, day, Duration::from_mins(5)).await.unwrap().len();
    measure("counts of crashes, for a chart", counts).await;
    let by_incident = async || store.incidents_in_range(&shop, day, 200).await.unwrap().len();
    measure("counts of crashes, by incident", by_incident).await;
    measure("the latest 50 crashes", async || store.crashes(&shop, day, 50).await.unwrap().len()).await;
    store.close().await;
}

/// Durably, one after the other.
async fn record(store: &Store) -> Duration {
    let begun = Instant::now();
    for number in 0..200 {
        store.record_crash(&captured("other", number, 0xffff)).await.unwrap();
    }
    begun.elapsed() / 200
}

/// A day of every instance of another app, flushed minute by minute.
async fn add_minutes(store: &Store) -> Duration {
    let begun = Instant::now();
    for number in 0..1_440 {
        let minute = |index| {
            let mut minute = RequestMinute::empty(instance("other", index), at(number * 60_000));
            minute.by_class = [0, 950, 20, 29, 1];
            (0..1_000_u64).for_each(|request| minute.latency.record(request * request * 3));
            minute
        };
        let flush = Flush { boot: "bench".to_owned(), number: number.unsigned_abs() + 1, at: at(0) };
        store
            .add_minutes(&node("node-a"), &flush, &(0..DAY.instances).map(minute).collect::<Vec<_>>())
            .await
            .unwrap();
    }
    begun.elapsed() / 1_440
}

/// The median of some rounds.
async fn measure(what: &str, mut call: impl AsyncFnMut() -> usize) {
    let mut times = Vec::new();
    let mut rows = 0;
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        rows = call().await;
        times.push(begun.elapsed());
    }
    times.sort();
    println!("{what}: {:?} ({rows} answered; slowest {:?})", times[ROUNDS / 2], times[ROUNDS - 1]);
}
