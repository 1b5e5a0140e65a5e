//! Memory, one row an instance and hour with that hour's minutes, so that a day of ten instances is 240 rows; of a minute that is
//! flushed twice the larger figure stands.

use std::collections::BTreeMap;

use model::memory::{MemoryHistory, MemoryMinute};
use model::{AppName, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::crash_minutes::MINUTE_MS;
use crate::incidents::HOUR_MS;
use crate::sql::{Durability, Row, Value, json};
use crate::{Store, StoreError};

/// The minute within its hour, the most private bytes and the limit, as JSON has them. The order says nothing.
type Stored = (i64, u64, u64);
/// By minute.
type Hour = BTreeMap<i64, MemoryMinute>;

impl Store {
    /// Remembers these minutes, all or none: of each the most private bytes, and the limit that was handed in last. A power cut
    /// may take the last seconds.
    pub async fn add_memory_minutes(&self, minutes: &[(Place, MemoryMinute)]) -> Result<(), StoreError> {
        if minutes.is_empty() {
            return Ok(());
        }
        self.merge_memory(minutes).await.map_err(self.failed("Adding minutes of memory"))
    }

    async fn merge_memory(&self, minutes: &[(Place, MemoryMinute)]) -> sqlx::Result<()> {
        // always in one order: two flushes that lock each other's rows would wait for ever
        let mut hours: BTreeMap<(&Place, i64), Hour> = BTreeMap::new();
        for (place, minute) in minutes {
            let at = minute.minute.as_ms();
            merge(hours.entry((place, at - at.rem_euclid(HOUR_MS))).or_default(), *minute);
        }
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        for ((place, hour_ms), hour) in hours {
            if !insert(&mut transaction, place, hour_ms, &hour).await? {
                add(&mut transaction, place, hour_ms, hour).await?;
            }
        }
        transaction.commit().await
    }

    /// An app's minutes that begin in a range, of each instance that has any.
    pub async fn memory_histories(
        &self,
        app: &AppName,
        range: TimeRange,
    ) -> Result<Vec<MemoryHistory>, StoreError> {
        self.read_memory(app, range).await.map_err(self.failed("Reading minutes of memory"))
    }

    async fn read_memory(&self, app: &AppName, range: TimeRange) -> sqlx::Result<Vec<MemoryHistory>> {
        let sql = "SELECT app, hour_ms, node, instance, minutes FROM memory_hour \
                   WHERE app = $1 AND hour_ms > $2 AND hour_ms < $3 ORDER BY hour_ms, node, instance";
        let values = vec![app.into(), (range.start.as_ms() - HOUR_MS).into(), range.end.into()];
        let mut histories: BTreeMap<Place, Vec<MemoryMinute>> = BTreeMap::new();
        let hour = |row: &Row| {
            let minutes = minutes_of(row)?.into_values().filter(|minute| range.contains(minute.minute));
            histories.entry(row.place()?).or_default().extend(minutes);
            Ok(())
        };
        self.sql.read(sql, values, hour).await?;
        let histories = histories.into_iter().filter(|(_, minutes)| !minutes.is_empty());
        Ok(histories.map(|(place, minutes)| MemoryHistory { place, minutes }).collect())
    }
}

/// Was the hour new?
async fn insert(
    transaction: &mut Writing<'_>,
    place: &Place,
    hour_ms: i64,
    hour: &Hour,
) -> sqlx::Result<bool> {
    let sql = "INSERT INTO memory_hour (app, hour_ms, node, instance, minutes) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT DO NOTHING";
    Ok(transaction.execute(sql, values(place, hour_ms, hour)?).await? == 1)
}

/// Adds to the row that is there. The first statement changes nothing but holds the row until the commit.
async fn add(transaction: &mut Writing<'_>, place: &Place, hour_ms: i64, hour: Hour) -> sqlx::Result<()> {
    let lock = "UPDATE memory_hour SET minutes = minutes WHERE app = $1 AND hour_ms = $2 AND node = $3 AND instance = $4 \
                RETURNING hour_ms, minutes";
    let rows = transaction.rows(lock, key(place, hour_ms)).await?;
    let mut sum = minutes_of(rows.first().ok_or(sqlx::Error::RowNotFound)?)?;
    for minute in hour.into_values() {
        merge(&mut sum, minute);
    }
    let sql =
        "UPDATE memory_hour SET minutes = $5 WHERE app = $1 AND hour_ms = $2 AND node = $3 AND instance = $4";
    transaction.execute(sql, values(place, hour_ms, &sum)?).await.map(drop)
}

fn merge(hour: &mut Hour, minute: MemoryMinute) {
    let at = minute.minute.as_ms().rem_euclid(HOUR_MS) / MINUTE_MS;
    let kept = hour.entry(at).or_insert(minute);
    kept.private_bytes_max = kept.private_bytes_max.max(minute.private_bytes_max);
    kept.limit_bytes = minute.limit_bytes;
}

fn key(place: &Place, hour_ms: i64) -> Vec<Value> {
    let Place { node, app, instance } = place;
    vec![app.into(), hour_ms.into(), node.into(), i64::from(*instance).into()]
}

fn values(place: &Place, hour_ms: i64, hour: &Hour) -> sqlx::Result<Vec<Value>> {
    let stored = |(at, minute): (&i64, &MemoryMinute)| (*at, minute.private_bytes_max, minute.limit_bytes);
    let minutes: Vec<Stored> = hour.iter().map(stored).collect();
    let mut values = key(place, hour_ms);
    values.push(json(minutes)?);
    Ok(values)
}

fn minutes_of(row: &Row) -> sqlx::Result<Hour> {
    let hour_ms = row.int("hour_ms")?;
    let stored: Vec<Stored> = row.json("minutes")?;
    let minute = |(at, private_bytes_max, limit_bytes): Stored| {
        let minute = Timestamp::from_ms(hour_ms + at * MINUTE_MS);
        (at, MemoryMinute { minute, private_bytes_max, limit_bytes })
    };
    Ok(stored.into_iter().map(minute).collect())
}
