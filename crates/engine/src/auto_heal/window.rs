//! A sliding window of counts: what was counted less than `interval` ago.
//!
//! A count leaves the window when it is `interval` old, to the millisecond, as long as counts come no closer together than a
//! 600th of the interval (a count a second in a window of ten minutes). Closer ones are kept as one, under the earlier's time,
//! so a window is never more than [`GRAINS`] entries and, in a long one, a count may leave a 600th early: a rule errs towards
//! doing nothing.

use std::collections::VecDeque;
use std::time::Duration;

use model::Monotonic;

/// The most entries of one window.
const GRAINS: u32 = 600;

/// Counts of the last `interval`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    interval: Duration,
    counts: VecDeque<(Monotonic, u64)>,
    sum: u64,
}

impl Window {
    /// An empty one.
    pub(super) const fn new(interval: Duration) -> Self {
        Self { interval, counts: VecDeque::new(), sum: 0 }
    }

    /// Adds `count` at `now` and forgets what is too old.
    pub(super) fn push(&mut self, now: Monotonic, count: u64) {
        while let Some(&(at, old)) = self.counts.front()
            && now >= at + self.interval
        {
            self.counts.pop_front();
            self.sum = self.sum.saturating_sub(old);
        }
        if count == 0 {
            return;
        }
        self.sum = self.sum.saturating_add(count);
        match self.counts.back_mut() {
            Some((at, last)) if now < *at + self.interval / GRAINS => *last = last.saturating_add(count),
            _ => self.counts.push_back((now, count)),
        }
    }

    /// What it holds, as of the last push.
    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.counts.clear();
        self.sum = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Monotonic = Monotonic::from_start(Duration::from_secs(7));

    #[test]
    fn a_count_leaves_at_the_interval_to_the_millisecond() {
        for (age_ms, sum) in [(59_999, 7), (60_000, 0)] {
            let mut window = Window::new(Duration::from_mins(1));
            window.push(START, 7);
            window.push(START + Duration::from_millis(age_ms), 0);
            assert_eq!(window.sum(), sum, "{age_ms} ms old");
        }
    }

    proptest! {
        #[test]
        fn it_is_bounded_and_never_counts_too_much(steps in prop::collection::vec((0_u64..6_000, 0_u64..9), 1..700)) {
            let mut window = Window::new(Duration::from_mins(20));
            let (mut now, mut all) = (START, Vec::new());
            for (pass, count) in steps {
                now = now + Duration::from_millis(pass);
                window.push(now, count);
                all.push((now, count));
                let exact: u64 = all.iter().filter(|(at, _)| now < *at + window.interval).map(|(_, c)| c).sum();
                prop_assert!(window.sum() <= exact);
                prop_assert!(window.counts.len() <= 601);
            }
        }
    }
}
