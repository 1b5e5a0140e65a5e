//! What can go wrong with a database, in words that a person can act on: what was being done, on which database, why it failed
//! and what to do. No message holds a password or a stored value.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The url of `[database]` is no PostgreSQL url.
    #[error("the url of [database] cannot be read: write it as postgres://user:password@host:5432/database")]
    Url(#[source] sqlx::Error),
    /// The url demands what this build cannot do.
    #[error(
        "{database} demands TLS, which Medic's database client does not speak: connect over the loopback, a local socket or \
         a tunnel, and leave `sslmode` out of the url"
    )]
    Tls {
        /// The url without its password.
        database: Arc<str>,
    },
    /// The file or its folder cannot be made.
    #[error("the database file {} cannot be made: {source}; check the folder's owner and mode", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is damaged, and cannot be put aside.
    #[error("the database file {} is damaged and cannot be moved aside: {source}; move it yourself", path.display())]
    Aside {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A newer Medic has been here.
    #[error(
        "{database} was written by a newer Medic (its tables are at {found}, this one knows up to {known}): install that \
         version again or take another database; nothing was changed"
    )]
    NewerSchema {
        /// The file or the url without its password.
        database: Arc<str>,
        /// The tables' number.
        found: i64,
        /// The latest that this Medic knows.
        known: i64,
    },
    /// There is no database just now; it is tried again beside.
    #[error("{action} failed on {database}: {reason}")]
    Unavailable {
        /// What was to be done.
        action: &'static str,
        /// The file or the url without its password.
        database: Arc<str>,
        /// Why there is none; a sentence without a capital and a period.
        reason: String,
    },
    /// The database refused, or could not be asked.
    #[error("{action} failed on {database}: {cause} ({source})")]
    Failed {
        /// What was being done.
        action: &'static str,
        /// The file or the url without its password.
        database: Arc<str>,
        /// Why, as far as it can be told.
        cause: Cause,
        /// What the database said.
        source: sqlx::Error,
    },
}

/// Why a database refused; its text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// No space is left.
    DiskFull,
    /// Another process holds a lock on it.
    Locked,
    /// User or password are wrong, or the server admits nobody from here.
    Login,
    /// There is no such database.
    NoDatabase,
    /// The user may not do this.
    Permission,
    /// Nobody answers.
    Unreachable,
    /// No connection came free in time.
    Busy,
    /// The file is no database any more.
    Damaged,
    /// The disk does not read or write.
    Disk,
    /// A stored value is none that this Medic writes.
    Unreadable,
    /// The store was closed.
    Closed,
    /// Anything else; the source tells.
    Other,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DiskFull => "the disk is full; make space, nothing that was stored is lost",
            Self::Locked => {
                "another process holds a lock on it; end a second Medic, a database shell or a backup"
            }
            Self::Login => {
                "the login was refused; check user and password in the url, and the server's pg_hba.conf"
            }
            Self::NoDatabase => "there is no such database; create it, or correct the url",
            Self::Permission => {
                "this user may not; check owner and mode of the file and its folder, or the grants"
            }
            Self::Unreachable => "it cannot be reached; check that the server runs, host and port",
            Self::Busy => "no connection came free in time; the database is overloaded or cannot be reached",
            Self::Damaged => "the file is damaged or no database; put it aside and restore a copy",
            Self::Disk => "the disk could not be read or written; check its free space and health",
            Self::Unreadable => {
                "a stored value cannot be read; a newer Medic wrote it or it was changed by hand"
            }
            Self::Closed => "it has been closed; Medic is stopping",
            Self::Other => "the database refused",
        })
    }
}

impl StoreError {
    pub(crate) fn failed(action: &'static str, database: Arc<str>, source: sqlx::Error) -> Self {
        Self::Failed { action, database, cause: Cause::of(&source), source }
    }

    /// Why, for people: without what the database's own library says.
    pub fn reason(&self) -> String {
        match self {
            Self::Failed { cause, .. } => cause.to_string(),
            Self::Unavailable { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// Why, where the database refused.
    pub fn cause(&self) -> Option<Cause> {
        if let Self::Failed { cause, .. } = self { Some(*cause) } else { None }
    }
}

impl Cause {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(refusal) => match refusal.code() {
                Some(code) if refusal.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() => {
                    Self::of_sqlite(code.parse().unwrap_or(0))
                }
                Some(code) => Self::of_postgres(&code),
                None => Self::Other,
            },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) => Self::Unreachable,
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::PoolClosed => Self::Closed,
            sqlx::Error::ColumnDecode { .. } => Self::Unreadable,
            sqlx::Error::Migrate(migrating) => match &**migrating {
                sqlx::migrate::MigrateError::Execute(error)
                | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => Self::of(error),
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// By result code (sqlite.org/rescode.html); the low byte is the primary one.
    fn of_sqlite(code: i32) -> Self {
        match code & 0xff {
            13 => Self::DiskFull,
            5 | 6 => Self::Locked,
            3 | 8 | 14 | 23 => Self::Permission,
            11 | 26 => Self::Damaged,
            10 => Self::Disk,
            _ => Self::Other,
        }
    }

    /// By SQLSTATE (PostgreSQL's appendix A).
    fn of_postgres(code: &str) -> Self {
        match code {
            "53100" => Self::DiskFull,
            "55P03" | "40P01" => Self::Locked,
            "28P01" | "28000" => Self::Login,
            "3D000" => Self::NoDatabase,
            "42501" | "25006" => Self::Permission,
            "53300" => Self::Busy,
            "57P01" | "57P02" | "57P03" => Self::Unreachable,
            "XX001" | "XX002" => Self::Damaged,
            "58030" => Self::Disk,
            _ if code.starts_with("08") => Self::Unreachable,
            _ => Self::Other,
        }
    }
}
