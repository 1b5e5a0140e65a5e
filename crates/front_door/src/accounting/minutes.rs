//! What one thread has counted since it was last asked: one row per instance and minute.

use model::requests::RequestMinute;
use model::{AppName, NodeName, Place, Timestamp};

/// Rows that one thread keeps if nobody takes them: more than a day of one instance. The oldest go first.
const ROW_LIMIT: usize = 2_048;

/// One thread's counts.
pub(crate) struct Minutes {
    node: NodeName,
    app: AppName,
    /// Oldest first, as they came.
    rows: Vec<RequestMinute>,
    /// The minute of the latest look at the clock.
    minute: Timestamp,
}

impl Minutes {
    pub(crate) fn new(node: NodeName, app: AppName) -> Self {
        Self { node, app, rows: Vec::new(), minute: Timestamp::default() }
    }

    /// Says what time it is.
    pub(crate) fn at(&mut self, now: Timestamp) {
        self.minute = now.minute();
    }

    /// A request came to be one of `in_flight` at an instance.
    pub(crate) fn entered(&mut self, instance: u16, in_flight: u32) {
        let row = self.row(instance);
        row.most_in_flight = row.most_in_flight.max(in_flight);
    }

    /// A request was answered with `status` after `us` microseconds.
    pub(crate) fn answered(&mut self, instance: u16, status: u16, us: u64) {
        let row = self.row(instance);
        row.by_class[usize::from(status / 100).clamp(1, 5) - 1] += 1;
        row.latency.record(us);
    }

    /// All rows; none are left.
    pub(crate) fn take(&mut self) -> Vec<RequestMinute> {
        std::mem::take(&mut self.rows)
    }

    /// Takes rows back that nobody received.
    pub(crate) fn put_back(&mut self, mut rows: Vec<RequestMinute>) {
        rows.append(&mut self.rows);
        self.rows = rows;
    }

    fn row(&mut self, instance: u16) -> &mut RequestMinute {
        let minute = self.minute;
        let found = self.rows.iter().rposition(|row| row.minute == minute && row.place.instance == instance);
        let at = found.unwrap_or_else(|| {
            if self.rows.len() >= ROW_LIMIT {
                self.rows.remove(0);
            }
            let place = Place { node: self.node.clone(), app: self.app.clone(), instance };
            self.rows.push(RequestMinute::empty(place, minute));
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

/// The threads' rows as one row per instance and minute, sorted by minute and instance.
pub(crate) fn merge(mut rows: Vec<RequestMinute>) -> Vec<RequestMinute> {
    rows.sort_by_key(|row| (row.minute, row.place.instance));
    let mut merged: Vec<RequestMinute> = Vec::with_capacity(rows.len());
    for row in rows {
        match merged.last_mut() {
            Some(last) if last.minute == row.minute && last.place == row.place => last.merge(&row),
            _ => merged.push(row),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_the_most_in_flight_is_the_largest() {
        let mut threads = [
            Minutes::new("node-a".parse().unwrap(), "shop".parse().unwrap()),
            Minutes::new("node-a".parse().unwrap(), "shop".parse().unwrap()),
        ];
        for (thread, most) in threads.iter_mut().zip([3, 5]) {
            thread.at(Timestamp::from_ms(61_000));
            thread.entered(1, most);
            thread.answered(1, 200, 10);
            thread.answered(1, 503, 10);
            thread.at(Timestamp::from_ms(120_000));
            thread.answered(0, 404, 10);
        }
        let merged = merge(threads.iter_mut().flat_map(Minutes::take).collect());
        assert_eq!(merged.len(), 2);
        assert_eq!(merged[0].by_class, [0, 2, 0, 0, 2]);
        assert_eq!(merged[0].latency.count(), 4);
        assert_eq!(merged[0].most_in_flight, 5);
        assert_eq!(merged[0].minute, Timestamp::from_ms(60_000));
        assert_eq!((merged[1].place.instance, merged[1].by_class), (0, [0, 0, 0, 2, 0]));
        assert!(threads[0].take().is_empty());
    }

    #[test]
    fn rows_that_nobody_takes_are_bounded() {
        let mut minutes = Minutes::new("node-a".parse().unwrap(), "shop".parse().unwrap());
        for minute in 0..5_000 {
            minutes.at(Timestamp::from_ms(minute * 60_000));
            minutes.answered(0, 200, 1);
        }
        let rows = minutes.take();
        assert_eq!(rows.len(), ROW_LIMIT);
        assert_eq!(rows.last().unwrap().minute, Timestamp::from_ms(4_999 * 60_000));
    }
}
