//! Memory, one row an instance and minute; of a minute that is flushed twice the larger figure stands.

use model::memory::MemoryMinute;
use model::{AppName, Place, TimeRange, Timestamp};

use crate::sql::{Durability, Row, count};
use crate::{Store, StoreError};

impl Store {
    /// Remembers these minutes, all or none: of each the most private bytes, and the limit that was handed in last. A power cut
    /// may take the last seconds.
    pub async fn add_memory_minutes(&self, rows: &[MemoryMinute]) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.merge_memory(rows).await.map_err(self.failed("Adding minutes of memory"))
    }

    async fn merge_memory(&self, rows: &[MemoryMinute]) -> sqlx::Result<()> {
        let sql = "INSERT INTO memory_minute (app, minute_ms, node, instance, private_bytes_max, limit_bytes) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app, minute_ms, node, instance) DO UPDATE SET \
                   private_bytes_max = CASE WHEN memory_minute.private_bytes_max > excluded.private_bytes_max \
                   THEN memory_minute.private_bytes_max ELSE excluded.private_bytes_max END, \
                   limit_bytes = excluded.limit_bytes";
        // always in one order: two flushes that lock each other's rows would wait for ever
        let mut rows: Vec<&MemoryMinute> = rows.iter().collect();
        rows.sort_by_key(|row| (&row.place, row.minute));
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        for row in rows {
            let Place { node, app, instance } = &row.place;
            let values = vec![
                app.into(),
                row.minute.into(),
                node.into(),
                i64::from(*instance).into(),
                count(row.private_bytes_max),
                count(row.limit_bytes),
            ];
            transaction.execute(sql, values).await?;
        }
        transaction.commit().await
    }

    /// An app's minutes that begin in a range, oldest first.
    pub async fn memory_minutes(
        &self,
        app: &AppName,
        range: TimeRange,
    ) -> Result<Vec<MemoryMinute>, StoreError> {
        let sql = "SELECT app, minute_ms, node, instance, private_bytes_max, limit_bytes FROM memory_minute \
                   WHERE app = $1 AND minute_ms >= $2 AND minute_ms < $3 ORDER BY minute_ms, node, instance";
        let values = vec![app.as_str().into(), range.start.into(), range.end.into()];
        let rows = self.sql.rows(sql, values).await;
        rows.and_then(|rows| rows.iter().map(minute_of).collect())
            .map_err(self.failed("Reading minutes of memory"))
    }
}

fn minute_of(row: &Row) -> sqlx::Result<MemoryMinute> {
    Ok(MemoryMinute {
        place: row.place()?,
        minute: Timestamp::from_ms(row.int("minute_ms")?),
        private_bytes_max: row.number("private_bytes_max")?,
        limit_bytes: row.number("limit_bytes")?,
    })
}
