//! Requests, one row an instance and minute; a minute that comes in two flushes is added up, a flush that comes twice is not.

use model::requests::RequestMinute;
use model::{AppName, NodeName, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::sql::{Durability, Row, Value, count, json};
use crate::{Flush, Store, StoreError, bounds};

const CLASSES: [&str; 5] = ["status_1xx", "status_2xx", "status_3xx", "status_4xx", "status_5xx"];

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
        let mut minutes: Vec<&RequestMinute> = minutes.iter().collect();
        minutes.sort_by_key(|minute| (&minute.place, minute.minute));
        let mut transaction = self.sql.begin(Durability::Quick).await?;
        if !is_new(&mut transaction, node, flush).await? {
            return Ok(());
        }
        for minute in minutes {
            if !insert(&mut transaction, minute).await? {
                add(&mut transaction, minute).await?;
            }
        }
        transaction.commit().await
    }

    /// An app's minutes that begin in a range, oldest first.
    pub async fn minutes(&self, app: &AppName, range: TimeRange) -> Result<Vec<RequestMinute>, StoreError> {
        let sql = "SELECT app, minute_ms, node, instance, status_1xx, status_2xx, status_3xx, status_4xx, status_5xx, \
                   most_in_flight, latency FROM request_minute WHERE app = $1 AND minute_ms >= $2 AND minute_ms < $3 \
                   ORDER BY minute_ms, node, instance";
        let values = vec![app.as_str().into(), range.start.into(), range.end.into()];
        let rows = self.sql.rows(sql, values).await;
        rows.and_then(|rows| rows.iter().map(minute_of).collect())
            .map_err(self.failed("Reading minutes of requests"))
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

/// Was the minute new?
async fn insert(transaction: &mut Writing<'_>, minute: &RequestMinute) -> sqlx::Result<bool> {
    let sql = "INSERT INTO request_minute (app, minute_ms, node, instance, status_1xx, status_2xx, status_3xx, status_4xx, \
               status_5xx, most_in_flight, latency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
               ON CONFLICT DO NOTHING";
    Ok(transaction.execute(sql, values(minute)?).await? == 1)
}

/// Adds to the row that is there. The first statement changes nothing but holds the row: a latency sketch is added up here, not
/// in SQL, and nobody may come in between.
async fn add(transaction: &mut Writing<'_>, minute: &RequestMinute) -> sqlx::Result<()> {
    let lock = "UPDATE request_minute SET latency = latency WHERE app = $1 AND minute_ms = $2 AND node = $3 \
                AND instance = $4 RETURNING app, minute_ms, node, instance, status_1xx, status_2xx, status_3xx, status_4xx, \
                status_5xx, most_in_flight, latency";
    let rows = transaction.rows(lock, key(minute)).await?;
    let mut sum = minute_of(rows.first().ok_or(sqlx::Error::RowNotFound)?)?;
    sum.merge(minute);
    let sql = "UPDATE request_minute SET status_1xx = $5, status_2xx = $6, status_3xx = $7, status_4xx = $8, \
               status_5xx = $9, most_in_flight = $10, latency = $11 \
               WHERE app = $1 AND minute_ms = $2 AND node = $3 AND instance = $4";
    transaction.execute(sql, values(&sum)?).await.map(drop)
}

fn key(minute: &RequestMinute) -> Vec<Value> {
    let Place { node, app, instance } = &minute.place;
    vec![app.into(), minute.minute.into(), node.into(), i64::from(*instance).into()]
}

fn values(minute: &RequestMinute) -> sqlx::Result<Vec<Value>> {
    let mut values = key(minute);
    values.extend(minute.by_class.map(count));
    values.push(i64::from(minute.most_in_flight).into());
    values.push(json(&minute.latency)?);
    Ok(values)
}

fn minute_of(row: &Row) -> sqlx::Result<RequestMinute> {
    let mut minute = RequestMinute::empty(row.place()?, Timestamp::from_ms(row.int("minute_ms")?));
    for (class, column) in minute.by_class.iter_mut().zip(CLASSES) {
        *class = row.number(column)?;
    }
    minute.most_in_flight = row.number("most_in_flight")?;
    minute.latency = row.json("latency")?;
    Ok(minute)
}
