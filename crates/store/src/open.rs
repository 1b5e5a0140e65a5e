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
use crate::{StoreError, schema};

/// How long a writer waits for another one; longer than any transaction of ours takes.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a call waits for a free connection, a writer's turn included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Enough for the pages of a few readers at a time.
const SQLITE_READERS: u32 = 4;
/// PostgreSQL admits 100 connections by default; several nodes share them.
const POSTGRES_CONNECTIONS: u32 = 8;

pub(crate) async fn sqlite(path: &Path) -> Result<(Pools, Arc<str>), StoreError> {
    create(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
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
    let readers =
        SqliteConnectOptions::new().filename(path).busy_timeout(LOCK_TIMEOUT).pragma("query_only", "ON");

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
    Ok((Pools::Sqlite(pools), database))
}

/// Makes the file and its folder for their owner alone. SQLite's files beside it take the same mode.
fn create(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        // a restored copy may have come with a wider one
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::set_permissions(path, Permissions::from_mode(0o600))
        }
        made => made.map(drop),
    }
}

fn sqlite_pool(connections: u32, options: SqliteConnectOptions) -> SqlitePool {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECTION_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_lazy_with(options)
}

pub(crate) async fn postgres(url: &str) -> Result<(Pools, Arc<str>), StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(StoreError::Url)?.application_name("medic");
    let database: Arc<str> = without_password(&options).into();
    if matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull) {
        return Err(StoreError::Tls { database });
    }
    // A connection of its own: a pool would try again until its time is up, and then know no reason.
    let connecting = tokio::time::timeout(CONNECTION_TIMEOUT, PgConnection::connect_with(&options)).await;
    let mut first = connecting
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
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
    Ok((Pools::Postgres(pool), database))
}

fn without_password(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    match options.get_socket() {
        Some(socket) => format!("postgres://{user}@{}/{database}", socket.display()),
        None => format!("postgres://{user}@{}:{}/{database}", options.get_host(), options.get_port()),
    }
}
