//! What a rule saw over its window, for its evidence.

use std::collections::VecDeque;
use std::time::Duration;

use model::auto_heal::evidence::{POINTS_LIMIT, Sample};
use model::{Monotonic, Now};

/// What a rule saw over its window: never more than [`POINTS_LIMIT`] points, the highest of each stretch of time. Their times
/// are told by the wall clock as it was at the last of them, so that a clock that was set leaves no gap and no loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Samples {
    span: Duration,
    points: VecDeque<(Monotonic, u64)>,
    latest: Now,
}

impl Samples {
    pub(crate) fn new(span: Duration) -> Self {
        Self { span, points: VecDeque::new(), latest: Now::default() }
    }

    pub(crate) fn push(&mut self, now: Now, value: u64) {
        self.latest = now;
        let now = now.monotonic;
        let stretch = self.span / u32::try_from(POINTS_LIMIT).unwrap_or(u32::MAX);
        match self.points.back_mut() {
            Some((at, last)) if now < *at + stretch => *last = value.max(*last),
            _ => self.points.push_back((now, value)),
        }
        while self
            .points
            .front()
            .is_some_and(|(first, _)| now >= *first + self.span || self.points.len() > POINTS_LIMIT)
        {
            self.points.pop_front();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.points.clear();
    }

    pub(crate) fn to_vec(&self) -> Vec<Sample> {
        let sample = |(at, value): &(Monotonic, u64)| Sample { at: self.latest.wall_at(*at), value: *value };
        self.points.iter().map(sample).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn samples_are_bounded_and_keep_the_peak(span_s in 1_u64..90_000, steps in prop::collection::vec((0_u64..4_000, any::<u64>()), 1..600)) {
            let span = Duration::from_secs(span_s);
            let mut samples = Samples::new(span);
            let mut now = Now { wall: Timestamp::from_ms(1_769_847_300_000), ..Now::default() };
            for (pass, value) in steps {
                now = now + Duration::from_millis(pass);
                samples.push(now, value);
                let kept = samples.to_vec();
                prop_assert!(kept.len() <= POINTS_LIMIT);
                prop_assert!(kept.iter().all(|sample| now.wall < sample.at + span));
                prop_assert!(kept.last().unwrap().value >= value, "the last value is in the last point");
            }
        }
    }
}
