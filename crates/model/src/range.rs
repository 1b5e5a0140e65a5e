//! The time range of a detector's page: 15 minutes to 24 hours within the last 30 days (diagnose-and-solve's own limits).
//! Wrong input is put right, with a message, never refused: the reader is in the middle of something.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::time::TimestampError;

/// The shortest range.
pub const SHORTEST: Duration = Duration::from_mins(15);
/// The longest range, and the default.
pub const LONGEST: Duration = Duration::from_hours(24);
/// How far back a range may reach.
pub const REACH: Duration = Duration::from_hours(720);
/// The presets, in hours.
pub const PRESET_HOURS: [u64; 4] = [1, 6, 12, 24];

/// From `start` (included) to `end` (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TimeRange {
    /// The first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
}

impl TimeRange {
    /// The last `length` before `now`. The end lies a millisecond after `now`, so that what happened just now is in.
    pub fn last(now: Timestamp, length: Duration) -> Self {
        let end = now + Duration::from_millis(1);
        Self { start: end - length, end }
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Does `at` lie in it?
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

/// A range that can be used, and what had to be put right to make it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadRange {
    /// The range.
    pub range: TimeRange,
    /// The address named a start or an end, rather than leaving the default of the last 24 hours.
    pub chosen: bool,
    pub corrections: Vec<Correction>,
}

/// What was put right in a range that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correction {
    /// It is no time, and was left out.
    Start(TimestampError),
    /// It is no time, and was left out.
    End(TimestampError),
    /// The start was after the end.
    Swapped,
    EndInFuture,
    /// The start was longer ago than [`REACH`].
    StartTooOld,
    /// Longer than [`LONGEST`].
    TooLong,
    /// Shorter than [`SHORTEST`].
    TooShort,
}

/// Reads `startTime` and `endTime` as they stand in an address. Nothing given is the last 24 hours; an end without a start is
/// the 24 hours before it; a start without an end reaches as far as it may.
pub fn read_range(now: Timestamp, start: Option<&str>, end: Option<&str>) -> ReadRange {
    let mut corrections = Vec::new();
    let mut read = |text: Option<&str>, unread: fn(TimestampError) -> Correction| {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        text.parse::<Timestamp>().map_err(|error| corrections.push(unread(error))).ok()
    };
    let (start, end) = (read(start, Correction::Start), read(end, Correction::End));
    let chosen = start.is_some() || end.is_some();
    let mut range = match (start, end) {
        (None, None) => TimeRange::last(now, LONGEST),
        (None, Some(end)) => TimeRange { start: end - LONGEST, end },
        (Some(start), None) => TimeRange { start, end: (start + LONGEST).min(now).max(start) },
        (Some(start), Some(end)) => TimeRange { start, end },
    };
    put_right(now, &mut range, &mut corrections);
    ReadRange { range, chosen, corrections }
}

fn put_right(now: Timestamp, range: &mut TimeRange, corrections: &mut Vec<Correction>) {
    let latest = now + Duration::from_millis(1);
    if range.start > range.end {
        std::mem::swap(&mut range.start, &mut range.end);
        corrections.push(Correction::Swapped);
    }
    if range.end > latest {
        range.end = latest;
        corrections.push(Correction::EndInFuture);
    }
    let earliest = now - REACH;
    if range.start < earliest {
        range.start = earliest;
        corrections.push(Correction::StartTooOld);
    }
    if range.end < earliest + SHORTEST {
        range.end = earliest + SHORTEST;
    }
    range.start = range.start.min(range.end);
    if range.length() > LONGEST {
        range.start = range.end - LONGEST;
        corrections.push(Correction::TooLong);
    }
    if range.length() < SHORTEST {
        range.start = range.end - SHORTEST;
        corrections.push(Correction::TooShort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn nothing_given_is_the_last_day() {
        let read = read_range(NOW, None, Some(" "));
        assert_eq!((read.range.length(), read.chosen, read.corrections.len()), (LONGEST, false, 0));
        assert!(read.range.contains(NOW));
    }

    #[test]
    fn what_is_wrong_is_put_right_and_said() {
        use Correction::{EndInFuture, Start, StartTooOld, Swapped, TooLong, TooShort};
        let cases = [
            ("2026-01-31T08:00:00Z", "2026-01-31T07:00:00Z", vec![Swapped]),
            ("2026-01-31T08:00:00Z", "2027-01-31T07:00:00Z", vec![EndInFuture]),
            ("2025-01-01T00:00:00Z", "2026-01-31T07:00:00Z", vec![StartTooOld, TooLong]),
            ("2026-01-29T08:00:00Z", "2026-01-31T07:00:00Z", vec![TooLong]),
            ("2026-01-31T08:00:00Z", "2026-01-31T08:01:00Z", vec![TooShort]),
            ("noon", "2026-01-31T08:01:00Z", vec![Start("noon".parse::<Timestamp>().unwrap_err())]),
        ];
        for (start, end, corrections) in cases {
            assert_eq!(read_range(NOW, Some(start), Some(end)).corrections, corrections, "{start} {end}");
        }
    }

    #[test]
    fn a_good_range_is_left_alone() {
        let read = read_range(NOW, Some("2026-01-31T07:00:00Z"), Some("2026-01-31T08:00:00Z"));
        assert_eq!((read.range.length(), read.corrections.len()), (Duration::from_hours(1), 0));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_range_can_be_used(start in any::<i32>(), end in any::<i32>()) {
            let text = |offset: i32| (NOW + Duration::ZERO).as_ms() + i64::from(offset) * 10_000;
            let (start, end) = (Timestamp::from_ms(text(start)).to_string(), Timestamp::from_ms(text(end)).to_string());
            let range = read_range(NOW, Some(&start), Some(&end)).range;
            prop_assert!((SHORTEST..=LONGEST).contains(&range.length()));
            prop_assert!(range.end <= NOW + Duration::from_millis(1));
            prop_assert!(range.start >= NOW - REACH);
        }
    }
}
