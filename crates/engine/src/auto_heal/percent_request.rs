//! Proactive auto-heal, percent request: at least 80 % of the requests took 200 s or longer, and at least 5 did so, within
//! 120 s. Not while the worker warms up.
//!
//! ```text
//!             warm                 ≥ 5 slow and ≥ 80 % slow
//!  Warming up ─────▶ Watching ──────────────────────────────▶ fires, and begins anew
//! ```
//!
//! The requests are those that ended within the last 120 s and those that are running; a stream is none of them while it goes on
//! (see [`model::streams`]). One that its client gave up on without a byte counts if it was 200 s old; a younger one says neither
//! that the worker is fast nor that it is slow. A running one counts as what it is by its time up to now: slow from 200 s on, and
//! not slow before, so that a rush of new requests speaks for the worker and not against it. Paths that the app's settings
//! exclude, such as long polls, count nowhere.
//! "At least 5" counts the slow ones, as "5 requests for which the rule is broken" has it.

use model::auto_heal::percent_request::{LEAST, SHARE_PERCENT, SLOW, WINDOW};

use std::time::Duration;

use super::samples::Samples;
use crate::auto_heal::window::Window;
use model::Now;
use model::auto_heal::arithmetic::{millis, percent};
use model::auto_heal::evidence::{Evidence, Firing, Reading, Rule, RuleState, Unit};
use model::auto_heal::measured::Measured;
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::watch::{Observation, Tally, Watch};

/// The rule, for one instance.
#[derive(Clone, Debug)]
pub struct PercentRequest {
    all: Window,
    slow: Window,
    running: (u64, u64),
    warm: bool,
    samples: Samples,
}

impl Default for PercentRequest {
    fn default() -> Self {
        Self {
            all: Window::new(WINDOW),
            slow: Window::new(WINDOW),
            running: (0, 0),
            warm: false,
            samples: Samples::new(WINDOW),
        }
    }
}

impl PercentRequest {
    /// What the front door is to count for it: all requests, and the slow ones of them.
    pub fn watches(excluded: &[PathGlob]) -> [Watch; 2] {
        [Duration::ZERO, SLOW].map(|at_least| Watch {
            statuses: None,
            at_least,
            path: None,
            except: excluded.to_vec(),
        })
    }

    /// Takes in one second; `all` and `slow` are what [`PercentRequest::watches`] counted.
    pub fn observe(&mut self, now: Now, seen: &Observation, [all, slow]: [Tally; 2]) -> Option<Firing> {
        self.warm = !seen.warm_up;
        if seen.warm_up {
            self.clear();
            return None;
        }
        self.all.push(now.monotonic, all.finished.saturating_sub(all.given_up_early));
        self.slow.push(now.monotonic, slow.finished);
        self.running = (all.running, slow.running);
        let (all, slow) = self.counts();
        self.samples.push(now, percent(slow, all));
        // Compared by multiplication: a share of 79.9 % is not 80 %.
        let broken = slow >= LEAST && u128::from(slow) * 100 >= u128::from(all) * u128::from(SHARE_PERCENT);
        if !broken {
            return None;
        }
        let evidence = self.evidence();
        self.clear();
        Some(Firing { evidence, refused: None })
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.all.clear();
        self.slow.clear();
        self.samples.clear();
        self.running = (0, 0);
    }

    /// Its present value beside its threshold.
    pub fn reading(&self) -> Reading {
        let (all, slow) = self.counts();
        let value = self.warm.then(|| percent(slow, all));
        let reading =
            Reading::new(Rule::PercentRequest, self.measured(), value, SHARE_PERCENT, Unit::Percent);
        if self.warm { reading } else { reading.in_state(RuleState::WarmingUp) }
    }

    fn counts(&self) -> (u64, u64) {
        let all = self.all.sum().saturating_add(self.running.0);
        let slow = self.slow.sum().saturating_add(self.running.1);
        (all.max(slow), slow)
    }

    fn measured(&self) -> Measured {
        let (all, slow) = self.counts();
        Measured::PercentRequest { all, slow, slow_running: self.running.1 }
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            rule: Rule::PercentRequest,
            seen: self.measured().into(),
            threshold: SHARE_PERCENT,
            unit: Unit::Percent,
            window_ms: millis(WINDOW),
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Now::START;

    /// `(finished, running)` of all requests and of the slow ones.
    fn tell(rule: &mut PercentRequest, ms: u64, all: (u64, u64), slow: (u64, u64)) -> bool {
        told(rule, ms, all, slow, false)
    }

    fn told(rule: &mut PercentRequest, ms: u64, all: (u64, u64), slow: (u64, u64), warm_up: bool) -> bool {
        let tally = |(finished, running)| Tally { finished, running, ..Tally::default() };
        let seen = Observation { warm_up, ..Observation::default() };
        rule.observe(START + Duration::from_millis(ms), &seen, [tally(all), tally(slow)]).is_some()
    }

    #[test]
    fn the_share_and_the_least_number() {
        let cases = [
            ((4, 0), (4, 0), false),
            ((5, 0), (5, 0), true),
            ((6, 0), (5, 0), true),
            ((7, 0), (5, 0), false),
            ((10, 0), (8, 0), true),
            ((1_000, 0), (799, 0), false),
            ((1_000, 0), (800, 0), true),
            ((0, 5), (0, 5), true),
            ((0, 6), (0, 5), true),
            ((0, 7), (0, 5), false),
            ((2, 3), (2, 3), true),
            ((2, 2), (2, 2), false),
        ];
        for (all, slow, fires) in cases {
            assert_eq!(tell(&mut PercentRequest::default(), 0, all, slow), fires, "{slow:?} of {all:?}");
        }
    }

    #[test]
    fn a_request_given_up_on_early_is_left_out_of_both_counts() {
        for (early, fires) in [(0, false), (1, false), (2, true)] {
            let all = Tally { finished: 8, given_up_early: early, running: 0 };
            let slow = Tally { finished: 5, ..Tally::default() };
            let seen = Observation::default();
            let fired = PercentRequest::default().observe(START, &seen, [all, slow]).is_some();
            assert_eq!(fired, fires, "5 slow ones of 8 without {early}");
        }
    }

    #[test]
    fn slow_is_200_seconds_or_longer() {
        let [all, watch] = PercentRequest::watches(&["/poll/*".parse().unwrap()]);
        for (took_ms, slow) in [(199_999, false), (200_000, true)] {
            let took = Duration::from_millis(took_ms);
            assert_eq!((watch.matches(200, took, "/"), watch.matches_running(took, "/")), (slow, slow));
            assert!(all.matches(200, took, "/") && all.matches_running(took, "/"));
            for watch in [&all, &watch] {
                assert!(!watch.matches(200, took, "/poll/7") && !watch.matches_running(took, "/poll/7"));
            }
        }
    }

    #[test]
    fn what_ended_120_seconds_ago_no_longer_counts() {
        for (age_ms, fires) in [(119_999, true), (120_000, false)] {
            let mut rule = PercentRequest::default();
            assert!(!tell(&mut rule, 0, (4, 0), (4, 0)));
            assert_eq!(tell(&mut rule, age_ms, (1, 0), (1, 0)), fires, "{age_ms}");
        }
        // And what speaks for the worker leaves as well.
        for (age_ms, fires) in [(119_999, false), (120_000, true)] {
            let mut rule = PercentRequest::default();
            assert!(!tell(&mut rule, 0, (100, 0), (0, 0)));
            assert_eq!(tell(&mut rule, age_ms, (5, 0), (5, 0)), fires, "{age_ms}");
        }
    }

    #[test]
    fn nothing_counts_during_the_warm_up() {
        let mut rule = PercentRequest::default();
        assert!(!told(&mut rule, 0, (5, 5), (5, 5), true));
        assert!(rule.reading().state == RuleState::WarmingUp);
        assert!(!tell(&mut rule, 1_000, (4, 0), (4, 0)), "what ended before is forgotten");
        assert!(tell(&mut rule, 2_000, (1, 0), (1, 0)));
    }

    #[test]
    fn it_tells_what_it_saw() {
        let mut rule = PercentRequest::default();
        assert!(!tell(&mut rule, 0, (3, 3), (3, 1)));
        let measured = Measured::PercentRequest { all: 6, slow: 4, slow_running: 1 };
        let reading = rule.reading();
        assert_eq!((reading.seen, reading.value), (measured.clone().into(), Some(66)));
        let evidence = rule.evidence();
        assert_eq!((evidence.seen, evidence.window_ms), (measured.into(), 120_000));
    }

    #[test]
    fn it_begins_anew_after_firing() {
        let mut rule = PercentRequest::default();
        assert!(tell(&mut rule, 0, (5, 0), (5, 0)));
        assert!(!tell(&mut rule, 1_000, (4, 0), (4, 0)));
        assert!(tell(&mut rule, 2_000, (1, 0), (1, 0)));
    }
}
