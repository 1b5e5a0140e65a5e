//! Recording crashes and reading them.

use std::collections::BTreeSet;
use std::time::Duration;

use model::CrashId;
use model::crash::{Crash, ProcessRole};
use store::{Database, Recorded, Store};
use tokio::task::JoinSet;

use crate::fixtures::{EVER, MINUTE, app, at, captured, crash, incident, node, out_of_memory, place, range};

pub(crate) async fn a_crash_reads_back_as_it_was(store: Store, _: Database) {
    let (plain, dumped, killed) =
        (crash("shop", 0, 1), captured("shop", 10, 2), out_of_memory("shop", 20, 3));
    for crash in [&plain, &dumped, &killed] {
        assert_eq!(store.record_crash(crash).await.unwrap(), Recorded { new: true, count: 1 });
        assert_eq!(store.crash(&crash.id()).await.unwrap().as_ref(), Some(crash));
    }
    let unknown = crash("shop", 99, 1).id();
    assert_eq!(store.crash(&unknown).await.unwrap(), None);
    store.check().await.unwrap();
}

pub(crate) async fn a_crash_counts_once(store: Store, _: Database) {
    let first = captured("shop", 0, 1);
    store.record_crash(&first).await.unwrap();
    store.record_crash(&crash("shop", 10, 1)).await.unwrap();
    assert_eq!(store.record_crash(&first).await.unwrap(), Recorded { new: false, count: 2 });
    assert_eq!(store.crashes(&app("shop"), EVER, 10).await.unwrap().len(), 2);
    assert_eq!(store.audits(&app("shop"), EVER, 10).await.unwrap().len(), 1);
}

/// A worker has many processes that serve, and each crashes for itself.
pub(crate) async fn every_process_of_a_worker_crashes_once(store: Store, _: Database) {
    let main = captured("shop", 0, 1);
    let child = |pid, started_ms| Crash {
        pid,
        role: ProcessRole::Child,
        process_started_at: at(started_ms),
        ..main.clone()
    };
    let crashes = [main.clone(), child(100, 5), child(101, 5), child(100, 6)];
    for (number, crash) in crashes.iter().enumerate() {
        let count = number as u64 + 1;
        assert_eq!(store.record_crash(crash).await.unwrap(), Recorded { new: true, count });
        assert_eq!(store.record_crash(crash).await.unwrap(), Recorded { new: false, count });
        assert_eq!(store.crash(&crash.id()).await.unwrap().as_ref(), Some(crash));
    }
    let ids: BTreeSet<CrashId> = crashes.iter().map(Crash::id).collect();
    let audits = store.audits(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(audits.into_iter().map(|row| row.crash).collect::<BTreeSet<_>>(), ids);
    let shown = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!((shown.count, shown.role), (4, ProcessRole::Child));
}

pub(crate) async fn a_worker_cannot_crash_for_two_incidents(store: Store, _: Database) {
    let first = crash("shop", 0, 1);
    store.record_crash(&first).await.unwrap();
    let again = Crash { incident: incident(2), ..first.clone() };
    assert_eq!(store.record_crash(&again).await.unwrap(), Recorded { new: false, count: 1 });
    assert_eq!(store.crash(&first.id()).await.unwrap(), Some(first));
    assert_eq!(store.incident(&incident(2)).await.unwrap(), None);
}

pub(crate) async fn concurrent_crashes_are_all_counted(store: Store, _: Database) {
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 0..25 {
                let crash = crash("shop", task * 1_000 + number, 1);
                assert!(store.record_crash(&crash).await.unwrap().new);
            }
        });
    }
    tasks.join_all().await;
    let incident = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!((incident.count, incident.first_seen, incident.last_seen), (200, at(0), at(7_024)));
    assert_eq!(store.crashes(&app("shop"), EVER, 1_000).await.unwrap().len(), 200);
}

pub(crate) async fn one_crash_from_many_tasks_counts_once(store: Store, _: Database) {
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let mut new = 0;
            for number in 0..25 {
                new += usize::from(store.record_crash(&captured("shop", number, 1)).await.unwrap().new);
            }
            new
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 25);
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().count, 25);
}

pub(crate) async fn ranges_have_their_start_and_not_their_end(store: Store, _: Database) {
    for offset_ms in [-1, 0, 1, 999, 1_000, 1_001] {
        store.record_crash(&crash("shop", offset_ms, 1)).await.unwrap();
    }
    let offsets = [999, 1, 0].map(at).to_vec();
    let crashes = store.crashes(&app("shop"), range(0, 1_000), 10).await.unwrap();
    assert_eq!(crashes.iter().map(|crash| crash.at).collect::<Vec<_>>(), offsets);
    let [counted] = &store.crash_counts(&app("shop"), range(0, 1_000), MINUTE).await.unwrap()[..] else {
        panic!("one place")
    };
    assert_eq!((counted.count, counted.last), (3, at(999)));
    assert!(store.crashes(&app("shop"), range(1_000, 0), 10).await.unwrap().is_empty());
}

pub(crate) async fn the_newest_come_first_and_no_more_than_asked_for(store: Store, _: Database) {
    for offset_ms in [30, 10, 20, 40] {
        store.record_crash(&crash("shop", offset_ms, 1)).await.unwrap();
    }
    store.record_crash(&crash("other", 50, 2)).await.unwrap();
    let times = |crashes: Vec<Crash>| crashes.iter().map(|crash| crash.at).collect::<Vec<_>>();
    assert_eq!(times(store.crashes(&app("shop"), EVER, 3).await.unwrap()), [40, 30, 20].map(at));
    assert_eq!(times(store.crashes_of_incident(&incident(1), 2).await.unwrap()), [40, 30].map(at));
    assert!(store.crashes(&app("shop"), EVER, 0).await.unwrap().is_empty());
}

/// The fixtures begin at a whole minute.
pub(crate) async fn crashes_are_counted_by_place_and_minute(store: Store, _: Database) {
    let mut elsewhere = crash("shop", 5, 2);
    elsewhere.place = place("node-b", "shop", 3);
    let own = [0, 10, 59_999, 60_000, 180_000, 239_999].map(|offset_ms| crash("shop", offset_ms, 1));
    for crash in own.iter().chain([&elsewhere, &crash("other", 7, 3)]) {
        store.record_crash(crash).await.unwrap();
        store.record_crash(crash).await.unwrap();
    }
    let counts = async |from, to| {
        let counts = store.crash_counts(&app("shop"), range(from, to), MINUTE).await.unwrap();
        let mut parts: Vec<_> =
            counts.into_iter().map(|row| (row.last, row.count, row.place.node, row.place.instance)).collect();
        parts.sort();
        parts
    };
    let (a, b) = (|| node("node-a"), || node("node-b"));
    let whole =
        [(at(5), 1, b(), 3), (at(59_999), 3, a(), 0), (at(60_000), 1, a(), 0), (at(239_999), 2, a(), 0)];
    assert_eq!(counts(0, 240_000).await, whole);
    // the minutes that a range cuts are counted exactly
    assert_eq!(
        counts(1, 239_999).await,
        [(at(5), 1, b(), 3), (at(59_999), 2, a(), 0), (at(60_000), 1, a(), 0), (at(180_000), 1, a(), 0),]
    );
    assert_eq!(counts(10, 59_999).await, [(at(10), 1, a(), 0)]);
    assert_eq!(counts(240_000, 0).await, []);

    let part = Duration::from_mins(3);
    let parts = store.crash_counts(&app("shop"), range(0, 240_000), part).await.unwrap();
    let mut parts: Vec<_> = parts.into_iter().map(|row| (row.first, row.last, row.count)).collect();
    parts.sort();
    let expected = [(0, 60_000, 4), (5, 5, 1), (180_000, 239_999, 2)];
    assert_eq!(parts, expected.map(|(first, last, count)| (at(first), at(last), count)));
}

pub(crate) async fn kills_for_memory_are_counted_apart(store: Store, _: Database) {
    let mut killed = out_of_memory("shop", 61_000, 2);
    killed.place = place("node-b", "shop", 3);
    for crash in [&crash("shop", 60_000, 1), &killed] {
        store.record_crash(crash).await.unwrap();
    }
    for (from, to) in [(0, 240_000), (61_000, 61_001)] {
        let counts = store.crash_counts(&app("shop"), range(from, to), MINUTE).await.unwrap();
        let kills: Vec<_> = counts.iter().filter(|row| row.out_of_memory > 0).collect();
        assert_eq!(kills.iter().map(|row| (row.count, &row.place)).collect::<Vec<_>>(), [(1, &killed.place)]);
    }
}

pub(crate) async fn audits_are_listed_by_when_they_were_captured(store: Store, _: Database) {
    let (early, late) = (captured("shop", 0, 1), captured("shop", 100, 2));
    for crash in [&late, &early, &crash("shop", 50, 1), &captured("other", 50, 3)] {
        store.record_crash(crash).await.unwrap();
    }
    let rows = store.audits(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.crash.clone()).collect::<Vec<_>>(), [late.id(), early.id()]);
    assert_eq!((&rows[1].audit, &rows[1].incident), (early.audit.as_ref().unwrap(), &incident(1)));
    // the fixture captures 5 ms after the crash
    assert_eq!(store.audits(&app("shop"), range(5, 105), 10).await.unwrap().len(), 1);
    assert_eq!(store.audits(&app("shop"), range(6, 106), 10).await.unwrap()[0].crash, late.id());
}
