//! Memory by the minute.

use model::memory::MemoryMinute;
use store::{Database, Store};
use tokio::task::JoinSet;

use crate::fixtures::{EVER, app, at, memory, range};

pub(crate) async fn a_minute_flushed_twice_keeps_the_peak_and_the_latest_limit(store: Store, _: Database) {
    let first = memory("shop", 0, 0, 500);
    store.add_memory_minutes("a", std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), [("a".to_owned(), first.clone())]);

    let lower = MemoryMinute { private_bytes_max: 400, limit_bytes: 1_000, ..first.clone() };
    store.add_memory_minutes("a", std::slice::from_ref(&lower)).await.unwrap();
    let peak = MemoryMinute { private_bytes_max: 500, ..lower.clone() };
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), [("a".to_owned(), peak.clone())]);

    // twice in one flush; more than a database holds
    let higher = MemoryMinute { private_bytes_max: u64::MAX, limit_bytes: 2_000, ..peak };
    store.add_memory_minutes("a", &[higher.clone(), lower]).await.unwrap();
    store.add_memory_minutes("a", &[]).await.unwrap();
    let most = u64::try_from(i64::MAX).unwrap();
    let stored = MemoryMinute { private_bytes_max: most, limit_bytes: 1_000, ..higher };
    assert_eq!(store.memory_minutes(&app("shop"), EVER).await.unwrap(), [("a".to_owned(), stored)]);
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
                store.add_memory_minutes("a", &rows).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let rows = store.memory_minutes(&app("shop"), EVER).await.unwrap();
    let expected: Vec<_> = (0..20).map(|number| ("a".to_owned(), memory("shop", 0, number, 5))).collect();
    assert_eq!(rows, expected);
}

pub(crate) async fn memory_of_one_app_in_a_range(store: Store, _: Database) {
    let rows: Vec<_> = (0..4).map(|number| memory("shop", 0, number, 1)).collect();
    store.add_memory_minutes("b", &rows).await.unwrap();
    store.add_memory_minutes("a", &[memory("shop", 1, 1, 1), memory("shop", 0, 1, 1)]).await.unwrap();
    store.add_memory_minutes("a", &[memory("other", 0, 1, 1)]).await.unwrap();
    let read = store.memory_minutes(&app("shop"), range(60_000, 180_000)).await.unwrap();
    let parts: Vec<_> =
        read.iter().map(|(node, row)| (row.minute, node.as_str(), row.instance.index)).collect();
    let (one, two) = (at(60_000), at(120_000));
    assert_eq!(parts, [(one, "a", 0), (one, "a", 1), (one, "b", 0), (two, "b", 0)]);
}
