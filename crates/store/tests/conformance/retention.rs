//! Forgetting.

use model::requests::RequestMinute;
use store::{Database, Purged, Store};

use crate::fixtures::{
    EVER, app, at, captured, crash, flush, heal_event, incident, instance, memory, node, restart,
};
use crate::minutes::minutes_of;

pub(crate) async fn purge_keeps_what_is_newer(store: Store, _: Database) {
    // 1 is old, 2 old and new, 3 exactly at the edge, which is kept
    for crash in [captured("shop", -10, 1), crash("shop", -1, 2), captured("shop", 5, 2), crash("shop", 0, 3)]
    {
        store.record_crash(&crash).await.unwrap();
    }
    // an hour goes when all of it is old: the one that began 15 minutes before stays
    let minutes =
        [-960_000, -900_000, 0].map(|offset_ms| RequestMinute::empty(instance("shop", 0), at(offset_ms)));
    store.add_minutes(&node("node-a"), &flush(), &minutes).await.unwrap();
    store.save_crash_monitor_state(&instance("shop", 0), "{}").await.unwrap();

    let purged = store.purge(at(0)).await.unwrap();
    assert_eq!(
        ["crash", "incident", "request_hour", "memory_hour"].map(|table| purged.of(table)),
        [2, 1, 1, 0]
    );
    assert_eq!(store.audits(&app("shop"), EVER, 10).await.unwrap().len(), 1);
    assert_eq!(store.incident(&incident(1)).await.unwrap(), None);
    assert_eq!(store.incident(&incident(2)).await.unwrap().unwrap().count, 2);
    let crashes = store.crashes(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(crashes.iter().map(|crash| crash.at).collect::<Vec<_>>(), [at(5), at(0)]);
    assert_eq!(minutes_of(&store, EVER).await.len(), 2);
    assert_eq!(store.crash_monitor_states(&node("node-a")).await.unwrap().len(), 1);
    assert_eq!(store.purge(at(0)).await.unwrap(), Purged::default());
}

pub(crate) async fn purge_works_through_many_batches(store: Store, _: Database) {
    let minutes: Vec<_> =
        (-1_200..3).map(|number| RequestMinute::empty(instance("shop", 0), at(number * 3_600_000))).collect();
    store.add_minutes(&node("node-a"), &flush(), &minutes).await.unwrap();
    assert_eq!(store.purge(at(0)).await.unwrap().of("request_hour"), 1_200);
    assert_eq!(minutes_of(&store, EVER).await.len(), 3);
}

pub(crate) async fn an_incident_outlives_its_captured_crash(store: Store, _: Database) {
    store.record_crash(&captured("shop", -10, 1)).await.unwrap();
    store.record_crash(&crash("shop", 10, 1)).await.unwrap();
    assert!(store.incident(&incident(1)).await.unwrap().unwrap().audit.is_some());
    store.purge(at(0)).await.unwrap();
    let shown = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!((shown.audit, shown.exit_code, shown.count), (None, Some(1), 2));
    assert_eq!(store.incidents(None, None, 10).await.unwrap().len(), 1);
}

pub(crate) async fn recording_goes_on_while_purging(store: Store, _: Database) {
    // The same incident is forgotten and made again and again: none of its crashes may be refused.
    let purging = tokio::spawn({
        let store = store.clone();
        async move {
            for _ in 0..40 {
                store.purge(at(1_000_000)).await.unwrap();
            }
        }
    });
    let mut recorded = 0;
    while !purging.is_finished() {
        assert!(store.record_crash(&crash("shop", recorded, 1)).await.unwrap().new);
        recorded += 1;
    }
    purging.await.unwrap();
    store.record_crash(&crash("shop", 1_000_001, 1)).await.unwrap();
    store.purge(at(1_000_000)).await.unwrap();
    assert_eq!(store.crashes(&app("shop"), EVER, 1_000).await.unwrap().len(), 1);
    assert!(store.incident(&incident(1)).await.unwrap().is_some());
}

pub(crate) async fn purge_forgets_old_restarts_events_and_memory(store: Store, _: Database) {
    let shop = app("shop");
    for offset_ms in [-2, -1, 0] {
        store.record_restart(&restart("shop", offset_ms)).await.unwrap();
    }
    for offset_ms in [-1, 0, 1] {
        store.record_heal_event(&heal_event("shop", offset_ms)).await.unwrap();
    }
    let rows: Vec<_> = (-1_200..3).map(|number| memory("shop", 0, number, 1)).collect();
    store.add_memory_minutes(&rows).await.unwrap();
    store.save_auto_heal(&shop, &model::auto_heal::AutoHealConfig::default()).await.unwrap();
    store.save_auto_heal_state(&instance("shop", 0), "{}").await.unwrap();
    store.save_fuse(&node("node-a"), &shop, "{}").await.unwrap();

    let purged = store.purge(at(0)).await.unwrap();
    // an hour goes when all of it is old: the one that began 15 minutes before stays
    assert_eq!(["memory_hour", "restart", "heal_event"].map(|table| purged.of(table)), [20, 2, 1]);
    assert_eq!(store.restarts(&shop, EVER, 10).await.unwrap(), [restart("shop", 0)]);
    assert_eq!(store.heal_events(&shop, EVER, 10).await.unwrap().len(), 2);
    assert_eq!(store.memory_histories(&shop, EVER).await.unwrap()[0].minutes.len(), 18);
    assert!(store.auto_heal(&shop).await.unwrap().is_some());
    assert_eq!(
        (
            store.auto_heal_states(&node("node-a")).await.unwrap().len(),
            store.fuses(&node("node-a")).await.unwrap().len()
        ),
        (1, 1)
    );
    assert_eq!(store.purge(at(0)).await.unwrap(), Purged::default());
}

pub(crate) async fn how_far_history_reaches_is_kept(store: Store, database: Database) {
    assert_eq!(store.keep_from().await.unwrap(), (None, None));
    store.record_crash(&captured("shop", 70_000, 1)).await.unwrap();
    store.add_memory_minutes(&[memory("shop", 0, 1, 5)]).await.unwrap();
    assert_eq!(store.keep_from().await.unwrap(), (None, Some(at(-900_000))), "the hour in which it began");
    for from in [at(5), at(7)] {
        store.set_keep_from(from).await.unwrap();
    }
    store.close().await;
    let store = Store::open(&database).await.unwrap();
    assert_eq!(store.keep_from().await.unwrap().0, Some(at(7)));
    store.close().await;
}
