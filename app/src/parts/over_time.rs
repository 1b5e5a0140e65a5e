//! What happened over time, as a chart's columns: one series a place, with a line for the places where nothing did.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::report::{Chart, Series};
use engine::{TimeRange, Timestamp};

/// Counts what lies within `range`.
pub(crate) fn over_time(
    title: &str,
    unit: &str,
    range: TimeRange,
    places: &[String],
    points: impl Iterator<Item = (String, Timestamp)>,
) -> Chart {
    let bucket_ms = bucket_ms(range.length());
    let length_ms = u64::try_from(range.length().as_millis()).unwrap_or(u64::MAX);
    let buckets = usize::try_from(length_ms.div_ceil(bucket_ms)).unwrap_or(0);
    let mut series: BTreeMap<String, Vec<u64>> =
        places.iter().map(|place| (place.clone(), vec![0; buckets])).collect();
    for (place, at) in points.filter(|(_, at)| range.contains(*at)) {
        let offset_ms = u64::try_from(at.since(range.start).as_millis()).unwrap_or(u64::MAX);
        let bucket = usize::try_from(offset_ms / bucket_ms).unwrap_or(usize::MAX);
        if let Some(value) = series.entry(place).or_insert_with(|| vec![0; buckets]).get_mut(bucket) {
            *value += 1;
        }
    }
    Chart {
        title: title.to_owned(),
        unit: unit.to_owned(),
        range,
        bucket_ms,
        series: series.into_iter().map(|(name, values)| Series { name, values }).collect(),
    }
}

/// At most 96 buckets, of a width that people count in.
fn bucket_ms(length: Duration) -> u64 {
    let minutes = match length.as_secs() / 60 {
        0..=90 => 1,
        91..=420 => 5,
        421..=780 => 10,
        _ => 15,
    };
    minutes * 60_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_falls_into_its_bucket_and_what_lies_outside_into_none() {
        let start: Timestamp = "2026-01-31T08:00".parse().unwrap();
        let range = TimeRange { start, end: start + Duration::from_hours(1) };
        let at = |minutes: u64| start + Duration::from_mins(minutes);
        let points = [("n/0", at(0)), ("n/0", at(59)), ("n/0", at(60)), ("gone/4", at(5))];
        let points = points.into_iter().map(|(place, at)| (place.to_owned(), at));
        let chart = over_time("t", "restarts", range, &["n/0".to_owned(), "n/1".to_owned()], points);
        let sums: Vec<(&str, u64)> =
            chart.series.iter().map(|series| (&*series.name, series.values.iter().sum())).collect();
        assert_eq!(sums, [("gone/4", 1), ("n/0", 2), ("n/1", 0)]);
        assert_eq!((chart.series[1].values.len(), chart.series[1].values[59]), (60, 1));
    }
}
