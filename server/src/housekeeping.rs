//! What has to be done from time to time: the front doors' counts and the workers' memory go into the store, and what is older
//! than the retention goes out of it. [`files`] does the same for what Medic writes itself. Memory that Medic does not use goes back
//! to the system.
//!
//! Counts are sent in numbered flushes. One whose answer was lost is sent again as it was, and the store counts it once; what is
//! counted meanwhile waits for the next.

mod files;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::retention::{Kept, keep_from};
use model::requests::RequestMinute;
use model::{Clock, NodeName, Place, Timestamp};
use store::{Flush, Store, StoreError};
use tokio::sync::watch;

use crate::doors::Doors;
use crate::panics;
use crate::supervision::{MemoryMinutes, WAITING_LIMIT};

pub use files::{FileBounds, Files};

/// How often counts are written.
const FLUSH: Duration = Duration::from_secs(10);
/// How often old rows are deleted, in flushes: every ten minutes.
const FLUSHES_PER_PURGE: u64 = 60;
/// In which flush of these memory is given back: when Medic has started, and ten minutes on what pages left.
const GIVES_BACK: u64 = 1;
/// How many rows one flush holds at most.
const FLUSH_LIMIT: usize = 1_000;

/// The keeper.
pub struct Housekeeping {
    /// Where counts go.
    pub store: Store,
    /// This machine's name.
    pub node: NodeName,
    /// For the retention.
    pub clock: Arc<dyn Clock>,
    /// Where counts come from.
    pub front_doors: Doors,
    /// The workers' memory, to be written.
    pub memory: MemoryMinutes,
    /// How long rows are kept, as it is configured now.
    pub retention: watch::Receiver<Duration>,
}

/// The counts that are not known to be written.
struct Counts {
    boot: String,
    flushes: u64,
    /// What was sent and not answered.
    sent: Option<(Flush, Vec<RequestMinute>)>,
    waiting: BTreeMap<(Timestamp, Place), RequestMinute>,
}

impl Housekeeping {
    /// Works until `shut_down` turns true, and writes what is left.
    pub async fn run(self, shut_down: watch::Receiver<bool>) {
        let keeper = Arc::new(self);
        panics::outlive("housekeeping", || Arc::clone(&keeper).keep(shut_down.clone())).await;
    }

    async fn keep(self: Arc<Self>, mut shut_down: watch::Receiver<bool>) {
        let mut counts = Counts::new(&*self.clock);
        let mut looked = self.clock.monotonic();
        for round in 0_u64.. {
            if round.is_multiple_of(FLUSHES_PER_PURGE) {
                let now = self.clock.monotonic();
                match self.purge(now.saturating_sub(looked)).await {
                    Ok(()) => looked = now,
                    Err(error) => say(&error, "old rows could not be deleted; trying again in ten minutes"),
                }
            }
            if round % FLUSHES_PER_PURGE == GIVES_BACK {
                give_back_memory().await;
            }
            let stop = tokio::time::timeout(FLUSH, shut_down.wait_for(|stop| *stop)).await.is_ok();
            self.flush(&mut counts).await;
            self.flush_memory().await;
            if stop {
                break;
            }
        }
    }

    async fn flush(&self, counts: &mut Counts) {
        // all are asked before any is waited for
        let asked: Vec<_> =
            self.front_doors.all().iter().map(|front_door| front_door.take_minutes()).collect();
        for rows in asked {
            counts.add(rows.await);
        }
        while let Some((flush, rows)) = counts.next(&*self.clock) {
            if let Err(error) = self.store.add_minutes(&self.node, flush, rows).await {
                say(&error, "the counts of requests could not be saved; trying again");
                return;
            }
            counts.sent = None;
        }
    }

    async fn flush_memory(&self) {
        let rows = self.memory.take();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store.add_memory_minutes(&rows).await {
            say(&error, "the workers' memory could not be saved; trying again");
            self.memory.add(rows);
        }
    }

    /// `ran` is how long ago that was done last, by the clock that nobody sets.
    async fn purge(&self, ran: Duration) -> Result<(), StoreError> {
        let (from, oldest) = self.store.keep_from().await?;
        let retention = *self.retention.borrow();
        let from = keep_from(self.clock.wall(), retention, ran, Kept { from, oldest });
        self.store.set_keep_from(from).await?;
        let purged = self.store.purge(from).await?;
        tracing::debug!(?purged, "old rows deleted");
        Ok(())
    }
}

impl Counts {
    fn new(clock: &dyn Clock) -> Self {
        let boot = format!("{}-{}", clock.wall().as_ms(), std::process::id());
        Self { boot, flushes: 0, sent: None, waiting: BTreeMap::new() }
    }

    fn add(&mut self, rows: Vec<RequestMinute>) {
        for row in rows {
            self.waiting
                .entry((row.minute, row.place.clone()))
                .or_insert_with(|| RequestMinute::empty(row.place.clone(), row.minute))
                .merge(&row);
        }
        while self.waiting.len() > WAITING_LIMIT {
            self.waiting.pop_first();
        }
    }

    /// What is to be sent now: the flush that was not answered, else the next.
    fn next(&mut self, clock: &dyn Clock) -> Option<(&Flush, &[RequestMinute])> {
        if self.sent.is_none() && !self.waiting.is_empty() {
            self.flushes += 1;
            let flush = Flush { boot: self.boot.clone(), number: self.flushes, at: clock.wall() };
            let rows = std::iter::from_fn(|| self.waiting.pop_first());
            self.sent = Some((flush, rows.take(FLUSH_LIMIT).map(|(_, row)| row).collect()));
        }
        self.sent.as_ref().map(|(flush, rows)| (flush, rows.as_slice()))
    }
}

async fn give_back_memory() {
    if let Ok(Err(error)) = tokio::task::spawn_blocking(shim::give_back_memory).await {
        tracing::debug!(%error, "memory that is not used could not be given back");
    }
}

/// That there is no database was said when it went.
fn say(error: &StoreError, what: &str) {
    if matches!(error, StoreError::Unavailable { .. }) {
        tracing::debug!(%error, "{what}");
    } else {
        tracing::error!(%error, "{what}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_is_sent_again_as_it_was() {
        let clock = shim::SystemClock;
        let row = |minute: i64| {
            let place = "node-a/shop/0".parse().unwrap();
            let mut row = RequestMinute::empty(place, Timestamp::from_ms(minute * 60_000));
            row.by_class[1] = 1;
            row
        };
        let mut counts = Counts::new(&clock);
        assert!(counts.next(&clock).is_none());
        counts.add(vec![row(1)]);
        let first = counts.next(&clock).map(|(flush, rows)| (flush.clone(), rows.to_vec())).unwrap();
        counts.add(vec![row(1), row(2)]);
        let again = counts.next(&clock).map(|(flush, rows)| (flush.clone(), rows.to_vec())).unwrap();
        assert_eq!(again, first, "what was counted meanwhile waits");
        counts.sent = None;
        let (flush, rows) = counts.next(&clock).unwrap();
        assert_eq!((flush.number, &flush.boot, rows.len()), (first.0.number + 1, &first.0.boot, 2));
        counts.sent = None;
        assert!(counts.next(&clock).is_none());
    }
}
