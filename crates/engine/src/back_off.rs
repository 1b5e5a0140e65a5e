//! How long to wait before the next worker is started.
//!
//! The first end is followed by a start at once; a worker that keeps ending soon after its start waits 1, 2, 4 … seconds, up to
//! a limit. A worker that stayed up for [`STEADY`] ends the row. (Kubernetes doubles from 10 s to 5 min and PM2 grows by 1.5 to
//! 15 s; ours begins lower because an app that crashes once should not be missed for ten seconds.)

use std::time::Duration;

/// A worker that ran this long did not "keep ending".
pub const STEADY: Duration = Duration::from_mins(1);
/// The pause after the second end in a row.
pub const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Counts ends in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOff {
    longest: Duration,
    ends_in_a_row: u32,
}

impl BackOff {
    /// Pauses grow up to `longest`.
    pub const fn new(longest: Duration) -> Self {
        Self { longest, ends_in_a_row: 0 }
    }

    /// How many workers in a row ended soon after their start.
    pub const fn ends_in_a_row(&self) -> u32 {
        self.ends_in_a_row
    }

    /// A worker ended that had run for `uptime`: how long to wait for the next start.
    pub fn pause_after(&mut self, uptime: Duration) -> Duration {
        self.ends_in_a_row = if uptime >= STEADY { 1 } else { self.ends_in_a_row.saturating_add(1) };
        self.pause(self.longest)
    }

    /// A worker could not be started at all: how long to wait for the next try. At least [`FIRST_PAUSE`] from the second on,
    /// whatever the limit: what the machine refuses now it refuses a millisecond later, too.
    pub fn pause_after_failed_start(&mut self) -> Duration {
        self.ends_in_a_row = self.ends_in_a_row.saturating_add(1);
        self.pause(self.longest.max(FIRST_PAUSE))
    }

    fn pause(&self, longest: Duration) -> Duration {
        match self.ends_in_a_row {
            0 | 1 => Duration::ZERO,
            n => FIRST_PAUSE.saturating_mul(1 << (n - 2).min(20)).min(longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_a_steady_worker_ends_the_row() {
        let mut back_off = BackOff::new(Duration::from_secs(30));
        let pauses: Vec<_> = (0..8).map(|_| back_off.pause_after(Duration::from_secs(1)).as_secs()).collect();
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(back_off.pause_after(STEADY.checked_sub(Duration::from_millis(1)).unwrap()).as_secs(), 30);
        assert_eq!(back_off.pause_after(STEADY), Duration::ZERO);
        assert_eq!(back_off.ends_in_a_row(), 1);
    }

    #[test]
    fn a_machine_that_starts_nothing_is_not_asked_without_a_pause() {
        let mut back_off = BackOff::new(Duration::ZERO);
        let pauses: Vec<_> = (0..4).map(|_| back_off.pause_after_failed_start().as_secs()).collect();
        assert_eq!(pauses, [0, 1, 1, 1]);
        assert_eq!(
            back_off.pause_after(Duration::ZERO),
            Duration::ZERO,
            "a worker that ran waits as it is set"
        );
    }

    #[test]
    fn a_row_of_any_length_stays_within_the_limit() {
        let mut back_off = BackOff::new(Duration::from_mins(5));
        assert!((0..10_000).all(|_| back_off.pause_after(Duration::ZERO) <= Duration::from_mins(5)));
    }
}
