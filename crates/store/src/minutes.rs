//! Requests, one row an instance and hour with that hour's minutes, so that a day of ten instances is 240 rows; a minute that comes
//! in two flushes is added up, a flush that comes twice is not.

use std::collections::BTreeMap;

use model::requests::RequestMinute;
use model::{AppName, NodeName, Place, TimeRange};

use crate::access::Writing;
use crate::crash_minutes::MINUTE_MS;
use crate::incidents::HOUR_MS;
use crate::minute_text::{self, Hour};
use crate::sql::{Durability, Row, Value, count, unreadable};
use crate::{Flush, Store, StoreError, bounds};

/// Rows that are read at a time: what is decoded of them is in memory at once.
const BATCH: i64 = 60;

impl Store {
    /// Adds these minutes to what is there of them, all or none, and once: whoever lost the answer sends the same flush again.
    /// A power cut may take the last seconds.
    pub async fn add_minutes(
        &self,
        node: &NodeName,
        flush: &Flush,
        minutes: &[RequestMinute],
    ) -> Result<(), StoreError> {
        if minutes.is_empty() {
            return Ok(());
        }
        self.merge_minutes(node, flush, minutes).await.map_err(self.failed("Adding minutes of requests"))
    }

    async fn merge_minutes(
        &self,
        node: &NodeName,
        flush: &Flush,
        minutes: &[RequestMinute],
    ) -> sqlx::Result<()> {
        // always in one order: two flushes that lock each other's rows would wait for ever
        let mut hours: BTreeMap<(&Place, i64), Hour> = BTreeMap::new();
        for minute in minutes {
            merge(hours.entry((&minute.place, hour_of(minute))).or_default(), minute);
        }
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        if !is_new(&mut transaction, node, flush).await? {
            return Ok(());
        }
        for ((place, hour_ms), hour) in hours {
            if !insert(&mut transaction, place, hour_ms, &hour).await? {
                add(&mut transaction, place, hour_ms, &hour).await?;
            }
        }
        transaction.commit().await
    }

    /// Hands on an app's minutes that begin in a range, in any order, as they are read: a day of latencies is never in memory at
    /// once. Whoever does not go by latencies gets them empty, at a fraction of the time.
    pub async fn each_minute(
        &self,
        app: &AppName,
        range: TimeRange,
        with_latencies: bool,
        each: impl FnMut(&RequestMinute),
    ) -> Result<(), StoreError> {
        let read = self.read_minutes(app, range, with_latencies, each).await;
        read.map_err(self.failed("Reading minutes of requests"))
    }

    async fn read_minutes(
        &self,
        app: &AppName,
        range: TimeRange,
        with_latencies: bool,
        mut each: impl FnMut(&RequestMinute),
    ) -> sqlx::Result<()> {
        let sql = if with_latencies {
            "SELECT app, hour_ms, node, instance, counts, latencies FROM request_hour \
             WHERE app = $1 AND hour_ms < $2 AND (hour_ms, node, instance) > ($3, $4, $5) \
             ORDER BY hour_ms, node, instance LIMIT $6"
        } else {
            "SELECT app, hour_ms, node, instance, counts FROM request_hour \
             WHERE app = $1 AND hour_ms < $2 AND (hour_ms, node, instance) > ($3, $4, $5) \
             ORDER BY hour_ms, node, instance LIMIT $6"
        };
        let mut read_to = (range.start.as_ms().saturating_sub(HOUR_MS), String::new(), -1);
        loop {
            let (hour_ms, node, instance) = read_to;
            let values = vec![
                app.into(),
                range.end.into(),
                hour_ms.into(),
                node.into(),
                instance.into(),
                BATCH.into(),
            ];
            let rows = self.sql.rows(sql, values).await?;
            for row in &rows {
                each_minute_of(row, with_latencies, |minute| {
                    if range.contains(minute.minute) {
                        each(minute);
                    }
                })?;
            }
            let Some(last) = rows.last().filter(|_| i64::try_from(rows.len()) == Ok(BATCH)) else {
                return Ok(());
            };
            read_to = (last.int("hour_ms")?, last.raw("node")?, last.int("instance")?);
        }
    }
}

/// Is the flush later than the last one of its run? It is noted down as the last, and the row is held until the commit: of two
/// that are the same, one waits for the other.
async fn is_new(transaction: &mut Writing<'_>, node: &NodeName, flush: &Flush) -> sqlx::Result<bool> {
    let sql = "INSERT INTO request_flush (node, boot, number, at_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (node, boot) DO UPDATE SET number = excluded.number, at_ms = excluded.at_ms \
               WHERE request_flush.number < excluded.number";
    let values = vec![node.into(), bounds::name(&flush.boot).into(), count(flush.number), flush.at.into()];
    Ok(transaction.execute(sql, values).await? == 1)
}

/// Was the hour new?
async fn insert(
    transaction: &mut Writing<'_>,
    place: &Place,
    hour_ms: i64,
    hour: &Hour,
) -> sqlx::Result<bool> {
    let sql = "INSERT INTO request_hour (app, hour_ms, node, instance, counts, latencies) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    Ok(transaction.execute(sql, values(place, hour_ms, hour)).await? == 1)
}

/// Adds to the row that is there. The first statement changes nothing but holds the row: counts are added up here, not in SQL,
/// and nobody may come in between.
async fn add(transaction: &mut Writing<'_>, place: &Place, hour_ms: i64, hour: &Hour) -> sqlx::Result<()> {
    let lock = "UPDATE request_hour SET counts = counts WHERE app = $1 AND hour_ms = $2 AND node = $3 AND instance = $4 \
                RETURNING app, hour_ms, node, instance, counts, latencies";
    let rows = transaction.rows(lock, key(place, hour_ms)).await?;
    let mut sum = Hour::new();
    each_minute_of(rows.first().ok_or(sqlx::Error::RowNotFound)?, true, |minute| merge(&mut sum, minute))?;
    for minute in hour.values() {
        merge(&mut sum, minute);
    }
    let sql = "UPDATE request_hour SET counts = $5, latencies = $6 \
               WHERE app = $1 AND hour_ms = $2 AND node = $3 AND instance = $4";
    transaction.execute(sql, values(place, hour_ms, &sum)).await.map(drop)
}

fn hour_of(minute: &RequestMinute) -> i64 {
    let at = minute.minute.as_ms();
    at - at.rem_euclid(HOUR_MS)
}

fn merge(hour: &mut Hour, minute: &RequestMinute) {
    let number = minute.minute.as_ms().rem_euclid(HOUR_MS) / MINUTE_MS;
    let empty = || RequestMinute::empty(minute.place.clone(), minute.minute);
    hour.entry(number).or_insert_with(empty).merge(minute);
}

fn key(place: &Place, hour_ms: i64) -> Vec<Value> {
    let Place { node, app, instance } = place;
    vec![app.into(), hour_ms.into(), node.into(), i64::from(*instance).into()]
}

fn values(place: &Place, hour_ms: i64, hour: &Hour) -> Vec<Value> {
    let (counts, latencies) = minute_text::write(hour);
    let mut values = key(place, hour_ms);
    values.extend([counts.into(), latencies.into()]);
    values
}

fn each_minute_of(row: &Row, with_latencies: bool, each: impl FnMut(&RequestMinute)) -> sqlx::Result<()> {
    let counts = row.raw("counts")?;
    let latencies = with_latencies.then(|| row.raw("latencies")).transpose()?;
    let read = minute_text::read(row.place()?, row.int("hour_ms")?, &counts, latencies.as_deref(), each);
    read.map_err(unreadable("counts"))
}
