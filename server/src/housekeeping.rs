//! What has to be done from time to time: the front doors' counts and the workers' memory go into the store, and what is older
//! than the retention goes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::requests::RequestMinute;
use engine::{Clock, InstanceKey, Timestamp};
use store::Store;
use tokio::sync::watch;

use crate::doors::Doors;
use crate::panics;
use crate::supervision::MemoryMinutes;

/// How often counts are written.
const FLUSH: Duration = Duration::from_secs(10);
/// How often old rows are deleted, in flushes: once an hour.
const FLUSHES_PER_PURGE: u64 = 360;
/// How many rows wait when the store cannot take them: a day of 64 instances. The oldest are given up first.
pub const WAITING_LIMIT: usize = 64 * 24 * 60;

/// The keeper.
pub struct Housekeeping {
    /// Where counts go.
    pub store: Store,
    /// This machine's name.
    pub node: String,
    /// For the retention.
    pub clock: Arc<dyn Clock>,
    /// Where counts come from.
    pub front_doors: Doors,
    /// The workers' memory, to be written.
    pub memory: MemoryMinutes,
    /// How long rows are kept.
    pub retention: Duration,
}

impl Housekeeping {
    /// Works until `shut_down` turns true, and writes what is left.
    pub async fn run(self, shut_down: watch::Receiver<bool>) {
        let keeper = Arc::new(self);
        panics::outlive("housekeeping", || Arc::clone(&keeper).keep(shut_down.clone())).await;
    }

    async fn keep(self: Arc<Self>, mut shut_down: watch::Receiver<bool>) {
        let mut waiting = BTreeMap::new();
        for round in 0_u64.. {
            if round.is_multiple_of(FLUSHES_PER_PURGE) {
                self.purge().await;
            }
            let stop = tokio::time::timeout(FLUSH, shut_down.wait_for(|stop| *stop)).await.is_ok();
            self.flush(&mut waiting).await;
            self.flush_memory().await;
            if stop {
                break;
            }
        }
    }

    async fn flush(&self, waiting: &mut BTreeMap<(Timestamp, InstanceKey), RequestMinute>) {
        // all are asked before any is waited for
        let asked: Vec<_> = self.front_doors.values().map(|front_door| front_door.take_minutes()).collect();
        for rows in asked {
            for row in rows.await {
                waiting
                    .entry((row.minute, row.instance.clone()))
                    .or_insert_with(|| RequestMinute::empty(row.instance.clone(), row.minute))
                    .merge(&row);
            }
        }
        while waiting.len() > WAITING_LIMIT {
            waiting.pop_first();
        }
        if waiting.is_empty() {
            return;
        }
        let rows: Vec<RequestMinute> = waiting.values().cloned().collect();
        match self.store.add_minutes(&self.node, &rows).await {
            Ok(()) => waiting.clear(),
            Err(error) => tracing::error!(%error, "the counts of requests could not be saved; trying again"),
        }
    }

    async fn flush_memory(&self) {
        let rows = self.memory.take();
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store.add_memory_minutes(&self.node, &rows).await {
            tracing::error!(%error, "the workers' memory could not be saved; trying again");
            self.memory.add(rows);
        }
    }

    async fn purge(&self) {
        match self.store.purge(self.clock.wall() - self.retention).await {
            Ok(purged) => tracing::debug!(?purged, "old rows deleted"),
            Err(error) => tracing::error!(%error, "old rows could not be deleted; trying again in an hour"),
        }
    }
}
