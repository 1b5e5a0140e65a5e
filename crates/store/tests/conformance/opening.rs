//! Opening, closing, and databases that others have changed.

use engine::requests::RequestMinute;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use store::{Cause, Database, Store, StoreError};

use crate::fixtures::{EVER, app, at, captured, incident, instance};

pub(crate) async fn reopening_keeps_everything(store: Store, database: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    store.save_state("a", &instance("shop", 0), "{}").await.unwrap();
    store.add_minutes("a", &[RequestMinute::empty(instance("shop", 0), at(0))]).await.unwrap();
    store.close().await;

    let store = Store::open(&database).await.unwrap();
    assert_eq!(store.crash(&crash.worker).await.unwrap(), Some(crash));
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().count, 1);
    assert_eq!(store.states("a").await.unwrap().len(), 1);
    assert_eq!(store.minutes(&app("shop"), EVER).await.unwrap().len(), 1);
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
         SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations",
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
    let error = store.crash(&crash.worker).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Unreadable));
    assert!(error.to_string().contains("crashing_thread"), "{error}");
}

/// As another program would.
async fn change(database: &Database, sql: &'static str) {
    match database {
        Database::Sqlite(path) => {
            let mut connection = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Database::Postgres(url) => {
            let mut connection = PgConnection::connect(url).await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}
