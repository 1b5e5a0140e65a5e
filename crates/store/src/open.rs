//! Opening the two databases: connections, their durability, and the tables.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgSslMode};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::sql::{Pools, SqlitePools};
use crate::{Database, StoreError, schema};

/// How long a writer waits for another one; longer than any transaction of ours takes.
pub(crate) const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a reader waits for one that keeps even readers out, such as a database shell: a page waits for it.
const READER_LOCK_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a call waits for a free connection, a writer's turn included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may take to let Medic in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Enough for the pages of a few readers at a time.
const SQLITE_READERS: u32 = 4;
/// Rows that SQLite's thread reads ahead: what a page reads comes at once, and the two threads do not take turns for it.
const ROWS_AHEAD: usize = 256;
/// What a reader keeps of the file, in KiB: SQLite's own measure, four times as much, would be kept by each for good, and the system
/// has the file in its cache anyway.
const READER_CACHE: &str = "-512";
/// PostgreSQL admits 100 connections by default; several nodes share them.
const POSTGRES_CONNECTIONS: u32 = 8;

/// Opens a database, makes it where it is not there, and brings its tables up to date.
pub(crate) async fn open(database: &Database) -> Result<Pools, StoreError> {
    match database {
        Database::Sqlite(path) => sqlite(path).await,
        Database::Postgres(url) => postgres(url).await,
    }
}

/// The file or the url without its password, for messages.
pub(crate) fn name(database: &Database) -> Result<Arc<str>, StoreError> {
    match database {
        Database::Sqlite(path) => Ok(path.display().to_string().into()),
        Database::Postgres(url) => postgres_options(url).map(|(_, name)| name),
    }
}

async fn sqlite(path: &Path) -> Result<Pools, StoreError> {
    let made = create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let opened = open_sqlite(path).await;
    if made && opened.is_err() {
        // A file without tables, left by a full disk, would look like one that was emptied.
        for end in ["", "-wal", "-shm"] {
            let _may_not_be_there = std::fs::remove_file(format!("{}{end}", path.display()));
        }
    }
    opened
}

async fn open_sqlite(path: &Path) -> Result<Pools, StoreError> {
    let database: Arc<str> = path.display().to_string().into();
    let failed = |source| StoreError::failed("Opening", Arc::clone(&database), source);
    let writer = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(LOCK_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        // the log is cut back to this after a burst
        .pragma("journal_size_limit", "67108864");
    let durable = writer.clone().synchronous(SqliteSynchronous::Full);
    let quick = writer.synchronous(SqliteSynchronous::Normal);
    let readers = readers(path);

    let mut first = durable.connect().await.map_err(failed)?;
    let migrated = schema::migrate(&schema::sqlite(), &mut first, &database).await;
    let closed = first.close().await;
    migrated?;
    closed.map_err(failed)?;
    let pools = SqlitePools {
        durable: sqlite_pool(1, durable),
        quick: sqlite_pool(1, quick),
        readers: sqlite_pool(SQLITE_READERS, readers),
    };
    Ok(Pools::Sqlite(pools))
}

fn readers(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(READER_LOCK_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        .pragma("query_only", "ON")
        .pragma("cache_size", READER_CACHE)
}

/// Reads the whole file, which takes a second for some hundred megabytes; what is wrong with it, where anything is.
pub(crate) async fn inspect(path: &Path) -> sqlx::Result<Option<String>> {
    let mut connection = readers(path).connect().await?;
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok((found != "ok").then_some(found))
}

/// Makes the file and its folder for their owner alone. SQLite's files beside it take the same mode. Was it not there?
fn create(path: &Path) -> io::Result<bool> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // a restored copy may have come with a wider one
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.metadata()?.permissions().mode() & 0o777 != 0o600 {
                std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
            }
            Ok(false)
        }
        made => made.map(|_| true),
    }
}

/// SQLite itself rolls a transaction back when the disk is full; `sqlx` then counts it as open for ever and begins no other one.
/// Such a connection is replaced before it is used again.
fn sqlite_pool(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECTION_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(true)
        .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .connect_lazy_with(options)
}

pub(crate) fn postgres_options(url: &str) -> Result<(PgConnectOptions, Arc<str>), StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(StoreError::Url)?.application_name("medic");
    let database: Arc<str> = without_password(&options).into();
    if matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
        return Err(StoreError::Tls { database });
    }
    Ok((options, database))
}

/// A connection of its own: a pool would try again until its time is up, and then know no reason.
pub(crate) async fn postgres_connection(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let connecting = tokio::time::timeout(LOGIN_TIMEOUT, PgConnection::connect_with(options)).await;
    connecting.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

async fn postgres(url: &str) -> Result<Pools, StoreError> {
    let (options, database) = postgres_options(url)?;
    let mut first = postgres_connection(&options)
        .await
        .map_err(|source| StoreError::failed("Connecting", Arc::clone(&database), source))?;
    let migrated = schema::migrate(&schema::postgres(), &mut first, &database).await;
    // also gives up the migrations' lock
    let closed = first.close().await;
    migrated?;
    closed.map_err(|source| StoreError::failed("Opening", Arc::clone(&database), source))?;
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(CONNECTION_TIMEOUT)
        .connect_lazy_with(options);
    Ok(Pools::Postgres(pool))
}

fn without_password(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(socket) => format!("postgres://{user}@{}/{database}", socket.display()),
        None => format!("postgres://{user}@{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;
    use model::settings::AppSettings;
    use model::{NodeName, Place};

    async fn pools(path: &Path) -> SqlitePools {
        match sqlite(path).await.unwrap() {
            Pools::Sqlite(pools) => pools,
            Pools::Postgres(_) => unreachable!("a file was opened"),
        }
    }

    #[tokio::test]
    async fn crashes_are_synced_and_minutes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let pools = pools(&folder.path().join("medic.db")).await;
        for (pool, synchronous, foreign_keys, query_only) in
            [(&pools.durable, 2, 1, 0), (&pools.quick, 1, 1, 0), (&pools.readers, 2, 1, 1)]
        {
            let ask =
                async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(pool).await.unwrap();
            assert_eq!(ask("PRAGMA synchronous").await, synchronous);
            assert_eq!(ask("PRAGMA foreign_keys").await, foreign_keys);
            assert_eq!(ask("PRAGMA query_only").await, query_only);
            let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.unwrap();
            assert_eq!(mode, "wal");
        }
    }

    /// SQLite's own limit of pages gives the very error of a full disk.
    #[tokio::test]
    async fn a_full_database_says_so_and_goes_on_when_there_is_space() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::Store::open(&Database::Sqlite(folder.path().join("medic.db"))).await.unwrap();
        let open = store.sql.pools().unwrap();
        let Pools::Sqlite(pools) = &*open else { unreachable!("a file was opened") };
        sqlx::query("PRAGMA max_page_count = 120").execute(&pools.durable).await.unwrap();

        let node = NodeName::of_hostname("a");
        let place = |instance| Place { node: node.clone(), app: "shop".parse().unwrap(), instance };
        let state = "x".repeat(10_000);
        let mut saved = 0;
        let error = loop {
            match store.save_crash_monitor_state(&place(saved), &state).await {
                Ok(()) => saved += 1,
                Err(error) => break error,
            }
        };
        assert!(saved > 0);
        assert_eq!(error.cause(), Some(Cause::DiskFull), "{error}");
        assert!(error.to_string().contains("the disk is full; make space"), "{error}");
        assert_eq!(store.crash_monitor_states(&node).await.unwrap().len(), usize::from(saved));

        sqlx::query("PRAGMA max_page_count = 6000").execute(&pools.durable).await.unwrap();
        store.save_crash_monitor_state(&place(saved), &state).await.unwrap();
        assert_eq!(store.crash_monitor_states(&node).await.unwrap().len(), usize::from(saved) + 1);
        assert_eq!(store.settings(&"shop".parse().unwrap()).await.unwrap(), AppSettings::default());
    }
}
