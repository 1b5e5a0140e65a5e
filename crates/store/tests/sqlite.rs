//! What only the file database can get wrong: modes, other processes, being killed, a full disk.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::{Connection as _, SqliteConnection};
use store::{Cause, Database, Store, StoreError};

#[path = "conformance/fixtures.rs"]
#[expect(dead_code, reason = "shared with the conformance suite, which uses more of it")]
mod fixtures;

use fixtures::{EVER, app, captured, crash, incident};

/// Set in a child process of a test: the database file that it works on.
const CHILD: &str = "MEDIC_TEST_CHILD_DATABASE";

async fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(&Database::Sqlite(path.to_owned())).await
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_files_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/by/medic/medic.db");
    let store = open(&path).await.unwrap();
    store.record_crash(&crash("shop", 0, 1)).await.unwrap();
    let files: Vec<_> = path.parent().unwrap().read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "the database, its log and the log's index: {files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    store.close().await;

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    open(&path).await.unwrap().close().await;
    assert_eq!(mode(&path), 0o600, "also of a copy that was put there");
}

#[tokio::test]
async fn closing_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("medic.db")).await.unwrap();
    store.record_crash(&crash("shop", 0, 1)).await.unwrap();
    store.check().await.unwrap();
    store.close().await;
    let files: Vec<_> = folder.path().read_dir().unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["medic.db"]);
}

#[tokio::test]
async fn what_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    let text = "these are somebody's notes\n".repeat(1_000);
    std::fs::write(&path, &text).unwrap();
    let error = open(&path).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Damaged), "{error}");
    assert!(error.to_string().contains("medic.db"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_place_without_a_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = open(&file.join("medic.db")).await.unwrap_err();
    assert!(matches!(&error, StoreError::File { path, .. } if path.starts_with(&file)), "{error}");
}

#[tokio::test]
async fn a_lock_of_another_program_is_named_and_passes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    let store = open(&path).await.unwrap();
    let mut shell = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut shell).await.unwrap();

    let first = crash("shop", 0, 1);
    let error = store.record_crash(&first).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Locked), "{error}");
    store.check().await.expect("reading goes on");

    sqlx::query("ROLLBACK").execute(&mut shell).await.unwrap();
    assert!(store.record_crash(&first).await.unwrap().new);
    store.close().await;
}

/// The child says each crash that was recorded; whatever it said must be there after its death.
#[tokio::test]
async fn what_was_recorded_outlives_a_kill() {
    if let Some(path) = std::env::var_os(CHILD) {
        return record_for_ever(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.db");
    let mut said = 0;
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "what_was_recorded_outlives_a_kill", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        lines.by_ref().filter(|line| line.starts_with("recorded ")).nth(20).expect("the child records");
        child.kill().unwrap();
        child.wait().unwrap();
        said += 21 + lines.filter(|line| line.starts_with("recorded ")).count();

        let store = open(&path).await.unwrap();
        let crashes = store.crashes(&app("shop"), EVER, 100_000).await.unwrap().len();
        assert!(crashes >= said, "{said} were said to be recorded, {crashes} are there");
        let count = store.incident(&incident(1)).await.unwrap().unwrap().count;
        assert_eq!(count, u64::try_from(crashes).unwrap(), "counted and recorded together");
        assert_eq!(store.audits(&app("shop"), EVER, 100_000).await.unwrap().len(), crashes);
        said = crashes;
        store.close().await;
    }
}

async fn record_for_ever(path: &Path) {
    let store = open(path).await.unwrap();
    let known = store.crashes(&app("shop"), EVER, 100_000).await.unwrap().len();
    for number in i64::try_from(known).unwrap().. {
        assert!(store.record_crash(&captured("shop", number, 1)).await.unwrap().new);
        println!("recorded {number}");
        std::io::stdout().flush().unwrap();
    }
}

/// On a file system of 4 MiB, in a mount namespace of its own.
#[tokio::test]
#[ignore = "needs util-linux's unshare and the right to mount a tmpfs"]
async fn a_full_disk_is_named_and_loses_nothing() {
    if let Some(path) = std::env::var_os(CHILD) {
        return fill(Path::new(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=4m tmpfs \"$0\" && exec \"$@\"";
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_is_named_and_loses_nothing", "--include-ignored", "--nocapture"])
        .env(CHILD, folder.path().join("medic.db"))
        .status()
        .unwrap();
    assert!(status.success(), "see the child's message above");
}

async fn fill(path: &Path) {
    let ballast = path.with_file_name("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let store = open(path).await.unwrap();
    // A write that was refused may leave room for the next: SQLite begins its log anew.
    let (mut recorded, mut refused) = (0, false);
    let error = loop {
        match store.record_crash(&captured("shop", recorded, 1)).await {
            Ok(outcome) => {
                assert!(outcome.new);
                (recorded, refused) = (recorded + 1, false);
            }
            Err(error) if refused => break error,
            Err(_) => refused = true,
        }
    };
    assert!(recorded > 10, "{recorded}");
    assert_eq!(error.cause(), Some(Cause::DiskFull), "{error}");
    let count =
        async |store: &Store| i64::try_from(store.crashes(&app("shop"), EVER, 100_000).await.unwrap().len());
    assert_eq!(count(&store).await, Ok(recorded), "all that was committed is there, and can be read");

    std::fs::remove_file(ballast).unwrap();
    let outcome = store.record_crash(&captured("shop", recorded, 1)).await.unwrap();
    assert_eq!((outcome.new, i64::try_from(outcome.count)), (true, Ok(recorded + 1)));
    store.close().await;
    let store = open(path).await.unwrap();
    assert_eq!(count(&store).await, Ok(recorded + 1));
    store.close().await;
}
