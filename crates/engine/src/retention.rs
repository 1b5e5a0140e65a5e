//! How far back history is kept: by the clock on the wall, but no faster than time really passes.
//!
//! A clock that is set days ahead would otherwise take days of history with it, for good. So the time from which on history is
//! kept moves on by at most twice the time that Medic has run since it was looked at last; after a pause in which Medic did not
//! run it catches up at that pace, and a little more is kept until then. A clock that is set back takes nothing with it.

use std::time::Duration;

use model::Timestamp;

/// How much faster than time passes what was left lying may be caught up.
const PACE: u32 = 2;

/// What is known of the history that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// From when on it was kept when that was looked at last.
    pub from: Option<Timestamp>,
    /// Of when the oldest that is there is.
    pub oldest: Option<Timestamp>,
}

/// From when on history is to be kept; `ran` is how long Medic has run since that was looked at last, by the clock that nobody
/// sets.
pub fn keep_from(now: Timestamp, retention: Duration, ran: Duration, kept: Kept) -> Timestamp {
    let by_the_clock = now - retention;
    let bound = kept.from.map(|from| from + ran.saturating_mul(PACE)).or(kept.oldest);
    bound.map_or(by_the_clock, |bound| bound.min(by_the_clock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);
    const MONTH: Duration = Duration::from_hours(30 * 24);

    fn kept(from: Timestamp) -> Kept {
        Kept { from: Some(from), oldest: Some(from) }
    }

    #[test]
    fn a_clock_that_runs_is_followed() {
        let mut from = keep_from(NOW, MONTH, Duration::ZERO, Kept::default());
        assert_eq!(from, NOW - MONTH);
        for hours in 1..100 {
            let now = NOW + HOUR * hours;
            from = keep_from(now, MONTH, HOUR, kept(from));
            assert_eq!(from, now - MONTH);
        }
    }

    #[test]
    fn a_clock_that_jumps_ahead_takes_hours_and_not_days() {
        let from = NOW - MONTH;
        let ahead = keep_from(NOW + 100 * DAY, MONTH, HOUR, kept(from));
        assert_eq!(ahead, from + 2 * HOUR);
        assert_eq!(keep_from(NOW + HOUR, MONTH, HOUR, kept(ahead)), from + HOUR, "and back again");
        let first = Kept { from: None, oldest: Some(NOW - DAY) };
        assert_eq!(
            keep_from(NOW + 100 * DAY, MONTH, HOUR, first),
            NOW - DAY,
            "also where nothing is known yet"
        );
    }

    #[test]
    fn after_a_pause_it_catches_up() {
        let mut from = NOW - MONTH;
        for hours in 1..=48 {
            from = keep_from(NOW + 2 * DAY + HOUR * hours, MONTH, HOUR, kept(from));
        }
        assert_eq!(from, NOW + 4 * DAY - MONTH, "two days not run are made up for in two days");
    }

    proptest! {
        /// Whatever the clock is set to, no more than twice the time that really passed is forgotten.
        #[test]
        fn no_clock_forgets_faster_than_time_passes(
            clocks in prop::collection::vec((-4_000_i64..4_000, 0_u64..48), 1..50),
        ) {
            let start = NOW - MONTH;
            let (mut from, mut ran) = (start, Duration::ZERO);
            for (hours_off, hours) in clocks {
                let passed = HOUR * u32::try_from(hours).unwrap();
                ran += passed;
                let now = Timestamp::from_ms(NOW.as_ms() + hours_off * 3_600_000) + ran;
                from = keep_from(now, MONTH, passed, kept(from));
                prop_assert!(from <= start + ran * 2);
                prop_assert!(from <= now - MONTH);
            }
        }
    }
}
