//! What the keeper of a database does: opens it beside, moves a damaged file aside and begins anew, and leaves alone what is not
//! its to touch.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::status::DatabaseState;
use model::{Clock, Timestamp};
use sqlx::{Connection as _, SqliteConnection};
use store::{Cause, Database, Store, StoreError, StoreStatus};
use tokio::task::AbortHandle;

#[path = "conformance/fixtures.rs"]
#[expect(dead_code, reason = "shared with the conformance suite, which uses more of it")]
mod fixtures;

use fixtures::{EVER, app, captured};

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn wall(&self) -> Timestamp {
        Timestamp::from_ms(1_769_847_300_000)
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// A store whose keeper runs until this is dropped.
struct Kept {
    store: Store,
    keeper: AbortHandle,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

fn keep(path: &Path) -> Kept {
    let (store, keeper) = Store::beside(Database::Sqlite(path.to_owned()), Arc::new(Still)).unwrap();
    Kept { store, keeper: tokio::spawn(keeper.run()).abort_handle() }
}

impl Kept {
    async fn until(&self, what: impl FnMut(&StoreStatus) -> bool) -> StoreStatus {
        self.store.status().wait_for(what).await.unwrap().clone()
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    (folder, path)
}

#[tokio::test]
async fn a_store_is_there_before_its_database() {
    let (_folder, path) = folder();
    let (store, keeper) = Store::beside(Database::Sqlite(path), Arc::new(Still)).unwrap();
    let error = store.check().await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error}");
    assert_eq!(error.reason(), "the database is being opened");
    let keeper = tokio::spawn(keeper.run());
    store.status().wait_for(StoreStatus::is_open).await.unwrap();
    store.check().await.unwrap();
    keeper.abort();
}

#[tokio::test]
async fn a_url_that_can_never_be_used_is_refused_at_once() {
    let url = "postgres://u:secret@h/d?sslmode=require".to_owned();
    let refused = Store::beside(Database::Postgres(url), Arc::new(Still)).map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Tls { .. }), "{refused}");
}

#[tokio::test]
async fn somebodys_notes_are_moved_aside_and_not_touched() {
    let (folder, path) = folder();
    let notes = "these are somebody's notes\n".repeat(1_000);
    std::fs::write(&path, &notes).unwrap();
    let kept = keep(&path);
    let status = kept.until(StoreStatus::is_open).await;
    let aside = folder.path().join("medic.db.damaged-20260131T081500Z");
    let anew = status.health.begun_anew.unwrap();
    assert_eq!((anew.at, anew.kept_as.as_deref()), (Still.wall(), Some(&*aside.display().to_string())));
    assert_eq!(status.begun_anew, 1);
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), notes);
    assert!(kept.store.record_crash(&captured("shop", 0, 1)).await.unwrap().new);
    kept.store.close().await;

    drop(kept);
    let kept = keep(&path);
    let status = kept.until(StoreStatus::is_open).await;
    assert!(
        status.health.begun_anew.is_some() && status.begun_anew == 0,
        "it is said as long as it is there"
    );
    std::fs::remove_file(aside).unwrap();
    kept.until(|status| status.health.begun_anew.is_none()).await;
}

#[tokio::test]
async fn pages_that_nobody_asks_for_are_looked_at_too() {
    let (_folder, path) = folder();
    let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
    for number in 0..400 {
        store.record_crash(&captured("shop", number, 1)).await.unwrap();
    }
    store.close().await;
    let mut bytes = std::fs::read(&path).unwrap();
    // The pages from the first half on: what opening reads stands before them.
    let from = bytes.len() / 2;
    bytes[from..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let kept = keep(&path);
    kept.until(|status| status.begun_anew == 1 && status.is_open()).await;
    assert_eq!(kept.store.crashes(&app("shop"), EVER, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_file_that_is_deleted_while_it_is_open_is_made_again() {
    let (_folder, path) = folder();
    let kept = keep(&path);
    kept.until(StoreStatus::is_open).await;
    std::fs::remove_file(&path).unwrap();
    let status = kept.until(|status| status.begun_anew == 1 && status.is_open()).await;
    assert_eq!(status.health.begun_anew.unwrap().kept_as, None);
    kept.store.record_crash(&captured("shop", 0, 1)).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn tables_of_a_newer_medic_are_left_alone_and_tried_again() {
    let (folder, path) = folder();
    let store = Store::open(&Database::Sqlite(path.clone())).await.unwrap();
    store.record_crash(&captured("shop", 0, 1)).await.unwrap();
    store.close().await;
    let change = async |sql: &'static str| {
        let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    };
    change(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         SELECT 9999, 'from the future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
    )
    .await;
    let kept = keep(&path);
    let unavailable = |status: &StoreStatus| matches!(status.health.state, DatabaseState::Unavailable { .. });
    let status = kept.until(unavailable).await;
    let DatabaseState::Unavailable { reason, .. } = status.health.state else { unreachable!("waited for") };
    assert!(reason.contains("written by a newer Medic"), "{reason}");
    let names = |folder: &tempfile::TempDir| {
        folder
            .path()
            .read_dir()
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains("damaged"))
            .count()
    };
    assert_eq!(names(&folder), 0);
    change("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    kept.until(StoreStatus::is_open).await;
    assert_eq!(kept.store.crashes(&app("shop"), EVER, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_written_is_said_until_it_can() {
    let (_folder, path) = folder();
    let kept = keep(&path);
    kept.until(StoreStatus::is_open).await;
    let mut shell = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();
    let error = kept.store.record_crash(&captured("shop", 0, 1)).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Locked), "{error}");
    let fails = |status: &StoreStatus| matches!(status.health.state, DatabaseState::WritesFail { .. });
    kept.until(fails).await;
    kept.store.check().await.expect("reading goes on");
    sqlx::query("ROLLBACK").execute(&mut shell).await.unwrap();
    kept.store.record_crash(&captured("shop", 0, 1)).await.unwrap();
    kept.until(|status| status.health.state == DatabaseState::Available).await;
}
