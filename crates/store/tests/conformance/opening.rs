//! Opening, closing, and databases that others have changed.

use model::auto_heal::restart::Restart;
use model::requests::RequestMinute;
use store::{Cause, Database, Store, StoreError};

use crate::databases::change;
use crate::fixtures::{
    EVER, MINUTE, app, at, captured, flush, heal_event, healed, incident, instance, memory, node, restart,
};
use crate::incidents::count_by_minutes;
use crate::memory::keep_memory_by_the_minute;
use crate::minutes::{keep_requests_by_the_minute, minutes_of};

pub(crate) async fn reopening_keeps_everything(store: Store, database: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    store.save_crash_monitor_state(&instance("shop", 0), "{}").await.unwrap();
    let (restart, event, memory) = (healed("shop", 0), heal_event("shop", 0), memory("shop", 0, 0, 5));
    store.record_restart(&restart).await.unwrap();
    store.record_heal_event(&event).await.unwrap();
    store.add_memory_minutes(std::slice::from_ref(&memory)).await.unwrap();
    store
        .add_minutes(&node("node-a"), &flush(), &[RequestMinute::empty(instance("shop", 0), at(0))])
        .await
        .unwrap();
    store.close().await;

    let store = Store::open(&database).await.unwrap();
    assert_eq!(store.crash(&crash.id()).await.unwrap(), Some(crash));
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().count, 1);
    assert_eq!(store.crash_monitor_states(&node("node-a")).await.unwrap().len(), 1);
    assert_eq!(minutes_of(&store, EVER).await.len(), 1);
    assert_eq!(store.restarts(&app("shop"), EVER, 10).await.unwrap(), [restart]);
    assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap(), [event]);
    let [history] = &*store.memory_histories(&app("shop"), EVER).await.unwrap() else { panic!("one place") };
    assert_eq!((&history.place, &*history.minutes), (&memory.0, &[memory.1][..]));
    store.close().await;
}

pub(crate) async fn two_stores_share_one_database(store: Store, database: Database) {
    let other = Store::open(&database).await.unwrap();
    let writing = |store: Store, start: i64| async move {
        for number in 0..25 {
            store.record_crash(&captured("shop", start + number, 1)).await.unwrap();
        }
    };
    tokio::join!(writing(store.clone(), 0), writing(other.clone(), 1_000));
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().count, 50);
    other.close().await;
}

pub(crate) async fn a_newer_schema_is_refused(store: Store, database: Database) {
    store.record_crash(&captured("shop", 0, 1)).await.unwrap();
    store.close().await;
    change(
        &database,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let error = Store::open(&database).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 9999, .. }), "{error}");
    assert!(error.to_string().contains("a newer Medic"), "{error}");

    change(&database, "DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    let store = Store::open(&database).await.unwrap();
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().count, 1);
    store.close().await;
}

pub(crate) async fn tables_of_an_older_medic_are_brought_up_to_date(store: Store, database: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    store.close().await;
    name_workers_without_nodes(&database).await;
    for sql in [
        "DROP TABLE restart",
        "DROP TABLE heal_event",
        "DROP TABLE auto_heal",
        "DROP TABLE heal_guard",
        "DROP TABLE fuse",
        "DROP TABLE memory_minute",
        "DROP TABLE request_flush",
        "DROP TABLE retention",
        "DROP TABLE crash_minute",
        "ALTER TABLE crash DROP COLUMN memory",
        "DELETE FROM _sqlx_migrations WHERE version > 1",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let counts = store.crash_counts(&app("shop"), EVER, MINUTE).await.unwrap();
    assert_eq!(counts.iter().map(|row| (row.count, row.last)).collect::<Vec<_>>(), [(1, crash.at)]);
    assert_eq!(store.crash(&crash.id()).await.unwrap(), Some(crash));
    assert!(store.record_restart(&healed("shop", 0)).await.unwrap());
    store.close().await;
}

/// As workers were named up to the fourth number of the tables.
async fn name_workers_without_nodes(database: &Database) {
    count_by_minutes(database).await;
    keep_measurements_in_the_evidence(database).await;
    keep_memory_by_the_minute(database).await;
    count_without_parts(database).await;
    keep_requests_by_the_minute(database).await;
    for sql in [
        "ALTER TABLE crash RENAME COLUMN id TO worker",
        "ALTER TABLE crash DROP COLUMN role",
        "ALTER TABLE audit RENAME COLUMN crash TO worker",
        "CREATE TABLE kept AS SELECT * FROM audit",
        "DELETE FROM audit",
        "UPDATE kept SET worker = substr(worker, 8)",
        "UPDATE crash SET worker = substr(worker, 8)",
        "INSERT INTO audit SELECT * FROM kept",
        "DROP TABLE kept",
        "UPDATE restart SET id = substr(id, 8), old_worker = substr(old_worker, 8), new_worker = substr(new_worker, 8)",
        "UPDATE heal_event SET id = substr(id, 8), worker = substr(worker, 8)",
        "UPDATE instance_state SET state = replace(state, 'node-a/', '')",
        "DROP TABLE crash_place_minute",
        "DROP TABLE change",
        "ALTER TABLE restart DROP COLUMN streams_ended",
        "ALTER TABLE restart DROP COLUMN tunnels_ended",
        "ALTER TABLE incident DROP COLUMN state",
        "ALTER TABLE incident DROP COLUMN state_fields",
        "DELETE FROM _sqlx_migrations WHERE version > 4",
    ] {
        change(database, sql).await;
    }
}

/// As incidents were up to the seventeenth number of the tables.
async fn count_without_parts(database: &Database) {
    for sql in [
        "DROP TABLE share",
        "DROP TABLE deploy",
        "DROP TABLE app_code",
        "DROP TABLE incident_origin",
        "DROP TABLE session",
        "DROP TABLE account",
        "DROP INDEX incident_shown_by_app",
        "DROP INDEX incident_shown_by_time",
        "DROP INDEX incident_joined",
        "DROP INDEX incident_parts",
        "CREATE INDEX incident_by_app ON incident (app, last_seen_ms)",
        "ALTER TABLE incident DROP COLUMN part_of",
        "ALTER TABLE incident DROP COLUMN joined_to",
        "ALTER TABLE incident DROP COLUMN joins",
        "ALTER TABLE incident DROP COLUMN shown_first_ms",
        "ALTER TABLE incident DROP COLUMN shown_last_ms",
        "ALTER TABLE crash DROP COLUMN executable",
        "ALTER TABLE crash DROP COLUMN build",
    ] {
        change(database, sql).await;
    }
}

/// As it was up to the thirteenth number of the tables.
pub(crate) async fn keep_measurements_in_the_evidence(database: &Database) {
    for sql in [
        "UPDATE restart SET evidence = substr(evidence, 1, length(evidence) - 1) || ',' || substr(measurements, 2) \
         WHERE measurements IS NOT NULL",
        "UPDATE heal_event SET evidence = substr(evidence, 1, length(evidence) - 1) || ',' || substr(measurements, 2)",
        "ALTER TABLE restart DROP COLUMN measurements",
        "ALTER TABLE heal_event DROP COLUMN measurements",
    ] {
        change(database, sql).await;
    }
}

pub(crate) async fn workers_of_an_older_medic_get_their_nodes(store: Store, database: Database) {
    let (crash, restart, event) = (captured("shop", 0, 1), restart("shop", 0), heal_event("shop", 0));
    // nobody counted streams then
    let failed = Restart { streams_ended: 0, tunnels_ended: 0, ..healed("shop", 7) };
    store.record_crash(&crash).await.unwrap();
    store.record_restart(&restart).await.unwrap();
    store.record_restart(&failed).await.unwrap();
    store.record_heal_event(&event).await.unwrap();
    let guard = format!(r#"{{"crashes":[{{"worker":"{}","at":"2026-01-31T08:15:00Z"}}]}}"#, crash.worker);
    store.save_crash_monitor_state(&crash.place, &guard).await.unwrap();
    let audits = store.audits(&app("shop"), EVER, 10).await.unwrap();
    store.close().await;
    name_workers_without_nodes(&database).await;

    let store = Store::open(&database).await.unwrap();
    assert_eq!(store.crash(&crash.id()).await.unwrap().as_ref(), Some(&crash));
    assert_eq!(store.audits(&app("shop"), EVER, 10).await.unwrap(), audits);
    assert_eq!(store.restarts(&app("shop"), EVER, 10).await.unwrap(), [failed.clone(), restart.clone()]);
    assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap(), std::slice::from_ref(&event));
    assert_eq!(store.crash_monitor_states(&node("node-a")).await.unwrap(), [(crash.place.clone(), guard)]);
    // what its shim hands in again is known
    assert!(!store.record_crash(&crash).await.unwrap().new);
    assert!(!store.record_restart(&restart).await.unwrap());
    assert!(!store.record_heal_event(&event).await.unwrap());
    store.purge(at(1_000)).await.unwrap();
    assert!(
        store.audits(&app("shop"), EVER, 10).await.unwrap().is_empty(),
        "a dump's row goes with its crash"
    );
    store.close().await;
}

pub(crate) async fn a_closed_store_refuses_and_says_so(store: Store, _: Database) {
    store.check().await.unwrap();
    store.close().await;
    let error = store.check().await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Closed), "{error}");
    assert!(store.record_crash(&captured("shop", 0, 1)).await.is_err());
}

pub(crate) async fn a_value_changed_by_hand_is_named(store: Store, database: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    change(&database, "UPDATE crash SET crashing_thread = 'no JSON'").await;
    let error = store.crash(&crash.id()).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Unreadable));
    assert!(error.to_string().contains("crashing_thread"), "{error}");

    for (sql, column) in [
        ("UPDATE restart SET reason = 'boredom'", "column reason:"),
        ("UPDATE restart SET reason_fields = '{'", "column reason_fields:"),
    ] {
        store.record_restart(&healed("shop", 0)).await.unwrap();
        change(&database, sql).await;
        let error = store.restarts(&app("shop"), EVER, 10).await.unwrap_err();
        assert_eq!(error.cause(), Some(Cause::Unreadable));
        assert!(error.to_string().contains(column), "{error}");
    }
}
