//! The way from a call to the connections: whether there are any just now, and what a call's failure tells whoever keeps the
//! database.
//!
//! ```text
//!  call ──▶ Access ──▶ pools ──▶ database
//!             │ refused at once while there are none; given up when they are taken away
//!             └─alarm──▶ Keeper: asks the database itself, takes the pools away, opens it again
//! ```

use std::sync::Arc;
use std::time::Duration;

use model::status::{DatabaseHealth, DatabaseState};
use model::{AppName, TimeRange};
use tokio::sync::{mpsc, watch};

use crate::error::Cause;
use crate::sql::{Durability, Pools, Row, Transaction, Value};

/// A call that takes longer than this makes the keeper ask whether the database still answers. With what the keeper then takes
/// ([`crate::keeper::ANSWER`]), a page that finds the database hanging is there within a second.
const PATIENCE: Duration = Duration::from_millis(500);
/// No call takes longer, whatever the database says of itself.
const LIMIT: Duration = Duration::from_secs(20);
/// Alarms that wait for the keeper. What does not fit says nothing new.
const ALARMS: usize = 16;

/// What a call noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The file is damaged.
    Damaged,
    /// The database may be gone, or hang.
    Doubt,
    /// Something could not be written.
    WriteFailed(Cause),
    /// Something was written again.
    Wrote,
}

/// What is known of the database, for everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// Whether it can be used.
    pub health: DatabaseHealth,
    /// How often, since Medic started, a new database took the place of one that was lost.
    pub begun_anew: u64,
}

impl StoreStatus {
    /// Can it be read?
    pub const fn is_open(&self) -> bool {
        matches!(self.health.state, DatabaseState::Available | DatabaseState::WritesFail { .. })
    }
}

/// The connections, as far as there are any.
pub(crate) struct Access {
    pools: watch::Sender<Option<Arc<Pools>>>,
    status: watch::Sender<StoreStatus>,
    alarms: mpsc::Sender<Alarm>,
}

impl Access {
    /// Access to a database that is not open yet.
    pub(crate) fn new() -> (Arc<Self>, mpsc::Receiver<Alarm>) {
        let (alarms, heard) = mpsc::channel(ALARMS);
        let access = Self { pools: watch::Sender::default(), status: watch::Sender::default(), alarms };
        (Arc::new(access), heard)
    }

    /// From now on calls are made on these connections.
    pub(crate) fn open(&self, pools: Pools) {
        self.pools.send_replace(Some(Arc::new(pools)));
        self.set(|status| status.health.state = DatabaseState::Available);
    }

    /// Calls under way are given up, later ones refused.
    pub(crate) fn take(&self) -> Option<Arc<Pools>> {
        self.pools.send_replace(None)
    }

    pub(crate) fn status(&self) -> watch::Receiver<StoreStatus> {
        self.status.subscribe()
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut StoreStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    /// What went wrong with a call tells the keeper where to look.
    pub(crate) fn notice(&self, error: &sqlx::Error) {
        match Cause::of(error) {
            Cause::Damaged => self.alarm(Alarm::Damaged),
            Cause::Unreachable | Cause::Busy => self.alarm(Alarm::Doubt),
            _ => {}
        }
    }

    fn alarm(&self, alarm: Alarm) {
        let _says_nothing_new = self.alarms.try_send(alarm);
    }

    /// What the rows of an app (`$1`) in a range (`$2` to before `$3`) hold, at most so many (`$4`).
    pub(crate) async fn read_in<T: Send>(
        &self,
        sql: &'static str,
        app: &AppName,
        range: TimeRange,
        limit: u32,
        of: impl FnMut(&Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        let values = vec![app.into(), range.start.into(), range.end.into(), i64::from(limit).into()];
        self.read(sql, values, of).await
    }

    /// What rows hold, outside a transaction.
    pub(crate) async fn read<T: Send>(
        &self,
        sql: &'static str,
        values: Vec<Value>,
        mut of: impl FnMut(&Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        let pools = self.pools()?;
        self.bounded(pools.read(sql, values, |row| of(&row))).await
    }

    /// A few rows, outside a transaction.
    pub(crate) async fn rows(&self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<Vec<Row>> {
        let pools = self.pools()?;
        self.bounded(pools.read(sql, values, Ok)).await
    }

    /// Begins to write.
    pub(crate) async fn begin(&self, durability: Durability) -> sqlx::Result<Writing<'_>> {
        let pools = self.pools()?;
        let begun = self.bounded(pools.begin(durability)).await;
        Ok(Writing { access: self, transaction: self.writing(begun)? })
    }

    /// Writes one statement, a transaction of its own. Answers how many rows it changed.
    pub(crate) async fn execute(
        &self,
        durability: Durability,
        sql: &'static str,
        values: Vec<Value>,
    ) -> sqlx::Result<u64> {
        let mut transaction = self.begin(durability).await?;
        let changed = transaction.execute(sql, values).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// A pool that is closed stands for a database that cannot be had; [`crate::Store::failed`] tells the two apart.
    pub(crate) fn pools(&self) -> sqlx::Result<Arc<Pools>> {
        self.pools.borrow().clone().ok_or(sqlx::Error::PoolClosed)
    }

    async fn bounded<T>(&self, call: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        let mut pools = self.pools.subscribe();
        tokio::pin!(call);
        let taken_away = async {
            let _access_lives = pools.wait_for(Option::is_none).await;
        };
        let limit = async {
            tokio::time::sleep(PATIENCE).await;
            self.alarm(Alarm::Doubt);
            tokio::time::sleep(LIMIT).await;
        };
        tokio::select! {
            biased;
            done = &mut call => done,
            () = taken_away => Err(sqlx::Error::PoolClosed),
            () = limit => Err(sqlx::Error::PoolTimedOut),
        }
    }

    fn writing<T>(&self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &outcome {
            let cause = Cause::of(error);
            if matches!(cause, Cause::DiskFull | Cause::Permission | Cause::Disk | Cause::Locked) {
                self.alarm(Alarm::WriteFailed(cause));
            }
        }
        outcome
    }
}

/// A transaction on connections that may be taken away.
pub(crate) struct Writing<'a> {
    access: &'a Access,
    transaction: Transaction,
}

/// Dropped without [`Writing::commit`], it never was.
impl Writing<'_> {
    pub(crate) async fn rows(&mut self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<Vec<Row>> {
        let done = self.access.bounded(self.transaction.rows(sql, values)).await;
        self.access.writing(done)
    }

    /// How many rows it changed.
    pub(crate) async fn execute(&mut self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<u64> {
        let done = self.access.bounded(self.transaction.execute(sql, values)).await;
        self.access.writing(done)
    }

    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        let done = self.access.bounded(self.transaction.commit()).await;
        self.access.writing(done)?;
        if matches!(self.access.status.borrow().health.state, DatabaseState::WritesFail { .. }) {
            self.access.alarm(Alarm::Wrote);
        }
        Ok(())
    }
}
