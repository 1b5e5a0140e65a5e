//! Parts of equal length of a time range, for charts: of a width that people count in, and few enough to be told apart.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::report::{Chart, Detail, Series};
use model::{Place, TimeRange, Timestamp};

/// The parts of one range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Buckets {
    range: TimeRange,
    /// How long one of them is.
    pub(crate) width_ms: u64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Buckets {
    /// At most 96, for columns.
    pub(crate) fn columns(range: TimeRange) -> Self {
        Self::of(range, [(90, 1), (420, 5), (780, 10)], 15)
    }

    /// At most 150, for lines: what is narrower can neither be told from the next nor pointed at.
    pub(crate) fn points(range: TimeRange) -> Self {
        Self::of(range, [(150, 1), (300, 2), (750, 5)], 10)
    }

    /// Pairs of a length and the width up to it, and the width beyond; all in minutes.
    fn of(range: TimeRange, widths: [(u64, u64); 3], beyond: u64) -> Self {
        let length_ms = u64::try_from(range.length().as_millis()).unwrap_or(u64::MAX);
        let fits = widths.into_iter().find(|(length, _)| length_ms / 60_000 <= *length);
        let width_ms = fits.map_or(beyond, |(_, width)| width) * 60_000;
        Self { range, width_ms, count: usize::try_from(length_ms.div_ceil(width_ms)).unwrap_or(0) }
    }

    /// Which of them a moment lies in.
    pub(crate) fn index(&self, at: Timestamp) -> Option<usize> {
        if !self.range.contains(at) {
            return None;
        }
        let offset_ms = u64::try_from(at.since(self.range.start).as_millis()).ok()?;
        usize::try_from(offset_ms / self.width_ms).ok()
    }

    /// How often something happened in each: moments, and how often at that moment.
    pub(crate) fn tally(&self, counts: impl Iterator<Item = (Timestamp, u64)>) -> Vec<u64> {
        let mut values = vec![0; self.count];
        for (index, count) in counts.filter_map(|(at, count)| Some((self.index(at)?, count))) {
            if let Some(value) = values.get_mut(index) {
                *value += count;
            }
        }
        values
    }
}

/// The shortest part of a range that a chart tells apart.
pub fn part(range: TimeRange) -> Duration {
    Duration::from_millis(Buckets::points(range).width_ms)
}

/// What happened within `range`, as at most 96 columns: a series a place, also for each of `places` where nothing did. A point
/// is where, when, and how often.
pub fn over_time(
    title: &str,
    unit: &str,
    range: TimeRange,
    places: &[Place],
    points: impl IntoIterator<Item = (Place, Timestamp, u64)>,
) -> Chart {
    let buckets = Buckets::columns(range);
    let mut times: BTreeMap<Place, Vec<(Timestamp, u64)>> =
        places.iter().map(|place| (place.clone(), vec![])).collect();
    for (place, at, count) in points {
        times.entry(place).or_default().push((at, count));
    }
    let series = times
        .into_iter()
        .map(|(place, times)| Series { name: place.within_app(), values: buckets.tally(times.into_iter()) });
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        range,
        bucket_ms: buckets.width_ms,
        series: series.collect(),
        deploys: vec![],
    }
}

/// When something happened, once or more often, as details of a finding.
pub(crate) fn times(first: Timestamp, last: Timestamp) -> Vec<Detail> {
    if first == last {
        return vec![Detail::time("When", first)];
    }
    vec![Detail::time("First", first), Detail::time("Last", last)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::range::{LONGEST, SHORTEST};
    use proptest::prelude::*;

    #[test]
    fn a_day_has_96_columns_and_144_points_and_a_quarter_of_an_hour_a_minute_each() {
        let start = Timestamp::from_ms(1_769_847_300_000);
        let range = |length| TimeRange { start, end: start + length };
        let parts = |buckets: Buckets| (buckets.count, buckets.width_ms / 60_000);
        assert_eq!(parts(Buckets::columns(range(LONGEST))), (96, 15));
        assert_eq!(parts(Buckets::points(range(LONGEST))), (144, 10));
        assert_eq!(parts(Buckets::columns(range(SHORTEST))), (15, 1));
        assert_eq!(parts(Buckets::points(range(SHORTEST))), (15, 1));
    }

    #[test]
    fn each_falls_into_its_bucket_and_what_lies_outside_into_none() {
        let start = Timestamp::from_ms(1_769_847_300_000);
        let range = TimeRange { start, end: start + Duration::from_hours(1) };
        let at = |minutes: u64| start + Duration::from_mins(minutes);
        let points =
            [("n/shop/0", at(0)), ("n/shop/0", at(59)), ("n/shop/0", at(60)), ("gone/shop/4", at(5))];
        let place = |text: &str| text.parse::<Place>().unwrap();
        let points = points.map(|(text, at)| (place(text), at, 1));
        let chart = over_time("t", "restarts", range, &["n/shop/0", "n/shop/1"].map(place), points);
        let sums: Vec<(&str, u64)> =
            chart.series.iter().map(|series| (&*series.name, series.values.iter().sum())).collect();
        assert_eq!(sums, [("gone/4", 1), ("n/0", 2), ("n/1", 0)]);
        assert_eq!((chart.series[1].values.len(), chart.series[1].values[59]), (60, 1));
    }

    proptest! {
        #[test]
        fn every_moment_of_a_range_lies_in_one_of_few(length_ms in 900_000_u64..=86_400_000, offset_ms in -10_000_i64..86_500_000) {
            let start = Timestamp::from_ms(1_769_847_300_000);
            let range = TimeRange { start, end: start + Duration::from_millis(length_ms) };
            let at = Timestamp::from_ms(start.as_ms() + offset_ms);
            for (buckets, most) in [(Buckets::columns(range), 97), (Buckets::points(range), 151)] {
                prop_assert!((1..=most).contains(&buckets.count));
                prop_assert_eq!(buckets.index(at).is_some(), range.contains(at));
                prop_assert!(buckets.index(at).is_none_or(|index| index < buckets.count));
                prop_assert_eq!(buckets.tally([(at, 1)].into_iter()).iter().sum::<u64>(), u64::from(range.contains(at)));
            }
        }
    }
}
