//! Requests by the minute.

use model::TimeRange;
use model::requests::RequestMinute;
use store::{Database, Flush, Store};
use tokio::task::JoinSet;

use crate::databases::change;
use crate::fixtures::{EVER, app, at, flush, instance, node, range};

/// A minute with one request of each class and one of 5xx for each latency more.
fn minute(name: &str, index: u16, number: i64, latencies_us: &[u64]) -> RequestMinute {
    let mut minute = RequestMinute::empty(instance(name, index), at(number * 60_000));
    minute.by_class = [1, 1, 1, 1, 1 + latencies_us.len() as u64];
    for us in latencies_us {
        minute.latency.record(*us);
    }
    minute.most_in_flight = u32::try_from(latencies_us.len()).unwrap();
    minute
}

/// Those of `shop` in a range, oldest first.
pub(crate) async fn minutes_of(store: &Store, range: TimeRange) -> Vec<RequestMinute> {
    let mut minutes = Vec::new();
    store.each_minute(&app("shop"), range, true, |minute| minutes.push(minute.clone())).await.unwrap();
    minutes.sort_by(|one, other| (one.minute, &one.place).cmp(&(other.minute, &other.place)));
    minutes
}

fn on(node_name: &str, mut minute: RequestMinute) -> RequestMinute {
    minute.place.node = node(node_name);
    minute
}

pub(crate) async fn a_minute_flushed_twice_adds_up(store: Store, _: Database) {
    let first = minute("shop", 0, 0, &[5, 100, 3_000, 3_000_000]);
    let second = minute("shop", 0, 0, &[100, 70_000_000]);
    store.add_minutes(&node("node-a"), &flush(), std::slice::from_ref(&first)).await.unwrap();
    assert_eq!(minutes_of(&store, EVER).await, std::slice::from_ref(&first));
    // once alone, and once twice in one flush
    store.add_minutes(&node("node-a"), &flush(), std::slice::from_ref(&second)).await.unwrap();
    store.add_minutes(&node("node-a"), &flush(), &[second.clone(), second.clone()]).await.unwrap();
    store.add_minutes(&node("node-a"), &flush(), &[]).await.unwrap();

    let mut sum = first;
    (0..3).for_each(|_| sum.merge(&second));
    assert_eq!((sum.by_class, sum.most_in_flight, sum.latency.count()), ([4, 4, 4, 4, 14], 4, 10));
    assert_eq!(minutes_of(&store, EVER).await, [sum]);
}

pub(crate) async fn a_flush_that_is_sent_again_is_counted_once(store: Store, database: Database) {
    let minutes = [minute("shop", 0, 0, &[100]), minute("shop", 1, 0, &[100])];
    let flush = |boot: &str, number| Flush { boot: boot.to_owned(), number, at: at(0) };
    let counted = async |store: &Store| {
        let minutes = minutes_of(store, EVER).await;
        minutes.iter().map(|minute| minute.latency.count()).collect::<Vec<_>>()
    };
    // the answer was lost, and the same comes from two tasks at once
    let a = node("node-a");
    let (first, again) = (flush("one", 1), flush("one", 1));
    let (one, two) =
        tokio::join!(store.add_minutes(&a, &first, &minutes), store.add_minutes(&a, &again, &minutes));
    one.unwrap();
    two.unwrap();
    assert_eq!(counted(&store).await, [1, 1]);
    store.add_minutes(&node("node-a"), &flush("one", 2), &minutes[..1]).await.unwrap();
    assert_eq!(counted(&store).await, [2, 1], "the next one counts");
    store.add_minutes(&node("node-a"), &first, &minutes).await.unwrap();
    store.close().await;
    let store = Store::open(&database).await.unwrap();
    store.add_minutes(&node("node-a"), &flush("one", 2), &minutes).await.unwrap();
    assert_eq!(counted(&store).await, [2, 1], "also after the database was opened again");
    store.add_minutes(&node("node-a"), &flush("two", 1), &minutes).await.unwrap();
    store
        .add_minutes(&node("node-b"), &flush("one", 1), &minutes.map(|minute| on("node-b", minute)))
        .await
        .unwrap();
    assert_eq!(counted(&store).await, [3, 2, 1, 1], "another run's, and another node's, are others");
    store.close().await;
}

pub(crate) async fn concurrent_flushes_lose_nothing(store: Store, _: Database) {
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = store.clone();
        tasks.spawn(async move {
            // over the end of an hour
            let mut minutes: Vec<_> = (35..55).map(|number| minute("shop", 0, number, &[1_000])).collect();
            if task % 2 == 0 {
                minutes.reverse();
            }
            for _ in 0..5 {
                store.add_minutes(&node("node-a"), &flush(), &minutes).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let minutes = minutes_of(&store, EVER).await;
    assert_eq!(minutes.len(), 20);
    for minute in minutes {
        assert_eq!((minute.by_class, minute.latency.count()), ([30, 30, 30, 30, 60], 30));
    }
}

pub(crate) async fn minutes_of_one_app_in_a_range(store: Store, _: Database) {
    let minutes: Vec<_> = (0..4).map(|number| on("node-b", minute("shop", 0, number, &[]))).collect();
    store.add_minutes(&node("node-b"), &flush(), &minutes).await.unwrap();
    store
        .add_minutes(&node("node-a"), &flush(), &[minute("shop", 1, 1, &[]), minute("shop", 0, 1, &[])])
        .await
        .unwrap();
    store.add_minutes(&node("node-a"), &flush(), &[minute("other", 0, 1, &[])]).await.unwrap();
    let read = minutes_of(&store, range(60_000, 180_000)).await;
    let parts: Vec<_> = read
        .iter()
        .map(|minute| (minute.minute, minute.place.node.as_str(), minute.place.instance))
        .collect();
    let (one, two) = (at(60_000), at(120_000));
    assert_eq!(parts, [(one, "node-a", 0), (one, "node-a", 1), (one, "node-b", 0), (two, "node-b", 0)]);
}

pub(crate) async fn minutes_are_read_batch_by_batch(store: Store, _: Database) {
    // three hours of 50 instances, of which the range cuts the first and the last
    let minutes: Vec<_> = (0..3)
        .flat_map(|hour| (0..50).map(move |index| minute("shop", index, hour * 60, &[1_000])))
        .collect();
    store.add_minutes(&node("node-a"), &flush(), &minutes).await.unwrap();
    let counted = async |with_latencies| {
        let (mut rows, mut latencies) = (0, 0);
        let each = |minute: &RequestMinute| {
            assert_eq!(minute.by_class, [1, 1, 1, 1, 2]);
            rows += 1;
            latencies += minute.latency.count();
        };
        store
            .each_minute(&app("shop"), range(60_000, 7_200_001), with_latencies, each)
            .await
            .map(|()| (rows, latencies))
    };
    assert_eq!(counted(true).await.unwrap(), (100, 100));
    assert_eq!(counted(false).await.unwrap(), (100, 0));
    assert_eq!(minutes_of(&store, EVER).await, minutes);
}

pub(crate) async fn requests_of_an_older_medic_are_read_and_added_to(store: Store, database: Database) {
    store.close().await;
    keep_requests_by_the_minute(&database).await;
    for sql in [
        // 08:15, 09:00 and 09:01
        "INSERT INTO request_minute VALUES ('shop', 1769847300000, 'node-a', 0, 1, 2, 3, 4, 5, 6, '[[5,1],[6,2],[70,3]]'), \
         ('shop', 1769850060000, 'node-a', 0, 0, 7, 0, 0, 0, 1, '[]'), \
         ('shop', 1769850000000, 'node-a', 0, 0, 1, 0, 0, 0, 1, '[[0,1]]')",
        "DELETE FROM _sqlx_migrations WHERE version = 17",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let minute = |number: i64, by_class, most_in_flight, buckets: &[(u16, u64)]| {
        let mut minute = RequestMinute::empty(instance("shop", 0), at(number * 60_000));
        (minute.by_class, minute.most_in_flight) = (by_class, most_in_flight);
        minute.latency.extend(buckets.iter().copied());
        minute
    };
    let mut expected = [
        minute(0, [1, 2, 3, 4, 5], 6, &[(5, 1), (6, 2), (70, 3)]),
        minute(45, [0, 1, 0, 0, 0], 1, &[(0, 1)]),
        minute(46, [0, 7, 0, 0, 0], 1, &[]),
    ];
    assert_eq!(minutes_of(&store, EVER).await, expected);
    let more = minute(46, [0, 0, 0, 0, 1], 2, &[(9, 1)]);
    store.add_minutes(&node("node-a"), &flush(), std::slice::from_ref(&more)).await.unwrap();
    expected[2].merge(&more);
    assert_eq!(minutes_of(&store, EVER).await, expected);
    store.close().await;
}

/// As it was up to the sixteenth number of the tables, without a row.
pub(crate) async fn keep_requests_by_the_minute(database: &Database) {
    for sql in [
        "DROP TABLE request_hour",
        "CREATE TABLE request_minute (app TEXT, minute_ms BIGINT, node TEXT, instance BIGINT, status_1xx BIGINT, \
         status_2xx BIGINT, status_3xx BIGINT, status_4xx BIGINT, status_5xx BIGINT, most_in_flight BIGINT, latency TEXT)",
    ] {
        change(database, sql).await;
    }
}
