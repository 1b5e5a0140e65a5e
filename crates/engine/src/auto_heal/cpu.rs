//! Proactive CPU monitoring: off unless set; a worker that keeps the processors busy is acted on, a few times, for some days.
//!
//! ```text
//!       every check of `seconds` at or above the threshold
//!  Watching ───────────────────────────────────────────────▶ acts, and begins anew
//!     │  ▲ a check below, or no sample: begins anew             │
//!     │  └───────────────────────── actions are left ───────────┘
//!     ▼
//!   Over: `hours` have passed, or no action is left
//! ```
//!
//! A check looks every `frequency_s` at the mean since the last one, so it speaks for all that time and not for an instant. The
//! threshold is met by reaching it. When it was set and how often it acted survives a restart of Medic.

use model::auto_heal::cpu::{CpuRule, CpuState};
use std::time::Duration;

use super::samples::Samples;
use crate::auto_heal::percent_memory::LONGEST_GAP;
use model::auto_heal::arithmetic::millis;
use model::auto_heal::evidence::{Evidence, Firing, Reading, Rule, RuleState, Unit};
use model::auto_heal::measured::Measured;
use model::auto_heal::watch::Observation;
use model::{Monotonic, Now};

#[derive(Clone, Copy, Debug, Default)]
struct Check {
    began: Option<Monotonic>,
    last: Option<Monotonic>,
    sum: u64,
    count: u64,
}

/// The rule, for one instance.
#[derive(Clone, Debug)]
pub struct ProactiveCpu {
    state: CpuState,
    check: Check,
    above_since: Option<Monotonic>,
    mean: Option<u64>,
    /// Why it no longer looks.
    over: Option<RuleState>,
    samples: Samples,
}

impl ProactiveCpu {
    /// The rule as set at `now`, or as it was remembered for the same rule.
    pub fn new(now: Now, rule: CpuRule, remembered: Option<CpuState>) -> Self {
        let begun = CpuState { rule, since: now.wall, acted: 0 };
        let state = remembered.filter(|state| state.rule == rule).unwrap_or(begun);
        let shown = Duration::from_secs(rule.seconds.max(rule.frequency_s)) * 4;
        Self {
            state,
            check: Check::default(),
            above_since: None,
            mean: None,
            over: None,
            samples: Samples::new(shown),
        }
    }

    /// What is to be remembered.
    pub const fn state(&self) -> CpuState {
        self.state
    }

    /// Takes in one second.
    pub fn observe(&mut self, now: Now, seen: &Observation) -> Option<Firing> {
        let rule = self.state.rule;
        // After the wall clock was set back, it lasts no longer for it.
        self.state.since = self.state.since.min(now.wall);
        self.over = if self.state.acted >= rule.actions {
            Some(RuleState::ActionsUsed)
        } else if now.wall >= self.state.since + Duration::from_hours(rule.hours) {
            Some(RuleState::Expired)
        } else {
            None
        };
        let value = seen.cpu_percent.filter(|_| self.over.is_none())?;
        self.take(now, value)
    }

    /// Begins anew; what counts its actions stays.
    pub fn clear(&mut self) {
        self.check = Check::default();
        self.above_since = None;
        self.mean = None;
        self.samples.clear();
    }

    /// Its present value beside its threshold.
    pub fn reading(&self) -> Reading {
        let (measured, threshold) = (self.measured(self.mean, None), self.state.rule.threshold_percent);
        let reading = Reading::new(Rule::ProactiveCpu, measured, self.mean, threshold, Unit::Percent);
        Reading { state: self.over.clone().unwrap_or(RuleState::Watching), ..reading }
    }

    fn measured(&self, mean_percent: Option<u64>, busy: Option<Duration>) -> Measured {
        let (settings, busy_ms) = (self.state.rule, busy.map(millis));
        let actions_left = settings.actions.saturating_sub(self.state.acted);
        Measured::ProactiveCpu { settings, mean_percent, busy_ms, actions_left }
    }

    fn take(&mut self, now: Now, value: u8) -> Option<Firing> {
        let rule = self.state.rule;
        if self.check.last.is_some_and(|last| now.monotonic.since(last) > LONGEST_GAP) {
            self.clear();
        }
        self.samples.push(now, u64::from(value));
        let now = now.monotonic;
        let began = *self.check.began.get_or_insert(now);
        let check_due = now.since(began) >= Duration::from_secs(rule.frequency_s);
        // The first sample tells of the time before the check began.
        if now > began {
            self.check.sum += u64::from(value);
            self.check.count += 1;
        }
        self.check.last = Some(now);
        if check_due { self.checked(now, began) } else { None }
    }

    fn checked(&mut self, now: Monotonic, began: Monotonic) -> Option<Firing> {
        let rule = self.state.rule;
        let mean = self.check.sum / self.check.count.max(1);
        self.mean = Some(mean);
        self.check = Check { began: Some(now), last: Some(now), ..Check::default() };
        if mean < rule.threshold_percent {
            self.above_since = None;
            return None;
        }
        let above = now.since(*self.above_since.get_or_insert(began));
        if above < Duration::from_secs(rule.seconds) {
            return None;
        }
        let evidence = Evidence {
            rule: Rule::ProactiveCpu,
            seen: self.measured(Some(mean), Some(above)).into(),
            threshold: rule.threshold_percent,
            unit: Unit::Percent,
            window_ms: millis(Duration::from_secs(rule.seconds)),
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        };
        self.state.acted += 1;
        self.clear();
        Some(Firing { evidence, refused: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::cpu::CpuMode;

    const START: Now = Now::START;
    const KILL: CpuRule = CpuRule {
        threshold_percent: 75,
        seconds: 30,
        frequency_s: 15,
        actions: 2,
        hours: 336,
        mode: CpuMode::Kill,
    };

    fn fires_at(
        rule: &mut ProactiveCpu,
        seconds: impl IntoIterator<Item = u64>,
        cpu: impl Fn(u64) -> u8,
    ) -> Vec<u64> {
        let mut observe = |s: u64| {
            let seen = Observation { cpu_percent: Some(cpu(s)), ..Observation::default() };
            rule.observe(START + Duration::from_secs(s), &seen).map(|_| s)
        };
        seconds.into_iter().filter_map(&mut observe).collect()
    }

    #[test]
    fn the_threshold_and_the_seconds() {
        let cases: [(CpuRule, u8, u64, &[u64]); 6] = [
            (KILL, 74, 300, &[]),
            (KILL, 75, 29, &[]),
            (KILL, 75, 30, &[30]),
            (CpuRule { seconds: 60, ..KILL }, 100, 59, &[]),
            (CpuRule { seconds: 60, ..KILL }, 100, 60, &[60]),
            (CpuRule { frequency_s: 60, ..KILL }, 100, 60, &[60]),
        ];
        for (rule, cpu, last, fires) in cases {
            let mut machine = ProactiveCpu::new(START, rule, None);
            assert_eq!(fires_at(&mut machine, 0..=last, |_| cpu), fires, "{rule:?} {cpu} % for {last} s");
        }
    }

    #[test]
    fn a_check_below_and_a_gap_begin_anew() {
        let mut machine = ProactiveCpu::new(START, KILL, None);
        assert_eq!(fires_at(&mut machine, 0..=60, |s| if (16..=30).contains(&s) { 10 } else { 100 }), [60]);
        let mut machine = ProactiveCpu::new(START, KILL, None);
        let gap = (0..=20).chain(26..=56);
        assert_eq!(fires_at(&mut machine, gap, |_| 100), [56]);
    }

    #[test]
    fn it_acts_so_often_and_so_long() {
        let mut machine = ProactiveCpu::new(START, KILL, None);
        assert_eq!(fires_at(&mut machine, 0..400, |_| 100), [30, 61]);
        assert_eq!(machine.reading().state, RuleState::ActionsUsed);
        let mut again = ProactiveCpu::new(START, KILL, Some(machine.state()));
        assert_eq!(fires_at(&mut again, 400..800, |_| 100), [0; 0], "remembered");
        let mut other = ProactiveCpu::new(START, CpuRule { actions: 3, ..KILL }, Some(machine.state()));
        assert_eq!(fires_at(&mut other, 400..450, |_| 100), [430], "another rule begins anew");
        let hour = CpuRule { hours: 1, ..KILL };
        let run = |from: u64| fires_at(&mut ProactiveCpu::new(START, hour, None), from..3_700, |_| 100);
        assert_eq!(run(3_569), [3_599]);
        assert_eq!(run(3_570), [0; 0]);
        let mut over = ProactiveCpu::new(START, hour, None);
        assert_eq!(fires_at(&mut over, [3_600], |_| 100), [0; 0]);
        assert_eq!(over.reading().state, RuleState::Expired);
    }

    #[test]
    fn it_tells_what_it_saw() {
        let mut machine = ProactiveCpu::new(START, KILL, None);
        let measured = |mean_percent, busy_ms| {
            let actions_left = 2;
            Measured::ProactiveCpu { settings: KILL, mean_percent, busy_ms, actions_left }
        };
        assert_eq!(machine.reading().seen, measured(None, None).into());
        let seen = Observation { cpu_percent: Some(99), ..Observation::default() };
        let mut observe = |s| machine.observe(START + Duration::from_secs(s), &seen);
        let firing = (0..=30).find_map(&mut observe).unwrap();
        assert_eq!(firing.evidence.seen, measured(Some(99), Some(30_000)).into());
    }

    #[test]
    fn the_ranges_of_the_reference() {
        let fields = |rule: CpuRule| -> Vec<String> { rule.check().into_iter().map(|v| v.field).collect() };
        assert_eq!(fields(KILL), [""; 0]);
        assert_eq!(fields(CpuRule::default()), ["cpu.mode"]);
        let cases = [
            (CpuRule { threshold_percent: 45, ..KILL }, "cpu.threshold_percent"),
            (CpuRule { threshold_percent: 100, ..KILL }, "cpu.threshold_percent"),
            (CpuRule { threshold_percent: 77, ..KILL }, "cpu.threshold_percent"),
            (CpuRule { seconds: 0, ..KILL }, "cpu.seconds"),
            (CpuRule { seconds: 210, ..KILL }, "cpu.seconds"),
            (CpuRule { seconds: 45, ..KILL }, "cpu.seconds"),
            (CpuRule { frequency_s: 75, ..KILL }, "cpu.frequency_s"),
            (CpuRule { frequency_s: 20, ..KILL }, "cpu.frequency_s"),
            (CpuRule { actions: 0, ..KILL }, "cpu.actions"),
            (CpuRule { actions: 6, ..KILL }, "cpu.actions"),
            (CpuRule { hours: 0, ..KILL }, "cpu.hours"),
            (CpuRule { hours: 2_161, ..KILL }, "cpu.hours"),
        ];
        for (rule, field) in cases {
            assert_eq!(fields(rule), [field], "{rule:?}");
        }
        for rule in [
            CpuRule {
                threshold_percent: 50,
                seconds: 180,
                frequency_s: 60,
                actions: 5,
                hours: 2_160,
                ..KILL
            },
            CpuRule { threshold_percent: 95, seconds: 30, frequency_s: 15, actions: 1, hours: 1, ..KILL },
        ] {
            assert_eq!(fields(rule), [""; 0]);
        }
    }
}
