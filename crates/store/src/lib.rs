//! What is remembered: crashes and their incidents, the audit of dumps, restarts and what else auto-heal did, settings and rules,
//! guarding states, requests and memory by the minute.
//!
//! The one crate with SQL. SQLite in the data folder is the default and needs nothing installed; PostgreSQL is for several
//! nodes that share what they know. Every statement is one text for both (see `sql`); only the migrations differ, under the
//! same numbers. A conformance suite of real calls passes on both.
//!
//! - **Durable**: what cannot be had again – a crash, its audit row, a restart, a setting, a rule, a guarding state – is on the
//!   disk when the call returns (`synchronous = FULL`). What is kept by the minute may lose the last seconds to a power cut,
//!   never to a crash of Medic.
//! - **Whole**: each call that writes is one transaction. After a full disk or a lost connection, what was committed is there,
//!   what was not is not, and the next call works again as soon as the disk or the database does.
//! - **Bounded**: text comes from programs that fail and is hostile; it is cut to a length and freed of NUL on the way in.
//!   No list is longer than its limit. The exception's *message* has no column.
//! - **Without TLS**: a PostgreSQL url that demands it (`sslmode=require` and above) is refused with a message, because the
//!   library for it would double this crate's compile time. Take a local socket, the loopback or a tunnel.

mod access;
mod accounts;
mod aside;
mod auto_heal;
mod backup;
mod bounds;
mod changes;
mod crash_minutes;
mod crash_row;
mod crashes;
mod deploys;
mod error;
mod evidence;
mod heal_events;
mod incidents;
mod keeper;
mod memory;
mod minute_text;
mod minutes;
mod open;
mod partial;
mod restarts;
mod retention;
mod schema;
mod sessions;
mod settings;
mod shares;
mod signal_only;
mod sql;
pub mod tables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use access::Access;
use model::crash::Audit;
use model::status::DatabaseState;
use model::{Clock, CrashId, IncidentId, Place, Timestamp};
use tokio::sync::watch;

pub use access::StoreStatus;
pub use accounts::{Added, Changed};
pub use backup::{BackupError, SQLITE_FILE, Tidied, back_up, restore, tidy};
pub use error::{Cause, StoreError};
pub use keeper::Keeper;
pub use shares::NewShare;

/// Where to remember.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A file, made with mode 0600 when it is not there.
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/database`; the database exists, its tables are made.
    Postgres(String),
}

/// The url may hold a password, so it is not shown.
impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(***)"),
        }
    }
}

/// An open database; clones share it.
#[derive(Clone)]
pub struct Store {
    sql: Arc<Access>,
    /// The file or the url without its password, for messages.
    database: Arc<str>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Store").field(&self.database).finish()
    }
}

/// What became of a crash that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// It was not known before; a crash counts once, however often it is handed in.
    pub new: bool,
    /// How many crashes its incident now counts.
    pub count: u64,
}

/// The crashes on one instance within a part of the range that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashCount {
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
    pub count: u64,
    /// How many of them were kills for want of memory.
    pub out_of_memory: u64,
    pub place: Place,
}

/// One dump's proof of deletion, and whose it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The crash.
    pub crash: CrashId,
    /// The incident its crash belongs to.
    pub incident: IncidentId,
    /// The proof.
    pub audit: Audit,
}

/// Which flush of requests it is, so that one that is sent twice is counted once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// The run of Medic that counted; no two runs of a node have the same.
    pub boot: String,
    /// Its number, which grows within the run.
    pub number: u64,
    /// When it was made.
    pub at: Timestamp,
}

/// What [`Store::purge`] forgot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged(BTreeMap<&'static str, u64>);

impl Purged {
    /// How many rows of a table; what went with another table's rows is not counted.
    pub fn of(&self, table: &str) -> u64 {
        self.0.get(table).copied().unwrap_or(0)
    }

    fn add(&mut self, table: &'static str, rows: u64) {
        if rows > 0 {
            *self.0.entry(table).or_default() += rows;
        }
    }
}

impl Store {
    /// Opens the database, makes it where it is not there, and brings its tables up to date. Tables that a newer Medic made
    /// are refused and left as they are.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let pools = open::open(database).await?;
        let (sql, _nobody_hears) = Access::new();
        sql.open(pools);
        Ok(Self { sql, database: open::name(database)? })
    }

    /// A store whose database is opened beside it, and whoever opens and keeps it: that has to be run. Calls are refused at once
    /// while there is no database. Only an address that can never be used is an error.
    pub fn beside(database: Database, clock: Arc<dyn Clock>) -> Result<(Self, Keeper), StoreError> {
        let name = open::name(&database)?;
        let (sql, alarms) = Access::new();
        let keeper = Keeper::new(Arc::clone(&sql), alarms, database, clock);
        Ok((Self { sql, database: name }, keeper))
    }

    /// Whether there is a database, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<StoreStatus> {
        self.sql.status()
    }

    /// Can the tables be read?
    pub async fn check(&self) -> Result<(), StoreError> {
        let read = self.sql.rows("SELECT id FROM incident LIMIT 1", vec![]).await;
        read.map(drop).map_err(self.failed("Reading"))
    }

    /// Lets calls under way finish and closes all connections. Later calls are refused.
    pub async fn close(&self) {
        if let Some(pools) = self.sql.take() {
            keeper::close(&pools).await;
        }
    }

    /// Turns a database's error into one that says what was being done, and where.
    fn failed(&self, action: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        let (database, sql) = (Arc::clone(&self.database), Arc::clone(&self.sql));
        move |source| {
            sql.notice(&source);
            let state = sql.status().borrow().health.state.clone();
            match (source, state) {
                (sqlx::Error::PoolClosed, DatabaseState::Unavailable { reason, .. }) => {
                    StoreError::Unavailable { action, database, reason }
                }
                (sqlx::Error::PoolClosed, DatabaseState::Opening) => {
                    let reason = "the database is being opened".to_owned();
                    StoreError::Unavailable { action, database, reason }
                }
                (source, _) => StoreError::failed(action, database, source),
            }
        }
    }
}
