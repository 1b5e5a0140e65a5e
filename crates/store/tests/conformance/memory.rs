//! Memory by the minute.

use model::memory::MemoryMinute;
use store::{Database, Store};
use tokio::task::JoinSet;

use crate::fixtures::{EVER, app, at, memory, node, range};

fn on(node_name: &str, mut minute: MemoryMinute) -> MemoryMinute {
    minute.place.node = node(node_name);
    minute
}

pub(crate) async fn a_minute_flushed_twice_keeps_the_peak_and_the_latest_limit(store: Store, _: Database) {
    let first = memory("shop", 0, 0, 500);
    store.add_memory_minutes(std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), std::slice::from_ref(&first));

    let lower = MemoryMinute { private_bytes_max: 400, limit_bytes: 1_000, ..first.clone() };
    store.add_memory_minutes(std::slice::from_ref(&lower)).await.unwrap();
    let peak = MemoryMinute { private_bytes_max: 500, ..lower.clone() };
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), std::slice::from_ref(&peak));

    // twice in one flush; more than a database holds
    let higher = MemoryMinute { private_bytes_max: u64::MAX, limit_bytes: 2_000, ..peak };
    store.add_memory_minutes(&[higher.clone(), lower]).await.unwrap();
    store.add_memory_minutes(&[]).await.unwrap();
    let most = u64::try_from(i64::MAX).unwrap();
    let stored = MemoryMinute { private_bytes_max: most, limit_bytes: 1_000, ..higher };
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), [stored]);
}

pub(crate) async fn concurrent_flushes_keep_the_peak(store: Store, _: Database) {
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut rows: Vec<_> = (0..20).map(|number| memory("shop", 0, number, task)).collect();
            if task % 2 == 0 {
                rows.reverse();
            }
            for _ in 0..5 {
                store.add_memory_minutes(&rows).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let rows = store.memory_minutes(&app("shop"), EVER).await.unwrap();
    let expected: Vec<_> = (0..20).map(|number| memory("shop", 0, number, 5)).collect();
    assert_eq!(rows, expected);
}

pub(crate) async fn memory_of_one_app_in_a_range(store: Store, _: Database) {
    let rows: Vec<_> = (0..4).map(|number| on("node-b", memory("shop", 0, number, 1))).collect();
    store.add_memory_minutes(&rows).await.unwrap();
    store.add_memory_minutes(&[memory("shop", 1, 1, 1), memory("shop", 0, 1, 1)]).await.unwrap();
    store.add_memory_minutes(&[memory("other", 0, 1, 1)]).await.unwrap();
    let read = store.memory_minutes(&app("shop"), range(60_000, 180_000)).await.unwrap();
    let parts: Vec<_> =
        read.iter().map(|row| (row.minute, row.place.node.as_str(), row.place.instance)).collect();
    let (one, two) = (at(60_000), at(120_000));
    assert_eq!(parts, [(one, "node-a", 0), (one, "node-a", 1), (one, "node-b", 0), (two, "node-b", 0)]);
}
