//! How long the pages' questions take on SQLite: a day of minutes, and the top incidents over 100,000 crashes beside the same
//! answer by a scan. `cargo bench -p store`; the figures are printed, nothing is asserted.
#![expect(clippy::disallowed_methods, reason = "a bench measures real time")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

#[path = "../tests/conformance/fixtures.rs"]
#[expect(dead_code, reason = "shared with the conformance suite, which uses more of it")]
mod fixtures;

use std::time::{Duration, Instant};

use fixtures::{app, at, captured, crash, instance, node, range};
use model::requests::RequestMinute;
use sqlx::{Connection as _, SqliteConnection};
use store::{Database, Flush, Store};

const CRASHES: i64 = 1_000_000;
const INCIDENTS: i64 = 2_000;
const INSTANCES: u16 = 10;
const DAY_MS: i64 = 86_400_000;
const ROUNDS: usize = 21;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
    let mut shell = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    println!("one crash recorded durably: {:?}", record(&store).await);
    println!("a minute of {INSTANCES} instances added: {:?}", add_minutes(&store).await);
    multiply(&mut shell).await;

    let (shop, day) = (app("shop"), range(0, DAY_MS));
    let rows = store.minutes(&shop, day).await.unwrap().len();
    measure(&format!("24 h of minutes, {rows} rows"), async || {
        store.minutes(&shop, day).await.unwrap().len()
    })
    .await;
    let incidents = async || store.incidents(Some(&shop), Some(day), 20).await.unwrap().len();
    measure(&format!("20 incidents of {INCIDENTS}, {CRASHES} crashes"), incidents).await;
    measure("20 incidents, all apps, ever", async || store.incidents(None, None, 20).await.unwrap().len())
        .await;
    let scan =
        "SELECT signature, COUNT(*) AS n, MAX(at_ms) FROM crash GROUP BY incident ORDER BY n DESC LIMIT 20";
    measure("  anchor: the same signatures by a scan", async || {
        sqlx::query(scan).fetch_all(&mut shell).await.unwrap().len()
    })
    .await;
    let counts = async || store.crash_counts(&shop, day, Duration::from_mins(5)).await.unwrap().len();
    measure(&format!("counts of {CRASHES} crashes, for a chart"), counts).await;
    let by_incident = async || store.incident_counts(&shop, day, 200).await.unwrap().len();
    measure(&format!("counts of {CRASHES} crashes, by incident"), by_incident).await;
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

/// A day of every instance, flushed minute by minute.
async fn add_minutes(store: &Store) -> Duration {
    let begun = Instant::now();
    for number in 0..1_440 {
        let minute = |index| {
            let mut minute = RequestMinute::empty(instance("shop", index), at(number * 60_000));
            minute.by_class = [0, 950, 20, 29, 1];
            (0..1_000_u64).for_each(|request| minute.latency.record(request * request * 3));
            minute
        };
        let flush = Flush { boot: "bench".to_owned(), number: number.unsigned_abs() + 1, at: at(0) };
        store
            .add_minutes(&node("node-a"), &flush, &(0..INSTANCES).map(minute).collect::<Vec<_>>())
            .await
            .unwrap();
    }
    begun.elapsed() / 1_440
}

/// From one real row: the recording itself is measured above.
async fn multiply(shell: &mut SqliteConnection) {
    let path =
        sqlx::query_scalar::<_, String>("SELECT file FROM pragma_database_list").fetch_one(&mut *shell).await;
    let store = Store::open(&Database::Sqlite(path.unwrap().into())).await.unwrap();
    store.record_crash(&crash("shop", 0, 1)).await.unwrap();
    store.close().await;
    for sql in [
        "CREATE TEMP TABLE one AS SELECT * FROM crash WHERE app = 'shop'",
        "CREATE TEMP TABLE many AS WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < $1) \
         SELECT n, printf('%016x', n % $2) AS id FROM n",
        "INSERT INTO incident SELECT id, 'shop', 'signature ' || id, COUNT(*), MIN(n), MAX(n) FROM many WHERE id NOT IN \
         (SELECT id FROM incident) GROUP BY id",
        "INSERT INTO incident_instance SELECT DISTINCT id, 'node-a', 0 FROM many WHERE true ON CONFLICT DO NOTHING",
        "UPDATE incident SET first_seen_ms = (SELECT at_ms FROM one), last_seen_ms = (SELECT at_ms FROM one) \
         + last_seen_ms * 86000000 / $1 WHERE app = 'shop' AND last_seen_ms < 1000000",
        "INSERT INTO crash SELECT 'node-a/shop/0/' || (1000000000000 + n), app, at_ms + n * 86000000 / $1, node, instance, id, 0, pid, \
         uptime_ms, cause, signal, exit_code, exception_type, runtime, 'signature ' || id, in_flight_count, in_flight, notes, \
         crashing_thread, modules, memory FROM many CROSS JOIN one",
        "INSERT INTO crash_minute SELECT app, at_ms - at_ms % 60000, node, instance, incident, COUNT(*), MAX(at_ms) FROM crash \
         WHERE app = 'shop' GROUP BY 1, 2, 3, 4, 5 ON CONFLICT DO NOTHING",
        "INSERT INTO crash_place_minute SELECT app, at_ms - at_ms % 60000, node, instance, COUNT(*), 0, MIN(at_ms), MAX(at_ms) \
         FROM crash WHERE app = 'shop' GROUP BY 1, 2, 3, 4 ON CONFLICT DO NOTHING",
    ] {
        let query = sqlx::query(sql);
        let query = if sql.contains("$1") { query.bind(CRASHES) } else { query };
        let query = if sql.contains("$2") { query.bind(INCIDENTS) } else { query };
        query.execute(&mut *shell).await.unwrap();
    }
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
