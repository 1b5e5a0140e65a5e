//! Whoever keeps the database: opens it, watches whether it still answers, and opens it again after it was gone.
//!
//! ```text
//!            opened                          no answer, the file is gone
//!  Opening ─────────▶ Open ───────────────────────────────────────────────┐
//!     │                │ ▲                                                ▼
//!     │                │ └───────────────── opened ──────────────── Unavailable ◀─┐ again after
//!     │                │ damaged: put aside, begun anew ────▶ Open        │       │ a pause
//!     └────────────────┴── not opened ───────────────────────────────────▶└───────┘
//! ```
//!
//! A file of SQLite that is damaged is put aside (see `aside`), and a new one is begun. A server is never begun anew, and a file
//! that a newer Medic wrote is left alone.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use model::Clock;
use model::status::{BegunAnew, DatabaseState};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;

use crate::access::{Access, Alarm};
use crate::sql::Pools;
use crate::{Cause, Database, StoreError, aside, open};

/// How often it is looked whether the database still answers.
const LOOK: Duration = Duration::from_secs(2);
/// How long it may take to answer somebody who already waits.
pub(crate) const ANSWER: Duration = Duration::from_millis(350);
/// How long it may take to answer when nobody is known to wait.
const ANSWER_UNASKED: Duration = Duration::from_secs(1);
/// The pause after the first attempt to open it that failed; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long connections may take to be closed.
const CLOSE: Duration = Duration::from_secs(5);

/// Keeps one database.
pub struct Keeper {
    access: Arc<Access>,
    alarms: mpsc::Receiver<Alarm>,
    database: Database,
    clock: Arc<dyn Clock>,
    /// The connection on which a server is asked whether it answers.
    probe: Option<PgConnection>,
}

/// Why a database that was open is given up.
enum Lost {
    /// Its file is damaged.
    Damaged,
    /// Its file is gone, or another one is there.
    Gone,
    /// It does not answer.
    Silent,
}

/// A file as the system knows it, whatever its name.
type FileId = (u64, u64);

impl Keeper {
    pub(crate) fn new(
        access: Arc<Access>,
        alarms: mpsc::Receiver<Alarm>,
        database: Database,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { access, alarms, database, clock, probe: None }
    }

    /// Keeps it for as long as this is polled.
    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            match self.open().await {
                Ok(pools) => {
                    if failures > 0 {
                        tracing::info!("the database is available again");
                    }
                    failures = 0;
                    let file = self.identity().await;
                    self.access.open(pools);
                    let lost = self.watch(file).await;
                    self.give_up(lost).await;
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::error!(%error, "database unavailable; trying again");
                    }
                    self.unavailable(&error.reason());
                    failures += 1;
                    tokio::time::sleep(pause(failures)).await;
                }
            }
        }
    }

    /// Opens it; a file that is damaged is put aside before.
    async fn open(&mut self) -> Result<Pools, StoreError> {
        let Database::Sqlite(path) = &self.database else { return open::open(&self.database).await };
        let path = path.clone();
        if let Ok(Some(kept)) = aside::latest(&path) {
            self.access.set(|status| {
                let known = &mut status.health.begun_anew;
                if known.as_ref().is_none_or(|known| known.at < kept.at) {
                    *known = Some(kept);
                }
            });
        }
        let opened = if is_emptied(&path) { None } else { Some(open::open(&self.database).await) };
        match opened {
            Some(Err(error)) if error.cause() != Some(Cause::Damaged) => Err(error),
            Some(Ok(pools)) => Ok(pools),
            _ => {
                self.put_aside(&path)?;
                open::open(&self.database).await
            }
        }
    }

    fn put_aside(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Aside { path: path.to_owned(), source };
        let at = self.clock.wall();
        let aside::Put { kept, deleted } = aside::put(path, at).map_err(failed)?;
        tracing::error!(kept_as = %kept.display(), "the database file was damaged: it was moved aside and a new one is begun");
        for path in deleted {
            tracing::warn!(
                "deleted {}: the oldest damaged database of too many or too large ones",
                path.display()
            );
        }
        self.begun_anew(BegunAnew { at, kept_as: Some(kept.display().to_string()) });
        Ok(())
    }

    fn begun_anew(&self, anew: BegunAnew) {
        self.access.set(|status| {
            status.health.begun_anew = Some(anew);
            status.begun_anew += 1;
        });
    }

    /// Returns when the database is lost.
    async fn watch(&mut self, opened: Option<FileId>) -> Lost {
        let path = match &self.database {
            Database::Sqlite(path) => Some(path.clone()),
            Database::Postgres(_) => None,
        };
        let mut inspection = tokio::task::JoinSet::new();
        if let Some(path) = path.clone() {
            inspection.spawn(async move { is_damaged(&path).await });
        }
        loop {
            tokio::select! {
                alarm = self.alarms.recv() => match alarm {
                    Some(Alarm::Damaged) if path.is_some() => return Lost::Damaged,
                    Some(Alarm::Doubt) if !self.answers(ANSWER).await => return Lost::Silent,
                    Some(Alarm::WriteFailed(cause)) => self.writes_fail(cause),
                    Some(Alarm::Wrote) => self.writes_again(),
                    _ => {}
                },
                Some(damaged) = inspection.join_next() => if damaged.unwrap_or(false) { return Lost::Damaged },
                () = tokio::time::sleep(LOOK) => {
                    if !self.answers(ANSWER_UNASKED).await {
                        return Lost::Silent;
                    }
                    if let Some(path) = &path {
                        let now = self.identity().await;
                        if now.is_none() || now != opened {
                            return Lost::Gone;
                        }
                        self.forget_cleared(path).await;
                    }
                }
            }
        }
    }

    /// The file that has the database's name now; a server has none.
    async fn identity(&self) -> Option<FileId> {
        let Database::Sqlite(path) = &self.database else { return None };
        tokio::fs::metadata(path).await.ok().map(|file| (file.dev(), file.ino()))
    }

    async fn give_up(&mut self, lost: Lost) {
        self.probe = None;
        let reason = match lost {
            Lost::Damaged => "the file is damaged",
            Lost::Gone => "the file was deleted or replaced",
            Lost::Silent => "no answer; check that the server runs, host and port",
        };
        tracing::error!("database unavailable: {reason}");
        self.unavailable(reason);
        let Some(pools) = self.access.take() else { return };
        let Database::Sqlite(path) = &self.database else {
            // One that does not answer would not let them be closed: they go with whoever still has them.
            return;
        };
        close(&pools).await;
        match lost {
            Lost::Damaged => {
                let path = path.clone();
                if let Err(error) = self.put_aside(&path) {
                    tracing::error!(%error, "the damaged database stays where it is");
                    self.unavailable(&error.reason());
                }
            }
            Lost::Gone if path.try_exists().is_ok_and(|exists| !exists) => {
                self.begun_anew(BegunAnew { at: self.clock.wall(), kept_as: None });
            }
            Lost::Gone | Lost::Silent => {}
        }
    }

    fn unavailable(&self, reason: &str) {
        let (now, reason) = (self.clock.wall(), reason.to_owned());
        self.access.set(|status| {
            let since = match &status.health.state {
                DatabaseState::Unavailable { since, .. } => *since,
                _ => now,
            };
            status.health.state = DatabaseState::Unavailable { since, reason };
        });
    }

    fn writes_fail(&self, cause: Cause) {
        let (since, reason) = (self.clock.wall(), cause.to_string());
        self.access.set(|status| {
            if status.health.state == DatabaseState::Available {
                tracing::error!("the database cannot be written: {reason}");
                status.health.state = DatabaseState::WritesFail { since, reason };
            }
        });
    }

    fn writes_again(&self) {
        self.access.set(|status| {
            if matches!(status.health.state, DatabaseState::WritesFail { .. }) {
                tracing::info!("the database can be written again");
                status.health.state = DatabaseState::Available;
            }
        });
    }

    /// A damaged file that somebody has taken away is not spoken of any more.
    async fn forget_cleared(&self, path: &Path) {
        let known = self.access.status().borrow().health.begun_anew.clone();
        let Some(BegunAnew { kept_as: Some(kept), .. }) = known else { return };
        if tokio::fs::try_exists(&kept).await.is_ok_and(|exists| !exists) {
            let latest = aside::latest(path).unwrap_or_default();
            self.access.set(|status| status.health.begun_anew = latest);
        }
    }

    /// Does it answer in time? A file is not asked: whoever reads it is told by the system.
    async fn answers(&mut self, within: Duration) -> bool {
        let Database::Postgres(url) = &self.database else { return true };
        let Ok(options) = open::postgres_options(url) else { return false };
        let mut probe = self.probe.take();
        let ask = async {
            if let Some(connection) = &mut probe
                && connection.ping().await.is_ok()
            {
                return probe;
            }
            let mut connection = open::postgres_connection(&options.0).await.ok()?;
            connection.ping().await.ok()?;
            Some(connection)
        };
        self.probe = tokio::time::timeout(within, ask).await.unwrap_or_default();
        self.probe.is_some()
    }
}

/// Closes connections, unless they cannot be closed.
pub(crate) async fn close(pools: &Pools) {
    let _given_up = tokio::time::timeout(CLOSE, pools.close()).await;
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_PAUSE)
}

/// A file without a byte was a database once: Medic leaves none behind.
fn is_emptied(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() == 0)
}

async fn is_damaged(path: &Path) -> bool {
    match open::inspect(path).await {
        Ok(None) => false,
        Ok(Some(found)) => {
            tracing::error!(found, "the database file is damaged");
            true
        }
        Err(error) => Cause::of(&error) == Cause::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_short() {
        let pauses: Vec<_> = (1..8).map(|failures| pause(failures).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
