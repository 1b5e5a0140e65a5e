//! How many crashes there were, by instance and minute. Counted in the transaction of each crash, so that a page over a day of a
//! million crashes reads some thousand rows. The minutes that a range cuts are counted from the crashes themselves.

use std::time::Duration;

use model::crash::Crash;
use model::{AppName, CrashCause, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::sql::Row;
use crate::{CrashCount, Store, StoreError};

pub(crate) const MINUTE_MS: i64 = 60_000;

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
            counts.extend(self.sql.read(if is_whole { whole } else { cut }, values, count_of).await?);
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
    let cut = |start, end| Part { start, end, is_whole: false };
    let parts = match whole(range, MINUTE_MS) {
        Some((first, last)) => {
            [cut(start, first), Part { start: first, end: last, is_whole: true }, cut(last, end)]
        }
        None => [cut(start, end), cut(end, end), cut(end, end)],
    };
    parts.into_iter().filter(|part| part.start < part.end)
}

/// From and to of the minutes or hours that lie wholly in a range, if any do.
pub(crate) fn whole(range: TimeRange, length_ms: i64) -> Option<(i64, i64)> {
    let begin = |at_ms: i64| at_ms - at_ms.rem_euclid(length_ms);
    let (first, last) = (begin(range.start.as_ms() + length_ms - 1), begin(range.end.as_ms()));
    (first < last).then_some((first, last))
}

/// Counts a crash that was just recorded.
pub(crate) async fn add(transaction: &mut Writing<'_>, crash: &Crash) -> sqlx::Result<()> {
    let Place { node, app, instance } = &crash.place;
    let minute = minute(crash.at.as_ms());
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
