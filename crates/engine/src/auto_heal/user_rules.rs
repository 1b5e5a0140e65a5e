//! The user's own rules on one instance. Any one condition is enough.
//!
//! ```text
//!             a condition is met                    the worker has run for minProcessExecutionTime
//!  Watching ─────────────────────▶ Met ────────────────────────────────────────────────────────────▶ acts
//!    ▲  ▲                           │ it has not: refused, said once, tried again each second          │
//!    │  └── no longer met ──────────┘                                                                  │
//!    └───────────────────────────── every window is emptied ───────────────────────────────────────────┘
//! ```
//!
//! Each counting condition has a sliding window. Slow requests count while they still run, and once: those that ran when the
//! rule acted were part of that, and do not count again when they end. Private bytes have no window: after acting, the
//! condition rests until they were at or below the threshold, a new worker came, or [`MEMORY_REST`] has passed.

use std::collections::BTreeSet;
use std::time::Duration;

use super::samples::Samples;
use crate::auto_heal::window::Window;
use model::auto_heal::arithmetic::millis;
use model::auto_heal::config::{AutoHealConfig, status_range};
use model::auto_heal::evidence::{Evidence, Firing, Reading, RefusalReason, Rule, Unit};
use model::auto_heal::measured::Measured;
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::watch::{Observation, Tally, Watch};
use model::{Monotonic, Now};

/// Private bytes that stay above the threshold act again after this long. Ours: as long as a short incident.
pub const MEMORY_REST: Duration = Duration::from_mins(5);
/// How far back the evidence of private bytes reaches.
const MEMORY_SHOWN: Duration = Duration::from_mins(2);

/// One condition that counts requests.
#[derive(Clone, Debug)]
pub struct Counting {
    pub rule: Rule,
    /// What the front door counts for it; every request where it is none.
    pub watch: Option<Watch>,
    pub count: u64,
    pub interval: Duration,
}

/// The conditions of `config` that count requests; none while it is switched off. What [`AutoHealConfig::check`] refuses is
/// left out.
pub fn counting(config: &AutoHealConfig) -> Vec<Counting> {
    if !config.enabled {
        return Vec::new();
    }
    let triggers = &config.rules.triggers;
    let mut found = Vec::new();
    let mut add = |rule, watch, count, interval: model::auto_heal::config::TimeSpan| {
        found.push(Counting { rule, watch, count, interval: interval.duration() });
    };
    if let Some(trigger) = &triggers.requests {
        add(Rule::Requests, None, trigger.count, trigger.time_interval);
    }
    let slow = triggers.slow_requests.iter().map(|trigger| (Rule::SlowRequests, trigger));
    let with_path = numbered(&triggers.slow_requests_with_path)
        .map(|(index, trigger)| (Rule::SlowRequestsWithPath { index }, trigger));
    for (rule, trigger) in slow.chain(with_path) {
        let taken = trigger.time_taken.duration();
        if let Some(path) = glob(trigger.path.as_deref()) {
            let watch = Watch { statuses: None, at_least: taken, path, except: Vec::new() };
            add(rule, Some(watch), trigger.count, trigger.time_interval);
        }
    }
    let single = numbered(&triggers.status_codes).filter_map(|(index, code)| {
        let status = u16::try_from(code.status).ok()?;
        let rule = Rule::StatusCode { index };
        Some((rule, status..=status, &code.path, code.count, code.time_interval))
    });
    let range = numbered(&triggers.status_codes_range).filter_map(|(index, range)| {
        let statuses = status_range(&range.status_codes)?;
        let rule = Rule::StatusCodeRange { index };
        Some((rule, statuses, &range.path, range.count, range.time_interval))
    });
    for (rule, statuses, path, count, interval) in single.chain(range) {
        if let Some(path) = glob(path.as_deref()) {
            let watch =
                Watch { statuses: Some(statuses), at_least: Duration::ZERO, path, except: Vec::new() };
            add(rule, Some(watch), count, interval);
        }
    }
    found.retain(|condition| condition.count > 0 && !condition.interval.is_zero());
    found
}

fn numbered<T>(rows: &[T]) -> impl Iterator<Item = (u16, &T)> {
    (0..=u16::MAX).zip(rows)
}

/// `None` for a path that is no pattern, `Some(None)` for no path.
#[expect(clippy::option_option, reason = "no path and a wrong path are different things")]
fn glob(path: Option<&str>) -> Option<Option<PathGlob>> {
    path.map_or(Some(None), |path| path.parse().ok().map(Some))
}

#[derive(Clone, Debug)]
struct Condition {
    is: Counting,
    window: Window,
    running: u64,
    /// How many of those that run were part of an earlier firing.
    spent: u64,
    samples: Samples,
}

impl Condition {
    fn new(is: Counting) -> Self {
        let (window, samples) = (Window::new(is.interval), Samples::new(is.interval));
        Self { is, window, running: 0, spent: 0, samples }
    }

    fn take(&mut self, now: Now, tally: Tally) {
        let paid = self.spent.min(tally.finished);
        self.window.push(now.monotonic, tally.finished - paid);
        self.running = tally.running;
        self.spent = (self.spent - paid).min(self.running);
        self.samples.push(now, self.value());
    }

    fn value(&self) -> u64 {
        self.window.sum().saturating_add(self.running - self.spent)
    }

    fn empty(&mut self) {
        self.window.clear();
        self.samples.clear();
        self.spent = self.running;
    }

    fn measured(&self) -> Measured {
        Measured::Requests {
            counted: self.is.watch.clone(),
            at_least: self.is.count,
            interval: self.is.interval,
            count: self.value(),
            running: self.running - self.spent,
        }
    }

    fn reading(&self) -> Reading {
        let (value, threshold) = (Some(self.value()), self.is.count);
        Reading::new(self.is.rule, self.measured(), value, threshold, Unit::Requests)
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            rule: self.is.rule,
            seen: self.measured().into(),
            threshold: self.is.count,
            unit: Unit::Requests,
            window_ms: millis(self.is.interval),
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        }
    }
}

#[derive(Clone, Debug)]
struct PrivateBytes {
    limit: u64,
    value: Option<u64>,
    rests_until: Option<Monotonic>,
    samples: Samples,
}

impl PrivateBytes {
    fn take(&mut self, now: Now, value: Option<u64>) {
        self.value = value;
        if let Some(value) = value {
            self.samples.push(now, value);
        }
        if value.is_some_and(|value| value <= self.limit)
            || self.rests_until.is_some_and(|until| now.monotonic >= until)
        {
            self.rests_until = None;
        }
    }

    fn is_met(&self) -> bool {
        self.rests_until.is_none() && self.value.is_some_and(|value| value > self.limit)
    }

    const fn measured(&self) -> Measured {
        Measured::PrivateBytes { threshold_bytes: self.limit, bytes: self.value }
    }

    fn reading(&self) -> Reading {
        Reading::new(Rule::PrivateBytes, self.measured(), self.value, self.limit, Unit::Bytes)
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            rule: Rule::PrivateBytes,
            seen: self.measured().into(),
            threshold: self.limit,
            unit: Unit::Bytes,
            window_ms: 0,
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        }
    }
}

/// The rules, on one instance.
#[derive(Clone, Debug)]
pub struct UserRules {
    conditions: Vec<Condition>,
    memory: Option<PrivateBytes>,
    minimum: Duration,
    refused: BTreeSet<Rule>,
}

impl UserRules {
    /// What `config` sets; nothing while it is switched off.
    pub fn new(config: &AutoHealConfig) -> Self {
        let kb = config.rules.triggers.private_bytes_kib.filter(|_| config.enabled);
        let memory = kb.map(|kb| PrivateBytes {
            limit: kb.saturating_mul(1_024),
            value: None,
            rests_until: None,
            samples: Samples::new(MEMORY_SHOWN),
        });
        Self {
            conditions: counting(config).into_iter().map(Condition::new).collect(),
            memory,
            minimum: config.rules.actions.min_process_execution_time.duration(),
            refused: BTreeSet::new(),
        }
    }

    /// What the front door is to count for them.
    pub fn watches(&self) -> Vec<Watch> {
        self.conditions.iter().filter_map(|condition| condition.is.watch.clone()).collect()
    }

    /// Takes in one second; `counted` is what [`UserRules::watches`] counted, in their order, where it is known.
    pub fn observe(&mut self, now: Now, seen: &Observation, counted: Option<&[Tally]>) -> Option<Firing> {
        if let Some(counted) = counted {
            let mut counted = counted.iter().copied();
            for condition in &mut self.conditions {
                let total = Tally { running: 0, ..seen.tallies.total };
                let own = condition.is.watch.as_ref().map(|_| counted.next().unwrap_or_default());
                condition.take(now, own.unwrap_or(total));
            }
        }
        if let Some(memory) = &mut self.memory {
            memory.take(now, seen.private_bytes);
        }
        self.decide(now, seen.uptime)
    }

    /// A new worker: begins anew.
    pub fn clear(&mut self) {
        for condition in &mut self.conditions {
            condition.empty();
            (condition.running, condition.spent) = (0, 0);
        }
        if let Some(memory) = &mut self.memory {
            (memory.value, memory.rests_until) = (None, None);
            memory.samples.clear();
        }
        self.refused.clear();
    }

    /// The present value of each condition beside its threshold.
    pub fn readings(&self) -> Vec<Reading> {
        let memory = self.memory.as_ref().map(PrivateBytes::reading);
        memory.into_iter().chain(self.conditions.iter().map(Condition::reading)).collect()
    }

    fn decide(&mut self, now: Now, uptime: Duration) -> Option<Firing> {
        let memory = self.memory.as_ref().filter(|memory| memory.is_met()).map(PrivateBytes::evidence);
        let met = self.conditions.iter().filter(|condition| condition.value() >= condition.is.count);
        let mut met: Vec<Evidence> = memory.into_iter().chain(met.map(Condition::evidence)).collect();
        self.refused.retain(|rule| met.iter().any(|evidence| evidence.rule == *rule));
        if uptime < self.minimum {
            let first = met.iter().position(|evidence| !self.refused.contains(&evidence.rule))?;
            let evidence = self.with_siblings(met.swap_remove(first));
            self.refused.insert(evidence.rule);
            let remaining_ms = millis(self.minimum.saturating_sub(uptime)).max(1);
            return Some(Firing {
                evidence,
                refused: Some(RefusalReason::MinimumProcessTime { remaining_ms }),
            });
        }
        let evidence = met.into_iter().next()?;
        let evidence = self.with_siblings(evidence);
        for condition in &mut self.conditions {
            condition.empty();
        }
        if let Some(memory) = self.memory.as_mut().filter(|memory| memory.is_met()) {
            memory.rests_until = Some(now.monotonic + MEMORY_REST);
        }
        self.refused.clear();
        Some(Firing { evidence, refused: None })
    }

    fn with_siblings(&self, mut evidence: Evidence) -> Evidence {
        evidence.not_fired = self.readings();
        evidence.not_fired.retain(|reading| reading.rule != evidence.rule);
        evidence
    }
}

#[cfg(test)]
mod tests;
