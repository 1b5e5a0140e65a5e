//! Does a worker's memory grow steadily? Told by the Theil–Sen line: the median of the slopes between all pairs of points, which
//! neither a single peak nor the saw teeth of a garbage collector move much (it stands up to 29 % of outliers).
//!
//! Not every growth is a leak: a cache fills and then stops. So most pairs must rise, the later half must still grow at a fair
//! part of the whole's rate, and what was grown must matter. Whole numbers throughout.

use std::time::Duration;

use model::Timestamp;
use model::auto_heal::arithmetic::percent;

/// A shorter time says nothing: every worker grows while it gets warm.
const SHORTEST: Duration = Duration::from_mins(15);
/// Fewer points say nothing.
const FEWEST: usize = 12;
/// More points than this are thinned out: pairs are compared.
const MOST: usize = 200;
/// So many hundredths of the pairs must rise. A level that only wavers has 50.
const RISING_PERCENT: u64 = 80;
/// It must have grown by this part of what it began with …
const LEAST_SHARE: u64 = 10;
/// … and by this much.
const LEAST_BYTES: u64 = 8 << 20;
const HOUR_MS: i128 = 3_600_000;

/// Memory that grows steadily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Growth {
    /// The slope of the line.
    pub(super) bytes_per_hour: u64,
    /// How many hundredths of the pairs of points rise.
    pub(super) rising_percent: u64,
    /// The first point that was looked at.
    pub(super) first: (Timestamp, u64),
    /// The last one.
    pub(super) last: (Timestamp, u64),
}

impl Growth {
    /// How long it takes at this rate until `limit` is reached; nothing once it is.
    pub(super) fn time_to(&self, limit: u64) -> Option<Duration> {
        let left = limit.checked_sub(self.last.1).filter(|left| *left > 0)?;
        let ms = u128::from(left) * 3_600_000 / u128::from(self.bytes_per_hour.max(1));
        Some(Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX)))
    }
}

/// Is there steady growth in these points, oldest first?
pub(super) fn steady(points: &[(Timestamp, u64)]) -> Option<Growth> {
    let (first, last) = (*points.first()?, *points.last()?);
    let length = last.0.since(first.0);
    if points.len() < FEWEST || length < SHORTEST {
        return None;
    }
    let thinned = thin(points);
    let slope = slopes(&thinned)?;
    let later = slopes(thinned.get(thinned.len() / 2..)?)?;
    let bytes_per_hour = u64::try_from(slope.median).ok().filter(|slope| *slope > 0)?;
    let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let grown = u128::from(bytes_per_hour) * u128::from(length_ms) / 3_600_000;
    let matters = grown >= u128::from(LEAST_BYTES.max(first.1 / LEAST_SHARE));
    let goes_on = later.median * 4 >= slope.median;
    let steady = matters && goes_on && slope.rising_percent >= RISING_PERCENT;
    steady.then_some(Growth { bytes_per_hour, rising_percent: slope.rising_percent, first, last })
}

/// At most [`MOST`] points, the last of each stretch.
fn thin(points: &[(Timestamp, u64)]) -> Vec<(Timestamp, u64)> {
    points.chunks(points.len().div_ceil(MOST)).filter_map(|stretch| stretch.last().copied()).collect()
}

struct Slopes {
    /// In bytes an hour.
    median: i128,
    rising_percent: u64,
}

fn slopes(points: &[(Timestamp, u64)]) -> Option<Slopes> {
    let mut slopes: Vec<i128> = Vec::with_capacity(points.len() * points.len() / 2);
    for (index, (from, low)) in points.iter().enumerate() {
        for (to, high) in &points[index + 1..] {
            let ms = i128::from(to.as_ms()) - i128::from(from.as_ms());
            if ms > 0 {
                slopes.push((i128::from(*high) - i128::from(*low)) * HOUR_MS / ms);
            }
        }
    }
    let rising = slopes.iter().filter(|slope| **slope > 0).count();
    let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let rising_percent = percent(of(rising), of(slopes.len()));
    let middle = slopes.len() / 2;
    let (_, median, _) = (!slopes.is_empty()).then(|| slopes.select_nth_unstable(middle))?;
    Some(Slopes { median: *median, rising_percent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MB: u64 = 1 << 20;
    const START: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    fn history(minutes: u64, bytes: impl Fn(u64) -> u64) -> Vec<(Timestamp, u64)> {
        (0..minutes).map(|minute| (START + Duration::from_mins(minute), bytes(minute))).collect()
    }

    #[test]
    fn a_straight_line_has_its_own_slope() {
        let growth = steady(&history(120, |minute| 100 * MB + 2 * MB * minute)).unwrap();
        assert_eq!((growth.bytes_per_hour, growth.rising_percent), (120 * MB, 100));
        assert_eq!(growth.time_to(growth.last.1 + 240 * MB), Some(Duration::from_hours(2)));
        assert_eq!(growth.time_to(growth.last.1), None);
        assert_eq!(growth.time_to(1), None);
    }

    #[test]
    fn peaks_and_saw_teeth_do_not_move_it_much() {
        let peaks =
            history(120, |minute| if minute % 10 == 0 { 900 * MB } else { 100 * MB + 2 * MB * minute });
        let growth = steady(&peaks).unwrap();
        assert!((100 * MB..=140 * MB).contains(&growth.bytes_per_hour), "{growth:?}");
        let teeth = history(240, |minute| 100 * MB + 2 * MB * minute + MB * (minute % 7));
        let growth = steady(&teeth).unwrap();
        assert!((115 * MB..=125 * MB).contains(&growth.bytes_per_hour), "{growth:?}");
    }

    #[test]
    fn what_is_no_leak() {
        let cases: [(&str, Vec<(Timestamp, u64)>); 7] = [
            ("flat", history(240, |_| 500 * MB)),
            ("saw teeth", history(240, |minute| 300 * MB + 20 * MB * (minute % 20))),
            ("a cache that fills", history(240, |minute| 100 * MB + 10 * MB * minute.min(60))),
            ("too short", history(15, |minute| 100 * MB + 10 * MB * minute)),
            ("too few", history(2, |minute| 100 * MB + 900 * MB * minute)),
            ("too little", history(240, |minute| 1_000 * MB + MB * minute / 4)),
            ("falling", history(240, |minute| 1_000 * MB - MB * minute)),
        ];
        for (name, points) in cases {
            assert_eq!(steady(&points), None, "{name}");
        }
        assert!(steady(&history(16, |minute| 100 * MB + 10 * MB * minute)).is_some(), "just long enough");
    }

    proptest! {
        #[test]
        fn whatever_was_measured_has_an_answer(values in prop::collection::vec(any::<u64>(), 0..300)) {
            let points = history(u64::try_from(values.len()).unwrap(), |minute| values[usize::try_from(minute).unwrap()]);
            if let Some(growth) = steady(&points) {
                prop_assert!(growth.bytes_per_hour > 0 && growth.rising_percent >= RISING_PERCENT);
                growth.time_to(u64::MAX);
            }
        }
    }
}
