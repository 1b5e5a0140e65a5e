//! Forgetting what is older than the retention. In small transactions, so that a crash that happens meanwhile is recorded at
//! once; and quick ones, for a purge that a power cut undid is simply done again.

use engine::Timestamp;

use crate::sql::Durability;
use crate::{Purged, Store, StoreError};

/// Rows a transaction: some milliseconds on either database.
const BATCH: i64 = 500;

impl Store {
    /// Forgets the crashes before a time with their audit rows, the incidents of which no crash is left, and the minutes of
    /// requests before it. An incident that has newer crashes stays and keeps its count.
    pub async fn purge(&self, before: Timestamp) -> Result<Purged, StoreError> {
        self.forget(before).await.map_err(self.failed("Purging what is past its retention"))
    }

    async fn forget(&self, before: Timestamp) -> sqlx::Result<Purged> {
        let mut purged = Purged::default();
        loop {
            let (crashes, audits) = self.forget_crashes(before).await?;
            purged.crashes += crashes;
            purged.audits += audits;
            if crashes == 0 {
                break;
            }
        }
        // The outer condition is looked at again when a crash was recorded while this waited for its row.
        let incidents = "DELETE FROM incident WHERE last_seen_ms < $1 AND id IN (SELECT i.id FROM incident AS i \
                         WHERE i.last_seen_ms < $1 AND NOT EXISTS (SELECT 1 FROM crash AS c WHERE c.incident = i.id) \
                         LIMIT $2)";
        purged.incidents = self.forget_rows(incidents, before).await?;
        let minutes = "DELETE FROM request_minute WHERE (app, minute_ms, node, instance) IN \
                       (SELECT m.app, m.minute_ms, m.node, m.instance FROM request_minute AS m \
                       WHERE m.minute_ms < $1 ORDER BY m.minute_ms LIMIT $2)";
        purged.minutes = self.forget_rows(minutes, before).await?;
        Ok(purged)
    }

    async fn forget_crashes(&self, before: Timestamp) -> sqlx::Result<(u64, u64)> {
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        let audits = "DELETE FROM audit WHERE worker IN \
                      (SELECT c.worker FROM crash AS c WHERE c.at_ms < $1 ORDER BY c.at_ms, c.worker LIMIT $2)";
        let audits = transaction.execute(audits, vec![before.into(), BATCH.into()]).await?;
        let crashes = "DELETE FROM crash WHERE worker IN \
                       (SELECT c.worker FROM crash AS c WHERE c.at_ms < $1 ORDER BY c.at_ms, c.worker LIMIT $2)";
        let crashes = transaction.execute(crashes, vec![before.into(), BATCH.into()]).await?;
        transaction.commit().await?;
        Ok((crashes, audits))
    }

    /// Batches until none is left.
    async fn forget_rows(&self, sql: &'static str, before: Timestamp) -> sqlx::Result<u64> {
        let mut sum = 0;
        loop {
            let mut transaction = self.sql.begin(Durability::Quick).await?;
            let gone = transaction.execute(sql, vec![before.into(), BATCH.into()]).await?;
            transaction.commit().await?;
            sum += gone;
            if gone == 0 {
                return Ok(sum);
            }
        }
    }
}
