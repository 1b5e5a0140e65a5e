//! A backup of either database holds everything and is restored into either.

use model::Timestamp;
use store::{BackupError, Database, Store, StoreError};

use crate::databases::{change, rows};
use crate::fixtures::{app, captured, crash, healed, node};

/// How many rows every table has.
async fn counts(database: &Database) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in store::tables::TABLES {
        counts.push((table.name, rows(database, table.name).await));
    }
    counts
}

async fn fill(store: &Store) {
    for number in 1..=450 {
        store.record_crash(&crash("shop", i64::try_from(number).unwrap(), number)).await.unwrap();
    }
    store.record_crash(&captured("shop", 1_000, 1_000)).await.unwrap();
    store.record_restart(&healed("shop", 5)).await.unwrap();
    store.save_fuse(&node("node-a"), &app("shop"), "{}").await.unwrap();
}

pub(crate) async fn a_backup_is_restored_into_either_database(store: Store, database: Database) {
    fill(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("medic.backup");
    // left by a backup that was killed
    for end in [".medic-partial", ".medic-partial-journal"] {
        std::fs::write(folder.path().join(format!("medic.backup{end}")), "half of a backup").unwrap();
    }
    // the store is open: a server works meanwhile
    store::back_up(&database, &file).await.unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the backup alone");
    let whole = counts(&database).await;
    assert!(whole.contains(&("crash", 451)), "{whole:?}");
    store.record_crash(&crash("shop", 2_000, 2_000)).await.unwrap();
    store.close().await;

    let now = Timestamp::from_ms(1_769_847_300_123);
    let kept = store::restore(&database, &file, folder.path(), now).await.unwrap().unwrap();
    assert_eq!(counts(&database).await, whole, "as it was at the backup");
    let kept = counts(&Database::Sqlite(kept)).await;
    assert!(kept.contains(&("crash", 452)), "what was replaced is kept: {kept:?}");

    let other = Database::Sqlite(folder.path().join("other/medic.db"));
    std::fs::create_dir(folder.path().join("other")).unwrap();
    assert_eq!(store::restore(&other, &file, folder.path(), now).await.unwrap(), None, "there was nothing");
    assert_eq!(counts(&other).await, whole);
    let reopened = Store::open(&database).await.unwrap();
    reopened.record_crash(&crash("shop", 3_000, 3_000)).await.unwrap();
    reopened.close().await;
}

pub(crate) async fn what_cannot_be_restored_changes_nothing(store: Store, database: Database) {
    fill(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("medic.backup");
    store::back_up(&database, &file).await.unwrap();
    let again = store::back_up(&database, &file).await.unwrap_err();
    assert!(matches!(again, BackupError::Exists(_)), "{again}");
    store.close().await;
    let before = counts(&database).await;
    let restore = |file| store::restore(&database, file, folder.path(), Timestamp::from_ms(0));

    let text = folder.path().join("text");
    std::fs::write(&text, "no database at all, of some length, so that it is read").unwrap();
    let error = restore(&text).await.unwrap_err();
    assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let error = restore(&empty).await.unwrap_err();
    assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");
    let missing = folder.path().join("missing");
    let error = restore(&missing).await.unwrap_err();
    assert!(matches!(error, BackupError::File { .. }), "{error}");

    let newer = "UPDATE _sqlx_migrations SET version = 9000 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    change(&Database::Sqlite(file.clone()), newer).await;
    let error = restore(&file).await.unwrap_err();
    assert!(matches!(error, BackupError::Store(StoreError::NewerSchema { found: 9000, .. })), "{error}");
    assert_eq!(counts(&database).await, before);
    let left = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("restoring")));
}
