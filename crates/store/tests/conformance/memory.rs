//! Memory by the minute.

use model::Place;
use model::memory::MemoryMinute;
use store::{Database, Store};
use tokio::task::JoinSet;

use crate::databases::change;
use crate::fixtures::{EVER, app, at, memory, node, range};

fn on(node_name: &str, (mut place, minute): (Place, MemoryMinute)) -> (Place, MemoryMinute) {
    place.node = node(node_name);
    (place, minute)
}

/// What is stored of `shop`, by place.
async fn stored(store: &Store) -> Vec<(Place, MemoryMinute)> {
    let histories = store.memory_histories(&app("shop"), EVER).await.unwrap();
    let pairs = histories
        .into_iter()
        .flat_map(|history| history.minutes.into_iter().map(move |minute| (history.place.clone(), minute)));
    pairs.collect()
}

pub(crate) async fn a_minute_flushed_twice_keeps_the_peak_and_the_latest_limit(store: Store, _: Database) {
    let (place, first) = memory("shop", 0, 0, 500);
    let add = async |minutes: &[MemoryMinute]| {
        let minutes: Vec<_> = minutes.iter().map(|minute| (place.clone(), *minute)).collect();
        store.add_memory_minutes(&minutes).await.unwrap();
    };
    add(&[first]).await;
    assert_eq!(stored(&store).await, [(place.clone(), first)]);

    let lower = MemoryMinute { private_bytes_max: 400, limit_bytes: 1_000, ..first };
    add(&[lower]).await;
    let peak = MemoryMinute { private_bytes_max: 500, ..lower };
    assert_eq!(stored(&store).await, [(place.clone(), peak)]);

    // twice in one flush
    let higher = MemoryMinute { private_bytes_max: u64::MAX, limit_bytes: 2_000, ..peak };
    add(&[higher, lower]).await;
    add(&[]).await;
    assert_eq!(stored(&store).await, [(place.clone(), MemoryMinute { limit_bytes: 1_000, ..higher })]);
}

pub(crate) async fn concurrent_flushes_keep_the_peak(store: Store, _: Database) {
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = store.clone();
        tasks.spawn(async move {
            // over the end of an hour
            let mut rows: Vec<_> = (35..55).map(|number| memory("shop", 0, number, task)).collect();
            if task % 2 == 0 {
                rows.reverse();
            }
            for _ in 0..5 {
                store.add_memory_minutes(&rows).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let expected: Vec<_> = (35..55).map(|number| memory("shop", 0, number, 5)).collect();
    assert_eq!(stored(&store).await, expected);
}

pub(crate) async fn memory_of_one_app_in_a_range(store: Store, _: Database) {
    let rows: Vec<_> = (0..4).map(|number| on("node-b", memory("shop", 0, number, 1))).collect();
    store.add_memory_minutes(&rows).await.unwrap();
    store.add_memory_minutes(&[memory("shop", 1, 1, 1), memory("shop", 0, 1, 1)]).await.unwrap();
    store.add_memory_minutes(&[memory("shop", 2, 0, 1), memory("other", 0, 1, 1)]).await.unwrap();
    let read = store.memory_histories(&app("shop"), range(60_000, 180_000)).await.unwrap();
    let parts: Vec<_> = read
        .iter()
        .map(|history| {
            let times: Vec<_> = history.minutes.iter().map(|minute| minute.minute).collect();
            (history.place.node.as_str(), history.place.instance, times)
        })
        .collect();
    let (one, two) = (at(60_000), at(120_000));
    assert_eq!(parts, [("node-a", 0, vec![one]), ("node-a", 1, vec![one]), ("node-b", 0, vec![one, two])]);
}

pub(crate) async fn memory_of_an_older_medic_is_read_and_added_to(store: Store, database: Database) {
    store.close().await;
    keep_memory_by_the_minute(&database).await;
    for sql in [
        // 08:15, 09:00 and 09:01
        "INSERT INTO memory_minute VALUES ('shop', 1769847300000, 'node-a', 0, 7, 9), \
         ('shop', 1769850060000, 'node-a', 0, 5, 9), ('shop', 1769850000000, 'node-a', 0, 6, 9)",
        "DELETE FROM _sqlx_migrations WHERE version = 15",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let minute = |number, private_bytes_max, limit_bytes| {
        let (place, minute) = memory("shop", 0, number, private_bytes_max);
        (place, MemoryMinute { limit_bytes, ..minute })
    };
    assert_eq!(stored(&store).await, [minute(0, 7, 9), minute(45, 6, 9), minute(46, 5, 9)]);
    store.add_memory_minutes(&[minute(46, 8, 10)]).await.unwrap();
    assert_eq!(stored(&store).await, [minute(0, 7, 9), minute(45, 6, 9), minute(46, 8, 10)]);
    store.close().await;
}

/// As it was up to the twelfth number of the tables, without a row.
pub(crate) async fn keep_memory_by_the_minute(database: &Database) {
    for sql in [
        "DROP TABLE memory_hour",
        "CREATE TABLE memory_minute (app TEXT, minute_ms BIGINT, node TEXT, instance BIGINT, private_bytes_max BIGINT, \
         limit_bytes BIGINT)",
    ] {
        change(database, sql).await;
    }
}
