//! What the front door counts: one row per instance and minute, with a latency sketch that rows can be added up by.

use serde::{Deserialize, Serialize};

use crate::{Place, Timestamp};

/// A mergeable histogram of latencies: one bucket per eighth of a power of two of microseconds, so that a quantile read from it
/// is at most 9 % off, at any size, and adding two is adding their buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LatencySketch {
    /// `(bucket, count)`, sorted by bucket; only buckets that count.
    buckets: Vec<(u16, u64)>,
}

impl LatencySketch {
    /// Adds one latency of `us` microseconds.
    pub fn record(&mut self, us: u64) {
        self.add(bucket_of(us), 1);
    }

    /// Adds all of another sketch.
    pub fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add(bucket, count);
        }
    }

    /// Its buckets that count, each with how much, in order. What [`Extend`] puts together again.
    pub fn buckets(&self) -> &[(u16, u64)] {
        &self.buckets
    }

    /// Forgets all of them and keeps the room.
    pub fn clear(&mut self) {
        self.buckets.clear();
    }

    /// How many latencies it holds.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The latency in microseconds that the share `quantile` (0–1) of all stayed at or below; `None` when empty.
    pub fn quantile(&self, quantile: f64) -> Option<u64> {
        let total = self.count();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts are far below 2^52"
        )]
        let rank = ((quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        self.buckets
            .iter()
            .find(|(_, count)| {
                seen += count;
                seen >= rank
            })
            .map(|(bucket, _)| upper_bound(*bucket))
    }

    /// How many latencies were `us` microseconds or longer: at least the first and at most the second number, since those that
    /// share a bucket with `us` cannot be told apart.
    pub fn count_from(&self, us: u64) -> (u64, u64) {
        let own = bucket_of(us);
        let above = |least: u16| -> u64 {
            self.buckets.iter().filter(|(bucket, _)| *bucket >= least).map(|(_, count)| count).sum()
        };
        let whole = own == 0 || upper_bound(own - 1) + 1 == us;
        (above(if whole { own } else { own + 1 }), above(own))
    }

    fn add(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 += count,
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }
}

/// Adds counts to buckets.
impl Extend<(u16, u64)> for LatencySketch {
    fn extend<I: IntoIterator<Item = (u16, u64)>>(&mut self, buckets: I) {
        for (bucket, count) in buckets {
            if self.buckets.last().is_none_or(|(last, _)| *last < bucket) {
                self.buckets.push((bucket, count));
            } else {
                self.add(bucket, count);
            }
        }
    }
}

/// Values below 8 have a bucket each; above, eight buckets a power of two.
fn bucket_of(us: u64) -> u16 {
    if us < 8 {
        return u16::try_from(us).unwrap_or(0);
    }
    let power = us.ilog2();
    let eighth = (us >> (power - 3)) & 7;
    u16::try_from(u64::from(power - 3) * 8 + 8 + eighth).unwrap_or(u16::MAX)
}

fn upper_bound(bucket: u16) -> u64 {
    if bucket < 8 {
        return u64::from(bucket);
    }
    let (power, eighth) = ((u32::from(bucket) - 8) / 8, (u64::from(bucket) - 8) % 8);
    ((8 + eighth + 1) << power) - 1
}

/// One minute of one instance's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMinute {
    pub place: Place,
    /// The minute's start.
    pub minute: Timestamp,
    /// Answers by status class: 1xx, 2xx, 3xx, 4xx, 5xx; an answer that the front door gave for the worker (502, 503) counts too.
    pub by_class: [u64; 5],
    /// How long the worker kept each client waiting in one piece (see [`crate::streams`]): for the answer's head or, if that was
    /// longer, for more of its body. How long a body takes that goes on is not in it.
    pub latency: LatencySketch,
    /// The most requests under way at once.
    pub most_in_flight: u32,
}

impl RequestMinute {
    /// A minute without requests.
    pub fn empty(place: Place, minute: Timestamp) -> Self {
        Self { place, minute, by_class: [0; 5], latency: LatencySketch::default(), most_in_flight: 0 }
    }

    /// Adds another row of the same instance and minute: counts and latencies add up, the most in flight is the larger.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.by_class.iter_mut().zip(other.by_class) {
            *mine += theirs;
        }
        self.latency.merge(&other.latency);
        self.most_in_flight = self.most_in_flight.max(other.most_in_flight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_is_at_most_an_eighth_wide(us in 0_u64..u64::MAX / 16) {
            let bound = upper_bound(bucket_of(us));
            prop_assert!(bound >= us);
            prop_assert!(bound - us <= us / 8);
        }

        #[test]
        fn counts_from_a_latency_on_enclose_the_true_one(values in prop::collection::vec(0_u64..3_000, 0..60), us in 0_u64..3_000) {
            let mut sketch = LatencySketch::default();
            for value in &values { sketch.record(*value); }
            let (least, most) = sketch.count_from(us);
            let exact = values.iter().filter(|value| **value >= us).count() as u64;
            prop_assert!(least <= exact && exact <= most, "{least} <= {exact} <= {most}");
        }

        #[test]
        fn merging_is_recording_in_one(a in prop::collection::vec(0_u64..10_000_000, 0..50), b in prop::collection::vec(0_u64..10_000_000, 0..50)) {
            let sketch = |values: &[u64]| { let mut s = LatencySketch::default(); for v in values { s.record(*v); } s };
            let mut merged = sketch(&a);
            merged.merge(&sketch(&b));
            let mut put_together = LatencySketch::default();
            put_together.extend(merged.buckets().iter().rev().copied());
            prop_assert_eq!(&put_together, &merged);
            prop_assert_eq!(merged, sketch(&[a, b].concat()));
        }
    }

    #[test]
    fn quantiles() {
        let mut sketch = LatencySketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        (1..=1_000).for_each(|ms| sketch.record(ms * 1_000));
        let median = sketch.quantile(0.5).unwrap();
        assert!((500_000..=562_500).contains(&median), "{median}");
        assert!(sketch.quantile(1.0).unwrap() >= 1_000_000);
    }
}
