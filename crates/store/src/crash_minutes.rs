//! How many crashes there were, by instance, incident and minute. Counted in the transaction of each crash, so that a page over a
//! day of a million crashes reads some thousand rows. The minutes that a range cuts are counted from the crashes themselves.

use std::time::Duration;

use model::crash::Crash;
use model::{AppName, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::sql::{Row, Value};
use crate::{CrashCount, Store, StoreError};

const MINUTE_MS: i64 = 60_000;

impl Store {
    /// How often an app crashed in a range: a row an incident and instance for each part of `part` in which it crashed there. A
    /// chart that has parts of that length loses nothing, and the rows are few however many crashes there were.
    pub async fn crash_counts(
        &self,
        app: &AppName,
        range: TimeRange,
        part: Duration,
    ) -> Result<Vec<CrashCount>, StoreError> {
        self.read_crash_counts(app, range, part).await.map_err(self.failed("Counting crashes"))
    }

    async fn read_crash_counts(
        &self,
        app: &AppName,
        range: TimeRange,
        part: Duration,
    ) -> sqlx::Result<Vec<CrashCount>> {
        let (start, end) = (range.start.as_ms(), range.end.as_ms());
        let (first, last) = (minute(start + MINUTE_MS - 1), minute(end));
        if first >= last {
            return self.count_crashes(app, start, end).await;
        }
        let whole = "SELECT MIN(last_ms) AS first_ms, MAX(last_ms) AS last_ms, \
                     CAST(SUM(crash_count) AS BIGINT) AS crash_count, app, node, instance, incident FROM crash_minute \
                     WHERE app = $1 AND minute_ms >= $2 AND minute_ms < $3 \
                     GROUP BY app, node, instance, incident, (minute_ms - $4) / $5";
        let part_ms = i64::try_from(part.as_millis()).unwrap_or(i64::MAX).max(MINUTE_MS);
        let values = vec![app.into(), first.into(), last.into(), start.into(), part_ms.into()];
        let mut counts = self.count_crashes(app, start, first).await?;
        counts.extend(self.read_counts(whole, values).await?);
        counts.extend(self.count_crashes(app, last, end).await?);
        Ok(counts)
    }

    /// From the crashes themselves, for less than a minute or two.
    async fn count_crashes(&self, app: &AppName, start: i64, end: i64) -> sqlx::Result<Vec<CrashCount>> {
        if start >= end {
            return Ok(Vec::new());
        }
        let cut = "SELECT MIN(at_ms) AS first_ms, MAX(at_ms) AS last_ms, COUNT(*) AS crash_count, app, node, instance, \
                   incident FROM crash WHERE app = $1 AND at_ms >= $2 AND at_ms < $3 GROUP BY app, node, instance, incident";
        self.read_counts(cut, vec![app.into(), start.into(), end.into()]).await
    }

    async fn read_counts(&self, sql: &'static str, values: Vec<Value>) -> sqlx::Result<Vec<CrashCount>> {
        self.sql.rows(sql, values).await?.iter().map(count_of).collect()
    }
}

/// Counts a crash that was just recorded.
pub(crate) async fn add(transaction: &mut Writing<'_>, crash: &Crash) -> sqlx::Result<()> {
    let sql = "INSERT INTO crash_minute (app, minute_ms, node, instance, incident, crash_count, last_ms) \
               VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (app, minute_ms, node, instance, incident) \
               DO UPDATE SET crash_count = crash_minute.crash_count + 1, last_ms = \
               CASE WHEN crash_minute.last_ms > excluded.last_ms THEN crash_minute.last_ms ELSE excluded.last_ms END";
    let Place { node, app, instance } = &crash.place;
    let values = vec![
        app.into(),
        minute(crash.at.as_ms()).into(),
        node.into(),
        i64::from(*instance).into(),
        crash.incident.as_str().into(),
        crash.at.into(),
    ];
    transaction.execute(sql, values).await.map(drop)
}

const fn minute(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(MINUTE_MS)
}

fn count_of(row: &Row) -> sqlx::Result<CrashCount> {
    Ok(CrashCount {
        first: Timestamp::from_ms(row.int("first_ms")?),
        last: Timestamp::from_ms(row.int("last_ms")?),
        count: row.number("crash_count")?,
        place: row.place()?,
        incident: row.name("incident")?,
    })
}
