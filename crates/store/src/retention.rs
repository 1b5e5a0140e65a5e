//! Forgetting what is older than the retention. In small transactions, so that a crash that happens meanwhile is recorded at
//! once; and quick ones, for a purge that a power cut undid is simply done again.

use model::Timestamp;

use crate::sql::Durability;
use crate::tables::with_age;
use crate::{Purged, Store, StoreError};

/// Rows a transaction: some milliseconds on either database.
const BATCH: i64 = 500;

impl Store {
    /// Forgets what is older than a time, as [`crate::tables`] has it of each table. An incident of which no crash is left goes;
    /// one that has newer crashes stays and keeps its count.
    pub async fn purge(&self, before: Timestamp) -> Result<Purged, StoreError> {
        self.forget(before).await.map_err(self.failed("Purging what is past its retention"))
    }

    async fn forget(&self, before: Timestamp) -> sqlx::Result<Purged> {
        let mut purged = Purged::default();
        for (table, age) in with_age() {
            purged.add(table, self.forget_rows(age.delete, before - age.grace).await?);
        }
        purged.add("incident", self.forget_incidents(before).await?);
        Ok(purged)
    }

    /// What [`Store::set_keep_from`] said last, and when the oldest fact or minute is of.
    pub async fn keep_from(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), StoreError> {
        self.read_keep_from().await.map_err(self.failed("Reading how far history reaches"))
    }

    async fn read_keep_from(&self) -> sqlx::Result<(Option<Timestamp>, Option<Timestamp>)> {
        let kept = self.sql.rows("SELECT keep_from_ms FROM retention WHERE id = 1", vec![]).await?;
        let kept = kept.first().map(|row| row.int("keep_from_ms")).transpose()?;
        let mut found = Vec::new();
        for sql in with_age().filter_map(|(_, age)| age.oldest) {
            let rows = self.sql.rows(sql, vec![]).await?;
            found.extend(rows.first().map(|row| row.maybe_int("oldest")).transpose()?.flatten());
        }
        Ok((kept.map(Timestamp::from_ms), found.into_iter().min().map(Timestamp::from_ms)))
    }

    /// Says from when on history is kept.
    pub async fn set_keep_from(&self, from: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO retention (id, keep_from_ms) VALUES (1, $1) \
                   ON CONFLICT (id) DO UPDATE SET keep_from_ms = excluded.keep_from_ms";
        let saved = self.sql.execute(Durability::Quick, sql, vec![from.into()]).await;
        saved.map(drop).map_err(self.failed("Saying how far history reaches"))
    }

    /// Repeats a statement that deletes a batch until nothing is left for it.
    async fn forget_rows(&self, sql: &'static str, before: Timestamp) -> sqlx::Result<u64> {
        let mut sum = 0;
        loop {
            let gone = self.sql.execute(Durability::Quick, sql, vec![before.into(), BATCH.into()]).await?;
            sum += gone;
            if gone == 0 {
                return Ok(sum);
            }
        }
    }

    async fn forget_incidents(&self, before: Timestamp) -> sqlx::Result<u64> {
        // a part keeps its count as long as the incident that it is counted with is seen, and that one waits for its parts
        let without_crash = "SELECT i.id FROM incident AS i WHERE i.last_seen_ms < $1 \
                             AND NOT EXISTS (SELECT 1 FROM crash AS c WHERE c.incident = i.id) \
                             AND NOT EXISTS (SELECT 1 FROM incident AS p WHERE p.joined_to = i.id OR p.part_of = i.id) \
                             AND NOT EXISTS (SELECT 1 FROM incident AS h WHERE h.id = i.joined_to AND h.shown_last_ms >= $1) \
                             LIMIT $2";
        let mut sum = 0;
        loop {
            let rows = self.sql.rows(without_crash, vec![before.into(), BATCH.into()]).await?;
            if rows.is_empty() {
                return Ok(sum);
            }
            for row in rows {
                sum += self.forget_incident(row.text("id")?).await?;
            }
        }
    }

    /// Unless it has a crash by now. The first statement waits for a crash that is just being recorded and keeps the next one
    /// waiting; so the second cannot miss one.
    async fn forget_incident(&self, id: String) -> sqlx::Result<u64> {
        let lock = "UPDATE incident SET crash_count = crash_count WHERE id = $1";
        let delete = "DELETE FROM incident WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM crash AS c WHERE c.incident = $1) \
                      AND NOT EXISTS (SELECT 1 FROM incident AS p WHERE p.joined_to = $1 OR p.part_of = $1)";
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        transaction.execute(lock, vec![id.clone().into()]).await?;
        let gone = transaction.execute(delete, vec![id.into()]).await?;
        transaction.commit().await?;
        Ok(gone)
    }
}
