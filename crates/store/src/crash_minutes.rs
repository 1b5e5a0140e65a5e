//! How many crashes there were, by instance and minute, and by incident, instance and minute. Counted in the transaction of each
//! crash, so that a page over a day of a million crashes reads some thousand rows. The minutes that a range cuts are counted from
//! the crashes themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use model::crash::Crash;
use model::{AppName, CrashCause, IncidentId, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::sql::Row;
use crate::{CrashCount, Store, StoreError};

const MINUTE_MS: i64 = 60_000;

/// Of the same incidents as [`Store::incidents`] has.
macro_rules! count_incidents {
    ($count:literal, $table:literal, $time:literal) => {
        concat!(
            "SELECT m.incident, ",
            $count,
            " AS crash_count FROM ",
            $table,
            " AS m WHERE m.incident IN (SELECT i.id FROM incident AS i WHERE i.app = $1 AND i.last_seen_ms >= $2 \
             AND i.first_seen_ms < $3 AND EXISTS (SELECT 1 FROM crash AS r WHERE r.incident = i.id AND r.at_ms >= $2 \
             AND r.at_ms < $3) ORDER BY i.last_seen_ms DESC, i.id LIMIT $4) AND m.",
            $time,
            " >= $5 AND m.",
            $time,
            " < $6 GROUP BY m.incident"
        )
    };
}

impl Store {
    /// How often an app crashed in a range: a row an instance for each part of `part` in which it crashed there. A chart that has
    /// parts of that length loses nothing.
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
        let cut = "SELECT app, node, instance, COUNT(*) AS crash_count, \
                   CAST(SUM(CASE WHEN cause = 'out_of_memory' THEN 1 ELSE 0 END) AS BIGINT) AS out_of_memory, \
                   MIN(at_ms) AS first_ms, MAX(at_ms) AS last_ms FROM crash \
                   WHERE app = $1 AND at_ms >= $2 AND at_ms < $3 GROUP BY app, node, instance";
        let whole = "SELECT app, node, instance, CAST(SUM(crash_count) AS BIGINT) AS crash_count, \
                     CAST(SUM(out_of_memory) AS BIGINT) AS out_of_memory, MIN(first_ms) AS first_ms, \
                     MAX(last_ms) AS last_ms FROM crash_place_minute \
                     WHERE app = $1 AND minute_ms >= $2 AND minute_ms < $3 \
                     GROUP BY app, node, instance, (minute_ms - $4) / $5";
        let part_ms = i64::try_from(part.as_millis()).unwrap_or(i64::MAX).max(MINUTE_MS);
        let mut counts = Vec::new();
        for Part { start, end, is_whole } in parts(range) {
            let mut values = vec![app.into(), start.into(), end.into()];
            if is_whole {
                values.extend([range.start.into(), part_ms.into()]);
            }
            for row in self.sql.rows(if is_whole { whole } else { cut }, values).await? {
                counts.push(count_of(&row)?);
            }
        }
        Ok(counts)
    }

    /// How often each of the incidents crashed in a range that [`Store::incidents`] answers for the same app, range and limit.
    pub async fn incident_counts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<BTreeMap<IncidentId, u64>, StoreError> {
        self.read_incident_counts(app, range, limit)
            .await
            .map_err(self.failed("Counting crashes by incident"))
    }

    async fn read_incident_counts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> sqlx::Result<BTreeMap<IncidentId, u64>> {
        let mut counts = BTreeMap::new();
        for Part { start, end, is_whole } in parts(range) {
            let sql = if is_whole {
                count_incidents!("CAST(SUM(m.crash_count) AS BIGINT)", "crash_minute", "minute_ms")
            } else {
                count_incidents!("COUNT(*)", "crash", "at_ms")
            };
            let values = vec![
                app.into(),
                range.start.into(),
                range.end.into(),
                i64::from(limit).into(),
                start.into(),
                end.into(),
            ];
            for row in self.sql.rows(sql, values).await? {
                *counts.entry(row.name("incident")?).or_default() += row.number::<u64>("crash_count")?;
            }
        }
        Ok(counts)
    }
}

/// A part of a range: its whole minutes, or what it cuts of one or two.
struct Part {
    start: i64,
    end: i64,
    is_whole: bool,
}

fn parts(range: TimeRange) -> impl Iterator<Item = Part> {
    let (start, end) = (range.start.as_ms(), range.end.as_ms());
    let (first, last) = (minute(start + MINUTE_MS - 1), minute(end));
    let cut = |start, end| Part { start, end, is_whole: false };
    let parts = if first < last {
        [cut(start, first), Part { start: first, end: last, is_whole: true }, cut(last, end)]
    } else {
        [cut(start, end), cut(end, end), cut(end, end)]
    };
    parts.into_iter().filter(|part| part.start < part.end)
}

/// Counts a crash that was just recorded.
pub(crate) async fn add(transaction: &mut Writing<'_>, crash: &Crash) -> sqlx::Result<()> {
    let Place { node, app, instance } = &crash.place;
    let minute = minute(crash.at.as_ms());
    let sql = "INSERT INTO crash_minute (app, minute_ms, node, instance, incident, crash_count, last_ms) \
               VALUES ($1, $2, $3, $4, $5, 1, $6) ON CONFLICT (app, minute_ms, node, instance, incident) \
               DO UPDATE SET crash_count = crash_minute.crash_count + 1, last_ms = \
               CASE WHEN crash_minute.last_ms > excluded.last_ms THEN crash_minute.last_ms ELSE excluded.last_ms END";
    let (incident, at) = (crash.incident.as_str().into(), crash.at.into());
    let values = vec![app.into(), minute.into(), node.into(), i64::from(*instance).into(), incident, at];
    transaction.execute(sql, values).await?;

    let sql = "INSERT INTO crash_place_minute \
               (app, minute_ms, node, instance, crash_count, out_of_memory, first_ms, last_ms) \
               VALUES ($1, $2, $3, $4, 1, $5, $6, $6) ON CONFLICT (app, minute_ms, node, instance) DO UPDATE SET \
               crash_count = crash_place_minute.crash_count + 1, \
               out_of_memory = crash_place_minute.out_of_memory + excluded.out_of_memory, first_ms = \
               CASE WHEN crash_place_minute.first_ms < excluded.first_ms \
               THEN crash_place_minute.first_ms ELSE excluded.first_ms END, last_ms = \
               CASE WHEN crash_place_minute.last_ms > excluded.last_ms \
               THEN crash_place_minute.last_ms ELSE excluded.last_ms END";
    let out_of_memory = i64::from(crash.cause == CrashCause::OutOfMemory);
    let (number, at) = (i64::from(*instance).into(), crash.at.into());
    let values = vec![app.into(), minute.into(), node.into(), number, out_of_memory.into(), at];
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
        out_of_memory: row.number("out_of_memory")?,
        place: row.place()?,
    })
}
