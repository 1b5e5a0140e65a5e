//! Proactive auto-heal, percent memory: a worker's private bytes stay above 90 % of its limit for more than 30 s.
//!
//! ```text
//!          above 90 %               above for more than 30 s
//!  Below ─────────────▶ Above since ─────────────────────────▶ fires, and begins anew
//!    ▲                   │   ▲ │
//!    └── at or below ────┘   └─┘ no sample for more than 5 s: above since the next one
//! ```
//!
//! What was not seen does not count: after a gap in the samples the 30 s begin with the first one after it.

use model::auto_heal::percent_memory::{FOR, SHARE_PERCENT};
use std::time::Duration;

use super::samples::Samples;
use model::auto_heal::arithmetic::millis;
use model::auto_heal::evidence::{Evidence, Firing, Reading, Rule, Unit};
use model::auto_heal::limit::MemoryLimit;
use model::auto_heal::measured::Measured;
use model::auto_heal::watch::Observation;
use model::{Monotonic, Now};

/// Samples further apart than this say nothing of the time between. Ours: five of the loop's seconds.
pub const LONGEST_GAP: Duration = Duration::from_secs(5);
/// How far the evidence reaches back: the rise is part of the picture.
const SHOWN: Duration = Duration::from_mins(2);

/// The rule, for one instance.
#[derive(Clone, Debug)]
pub struct PercentMemory {
    limit: MemoryLimit,
    above_since: Option<Monotonic>,
    last: Option<(Monotonic, u64)>,
    samples: Samples,
}

impl PercentMemory {
    /// The rule for workers of this limit.
    pub fn new(limit: MemoryLimit) -> Self {
        Self { limit, above_since: None, last: None, samples: Samples::new(SHOWN) }
    }

    /// The limit is another now.
    pub fn set_limit(&mut self, limit: MemoryLimit) {
        if self.limit != limit {
            self.limit = limit;
            self.above_since = None;
        }
    }

    /// Takes in one second.
    pub fn observe(&mut self, now: Now, seen: &Observation) -> Option<Firing> {
        let value = seen.private_bytes?;
        self.samples.push(now, value);
        let now = now.monotonic;
        let gap = self.last.is_some_and(|(last, _)| now.since(last) > LONGEST_GAP);
        self.last = Some((now, value));
        if gap {
            self.above_since = None;
        }
        if value <= self.threshold() {
            self.above_since = None;
            return None;
        }
        let above = now.since(*self.above_since.get_or_insert(now));
        if above <= FOR {
            return None;
        }
        let evidence = self.evidence(above, value);
        self.clear();
        Some(Firing { evidence, refused: None })
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.above_since = None;
        self.last = None;
        self.samples.clear();
    }

    /// Its present value beside its threshold.
    pub fn reading(&self) -> Reading {
        let above = self.last.zip(self.above_since).map(|((last, _), since)| last.since(since));
        let value = self.last.map(|(_, value)| value);
        let measured = self.measured(value, above);
        Reading::new(Rule::PercentMemory, measured, value, self.threshold(), Unit::Bytes)
    }

    fn measured(&self, bytes: Option<u64>, above: Option<Duration>) -> Measured {
        let (limit, threshold_bytes) = (self.limit, self.threshold());
        Measured::PercentMemory { limit, threshold_bytes, bytes, above_ms: above.map(millis) }
    }

    /// The most that is not yet above 90 %.
    fn threshold(&self) -> u64 {
        u64::try_from(u128::from(self.limit.bytes) * u128::from(SHARE_PERCENT) / 100).unwrap_or(u64::MAX)
    }

    fn evidence(&self, above: Duration, value: u64) -> Evidence {
        Evidence {
            rule: Rule::PercentMemory,
            seen: self.measured(Some(value), Some(above)).into(),
            threshold: self.threshold(),
            unit: Unit::Bytes,
            window_ms: millis(FOR),
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::limit::LimitSource;

    const START: Now = Now::START;

    fn rule() -> PercentMemory {
        PercentMemory::new(MemoryLimit { bytes: 1_000, source: LimitSource::MemoryLimit })
    }

    fn seen(value: u64) -> Observation {
        Observation { private_bytes: Some(value), ..Observation::default() }
    }

    /// When the samples `(ms, bytes)` fire.
    fn fires_at(samples: impl IntoIterator<Item = (u64, u64)>) -> Vec<u64> {
        let mut rule = rule();
        let fires = |(ms, value): (u64, u64)| {
            rule.observe(START + Duration::from_millis(ms), &seen(value)).map(|_| ms)
        };
        samples.into_iter().filter_map(fires).collect()
    }

    /// One sample a second up to the last, which comes at `last_ms`.
    fn held(value: u64, last_ms: u64) -> Vec<(u64, u64)> {
        (0..last_ms.div_ceil(1_000)).map(|s| (s * 1_000, value)).chain([(last_ms, value)]).collect()
    }

    #[test]
    fn exactly_90_percent_and_exactly_30_seconds_are_not_yet() {
        let cases: [(u64, u64, &[u64]); 5] = [
            (900, 31_000, &[]),
            (901, 29_999, &[]),
            (901, 30_000, &[]),
            (901, 30_001, &[30_001]),
            (u64::MAX, 30_001, &[30_001]),
        ];
        for (value, last_ms, fires) in cases {
            assert_eq!(fires_at(held(value, last_ms)), fires, "{value} for {last_ms} ms");
        }
    }

    #[test]
    fn a_dip_begins_anew() {
        let dip =
            |at: u64| held(901, 45_000).into_iter().map(move |(ms, v)| (ms, if ms == at { 900 } else { v }));
        assert_eq!(fires_at(dip(14_000)), [0; 0], "above from 15 s to 45 s is 30 s, not more");
        assert_eq!(fires_at(dip(13_000)), [45_000]);
    }

    #[test]
    fn a_gap_in_the_samples_does_not_count_as_above() {
        let gap = |from: u64, to: u64, last: u64| {
            held(901, last).into_iter().filter(move |(ms, _)| *ms <= from || *ms >= to)
        };
        assert_eq!(fires_at(gap(10_000, 15_000, 31_000)), [31_000], "5 s are no gap");
        assert_eq!(fires_at(gap(10_000, 16_000, 46_000)), [0; 0], "6 s are");
        assert_eq!(fires_at(gap(10_000, 16_000, 47_000)), [47_000]);
    }

    #[test]
    fn after_firing_it_takes_as_long_again() {
        assert_eq!(fires_at(held(901, 62_000)), [31_000]);
        assert_eq!(fires_at(held(901, 63_000)), [31_000, 63_000]);
    }

    #[test]
    fn a_wall_clock_that_is_set_changes_nothing_and_its_evidence_is_in_order() {
        for set in [|wall| wall - Duration::from_hours(48), |wall| wall + Duration::from_hours(48)] {
            let mut rule = rule();
            let firing = (0..=40_u64).find_map(|s| {
                let now = START + Duration::from_secs(s);
                let wall = if s < 20 { now.wall } else { set(now.wall) };
                rule.observe(Now { wall, ..now }, &seen(901)).map(|firing| (s, firing))
            });
            let (s, firing) = firing.expect("it fires");
            assert_eq!(s, 31);
            let samples = firing.evidence.samples;
            assert_eq!(samples.last().unwrap().at, set((START + Duration::from_secs(31)).wall));
            assert!(samples.windows(2).all(|pair| pair[1].at == pair[0].at + Duration::from_secs(1)));
        }
    }

    #[test]
    fn it_tells_what_it_saw() {
        let limit = MemoryLimit { bytes: 7 << 28, source: LimitSource::MemoryLimit };
        let mut rule = PercentMemory::new(limit);
        let (bytes, threshold_bytes) = (Some(1_800_000_000), 1_691_143_372);
        let mut observe = |s: u64| {
            let firing = rule.observe(START + Duration::from_secs(s), &seen(1_800_000_000));
            (rule.reading(), firing)
        };
        let (reading, _) = observe(0);
        let measured = |above_ms| Measured::PercentMemory { limit, threshold_bytes, bytes, above_ms };
        assert_eq!((reading.seen, reading.value), (measured(Some(0)).into(), bytes));
        let evidence = (1..40).find_map(|s| observe(s).1).unwrap().evidence;
        assert_eq!(evidence.seen, measured(Some(31_000)).into());
        assert_eq!((evidence.threshold, evidence.samples.len()), (threshold_bytes, 32));
    }
}
