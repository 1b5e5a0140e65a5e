//! A copy of everything that is remembered, in one SQLite file, whichever database it comes from, and back into either.
//!
//! ```text
//!  SQLite ──── VACUUM INTO ────▶ FILE.medic-partial ──▶ FILE    a server may be running
//!  PostgreSQL ── rows, one snapshot ──┘
//!
//!  FILE ──▶ a checked copy, its tables brought up to date ──▶ in the database's place; what was there is kept aside
//! ```
//! One form for both, since whoever restores may have moved from one to the other. A copy that is interrupted leaves a
//! [`partial`] file behind and none that could be taken for a whole one; a restore that is interrupted has changed nothing.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use model::Timestamp;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::partial::{self, Partial};
use crate::tables::{TABLES, Table};
use crate::{Database, StoreError, aside, open, schema};

/// Rows that are written by one statement: SQLite takes 32,766 values, and no table has 100 columns.
const BATCH: usize = 200;

/// The database's file in the data folder, where it is SQLite's.
pub const SQLITE_FILE: &str = "medic.db";
/// What is restored into PostgreSQL, and what that replaces, have this name with more at its end.
const BACKUP: &str = "medic.backup";

/// Why there is no copy, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The database refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is being written.
    #[error("another backup is writing {}; wait for it, or name another file", .0.display())]
    InProgress(PathBuf),
    /// Nothing is overwritten.
    #[error("{} exists already; name another file", .0.display())]
    Exists(PathBuf),
    /// The file, or one beside it, cannot be written or moved.
    #[error("{}: {source}; check the folder's owner and mode, and whether the disk is full", path.display())]
    File { path: PathBuf, source: io::Error },
    /// What is to be restored is something else.
    #[error("{} is not a backup of Medic: {why}; nothing was changed", path.display())]
    NoBackup { path: PathBuf, why: String },
    /// A server would go on with what it knows.
    #[error("{sessions} other Medic connections use {database}; stop Medic on every node first")]
    InUse { database: Arc<str>, sessions: i64 },
    /// The tables are of an older Medic.
    #[error("{database} has the tables of an older Medic; start `medic serve` once, then try again")]
    OlderSchema { database: Arc<str> },
}

/// Copies everything into `file`, which must not exist, with mode 0600. The database may be in use. What interrupted backups left in
/// that folder is removed; its paths are returned.
pub async fn back_up(database: &Database, file: &Path) -> Result<Vec<PathBuf>, BackupError> {
    if file.try_exists().map_err(at(file))? {
        return Err(BackupError::Exists(file.to_owned()));
    }
    let partial = Partial::begin(file).map_err(at(file))?;
    let partial = partial.ok_or_else(|| BackupError::InProgress(file.to_owned()))?;
    let (removed, _may_be_anothers) = partial::remove_left(partial::folder_of(file));
    make_copy(database, partial.path()).await?;
    partial.keep(file).map_err(at(file))?;
    Ok(removed)
}

/// Puts what `file` holds in the place of what the database holds; where that is kept. `folder` is Medic's data folder. No server may
/// be running.
pub async fn restore(
    database: &Database,
    file: &Path,
    folder: &Path,
    now: Timestamp,
) -> Result<Option<PathBuf>, BackupError> {
    let copy = match database {
        Database::Sqlite(path) => aside::with(path, aside::RESTORING),
        Database::Postgres(_) => aside::with(&folder.join(BACKUP), aside::RESTORING),
    };
    let restored = async {
        checked_copy(file, &copy).await?;
        match database {
            Database::Sqlite(path) => replace_file(path, &copy, now).await,
            Database::Postgres(url) => replace_rows(url, &copy, folder, now).await.map(Some),
        }
    };
    let restored = restored.await;
    let _moved_by_now = remove(&copy);
    restored
}

/// What was deleted in a data folder, and what could not be.
#[derive(Debug, Default)]
pub struct Tidied {
    pub deleted: Vec<PathBuf>,
    pub failed: Vec<(PathBuf, io::Error)>,
}

/// Deletes in the data folder what was put aside and is past its bounds (older than `keep_from`, too many, too large; never the
/// latest), and what was left by a backup or a restore that was interrupted. For whoever holds the folder.
pub fn tidy(folder: &Path, keep_from: Timestamp) -> Tidied {
    let paths = [SQLITE_FILE, BACKUP].map(|name| folder.join(name));
    let (mut deleted, mut failed) = aside::tidy(&paths, keep_from);
    let (left, unremoved) = partial::remove_left(folder);
    deleted.extend(left);
    failed.extend(unremoved);
    Tidied { deleted, failed }
}

/// Into a file that is empty.
async fn make_copy(database: &Database, partial: &Path) -> Result<(), BackupError> {
    match database {
        Database::Sqlite(path) => Ok(snapshot(path, partial).await.map_err(failed("Backing up", path))?),
        Database::Postgres(url) => {
            let (options, name) = open::postgres_options(url)?;
            let unread = |source| StoreError::failed("Backing up", Arc::clone(&name), source);
            let mut from = open::postgres_connection(&options).await.map_err(unread)?;
            let found: i64 = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
                .fetch_one(&mut from)
                .await
                .map_err(unread)?;
            let known = schema::LATEST;
            if found > known {
                return Err(StoreError::NewerSchema { database: name, found, known }.into());
            }
            if found < known {
                return Err(BackupError::OlderSchema { database: name });
            }
            let mut into = migrated(partial).await?;
            let layout = layout(&mut into).await.map_err(failed("Reading", partial))?;
            rows_of_postgres(&layout, &mut from, &mut into).await.map_err(unread)?;
            Ok(into.close().await.map_err(failed("Backing up", partial))?)
        }
    }
}

/// An empty file for its owner alone, in the place of one that was left by a restore that was interrupted.
fn make(path: &Path) -> io::Result<()> {
    remove(path)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// With the journal, which would be taken for that of the next file of this name.
fn remove(path: &Path) -> io::Result<()> {
    for path in [aside::with(path, "-journal"), path.to_owned()] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn sync_folder(of: &Path) -> io::Result<()> {
    File::open(partial::folder_of(of))?.sync_all()
}

/// A copy as of one moment, into an empty file, whoever writes meanwhile.
async fn snapshot(from: &Path, into: &Path) -> sqlx::Result<()> {
    let mut connection =
        SqliteConnectOptions::new().filename(from).busy_timeout(open::LOCK_TIMEOUT).connect().await?;
    let copied =
        sqlx::query("VACUUM INTO $1").bind(into.display().to_string()).execute(&mut connection).await;
    connection.close().await?;
    copied.map(drop)
}

/// The file as a database of this Medic's tables, without files beside it.
async fn migrated(path: &Path) -> Result<SqliteConnection, BackupError> {
    let options = SqliteConnectOptions::new().filename(path).journal_mode(SqliteJournalMode::Delete);
    // rows come table by table
    let options = options.foreign_keys(false);
    let mut connection = options.connect().await.map_err(failed("Opening", path))?;
    let name: Arc<str> = path.display().to_string().into();
    schema::migrate(&schema::sqlite(), &mut connection, &name).await?;
    Ok(connection)
}

/// A copy of the backup, found whole and with this Medic's tables.
async fn checked_copy(file: &Path, copy: &Path) -> Result<(), BackupError> {
    let no_backup = |why: String| BackupError::NoBackup { path: file.to_owned(), why };
    File::open(file).map_err(at(file))?;
    make(copy).map_err(at(copy))?;
    snapshot(file, copy).await.map_err(|error| match crate::Cause::of(&error) {
        crate::Cause::Damaged => no_backup("it is damaged, or no SQLite file".to_owned()),
        _ => failed("Reading", file)(error).into(),
    })?;
    let found = open::inspect(copy).await.map_err(failed("Reading", copy))?;
    found.map_or(Ok(()), |found| Err(no_backup(found)))?;
    let mut connection =
        SqliteConnectOptions::new().filename(copy).connect().await.map_err(failed("Reading", copy))?;
    let sql = "SELECT COUNT(*) FROM sqlite_master WHERE name IN ('_sqlx_migrations', 'incident')";
    let tables: i64 =
        sqlx::query_scalar(sql).fetch_one(&mut connection).await.map_err(failed("Reading", copy))?;
    connection.close().await.map_err(failed("Reading", copy))?;
    if tables < 2 {
        return Err(no_backup("it has none of Medic's tables".to_owned()));
    }
    Ok(migrated(copy).await?.close().await.map_err(failed("Reading", copy))?)
}

/// The file takes the database's name in one step, so that there is a whole one at any moment.
async fn replace_file(path: &Path, copy: &Path, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    File::open(copy).and_then(|file| file.sync_all()).map_err(at(copy))?;
    if path.try_exists().map_err(at(path))? {
        // what a killed server left in its log goes into the file; a damaged one is kept as it is
        if let Ok(mut old) = SqliteConnectOptions::new().filename(path).connect().await {
            let _damaged = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut old).await;
            let _damaged = old.close().await;
        }
        let kept = aside::link_replaced(path, now).map_err(at(path))?;
        fs::rename(copy, path).and_then(|()| sync_folder(path)).map_err(at(path))?;
        return Ok(Some(kept));
    }
    fs::rename(copy, path).and_then(|()| sync_folder(path)).map_err(at(path))?;
    Ok(None)
}

/// All rows in one transaction; before, a backup of those that go.
async fn replace_rows(url: &str, copy: &Path, folder: &Path, now: Timestamp) -> Result<PathBuf, BackupError> {
    let (options, name) = open::postgres_options(url)?;
    let unwritten = |source| StoreError::failed("Restoring", Arc::clone(&name), source);
    let mut into = open::postgres_connection(&options).await.map_err(unwritten)?;
    let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'medic' \
               AND datname = current_database() AND pid <> pg_backend_pid()";
    let sessions: i64 = sqlx::query_scalar(sql).fetch_one(&mut into).await.map_err(unwritten)?;
    if sessions > 0 {
        return Err(BackupError::InUse { database: name, sessions });
    }
    schema::migrate(&schema::postgres(), &mut into, &name).await?;
    let kept = aside::replaced_name(&folder.join(BACKUP), now).map_err(at(folder))?;
    back_up(&Database::Postgres(url.to_owned()), &kept).await?;
    let mut from =
        SqliteConnectOptions::new().filename(copy).connect().await.map_err(failed("Reading", copy))?;
    let layout = layout(&mut from).await.map_err(failed("Reading", copy))?;
    rows_of_sqlite(&layout, &mut from, &mut into).await.map_err(unwritten)?;
    from.close().await.map_err(failed("Reading", copy))?;
    Ok(kept)
}

/// The tables, whom others refer to first, and which columns of each are whole numbers; the others are texts. As `file` has them.
async fn layout(file: &mut SqliteConnection) -> sqlx::Result<Vec<(&'static Table, Vec<bool>)>> {
    let (first, rest): (Vec<_>, Vec<_>) = TABLES.iter().partition(|table| table.name == "incident");
    let mut layout = Vec::new();
    for table in first.into_iter().chain(rest) {
        let sql = "SELECT name, type = 'BIGINT' FROM pragma_table_info($1)";
        let found: Vec<(String, bool)> = sqlx::query_as(sql).bind(table.name).fetch_all(&mut *file).await?;
        let is_number = |column: &&str| found.iter().any(|(name, is_number)| name == column && *is_number);
        layout.push((table, table.columns.iter().map(is_number).collect()));
    }
    Ok(layout)
}

fn select(table: &Table) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("SELECT {} FROM {}", table.columns.join(", "), table.name))
}

fn insert(table: &Table, rows: usize) -> AssertSqlSafe<String> {
    let width = table.columns.len();
    let row = |row: usize| {
        let values: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", values.join(", "))
    };
    let rows: Vec<String> = (0..rows).map(row).collect();
    AssertSqlSafe(format!(
        "INSERT INTO {} ({}) VALUES {}",
        table.name,
        table.columns.join(", "),
        rows.join(", ")
    ))
}

/// Copies all tables from one kind of database into the other, in one transaction at each end.
macro_rules! copy {
    ($name:ident, $begin:literal, $from:ty, $row:ty, $into:ty) => {
        async fn $name(
            layout: &[(&'static Table, Vec<bool>)],
            from: &mut $from,
            into: &mut $into,
        ) -> sqlx::Result<()> {
            let mut from = from.begin_with($begin).await?;
            let mut into = into.begin().await?;
            for (table, _) in layout.iter().rev() {
                let sql = format!("DELETE FROM {}", table.name);
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *into).await?;
            }
            for (table, are_numbers) in layout {
                let mut batches = sqlx::query(select(table)).fetch(&mut *from).chunks(BATCH);
                while let Some(rows) = batches.next().await {
                    let rows: Vec<$row> = rows.into_iter().collect::<sqlx::Result<_>>()?;
                    let mut query = sqlx::query(insert(table, rows.len()));
                    for row in &rows {
                        for (column, is_number) in are_numbers.iter().enumerate() {
                            query = if *is_number {
                                query.bind(row.try_get::<Option<i64>, _>(column)?)
                            } else {
                                query.bind(row.try_get::<Option<String>, _>(column)?)
                            };
                        }
                    }
                    query.execute(&mut *into).await?;
                }
            }
            into.commit().await
        }
    };
}

copy!(
    rows_of_postgres,
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    PgConnection,
    PgRow,
    SqliteConnection
);
copy!(rows_of_sqlite, "BEGIN", SqliteConnection, SqliteRow, PgConnection);

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(sqlx::Error) -> StoreError {
    let database: Arc<str> = path.display().to_string().into();
    move |source| StoreError::failed(action, database, source)
}
