//! Auto-heal of one instance: every rule over one stream of observations, and at most one restart at a time.
//!
//! ```text
//!              a rule acts by a restart            the new worker serves
//!  Watching ───────────────────────────▶ Restarting ─────────────────────▶ Watching, every window empty
//!     │ ▲                                    │
//!     │ └──── it failed, the old one stays ──┘
//!     └▶ a rule that only logs or runs something: decided, and it goes on watching
//! ```
//!
//! The user's rules come first, then percent memory, percent request, not responding and CPU. A proactive restart is paid from the app's fuse;
//! where that is blown the rule is refused, once for each time it blew. Decisions are data; whoever carries them out answers a
//! restart by `Restarted` or `RestartFailed` and a probe by `Probed`, and tells `Restarting` for one that was begun for another
//! reason.

use model::auto_heal::{AutoHealState, HealStatus, LastHeal};
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::auto_heal::cpu::ProactiveCpu;
use crate::auto_heal::decision::{Decision, Heal};
use crate::auto_heal::fuse::Fuse;
use crate::auto_heal::not_responding::NotResponding;
use crate::auto_heal::percent_memory::PercentMemory;
use crate::auto_heal::percent_request::PercentRequest;
use crate::auto_heal::priority::{Silence, silence};
use crate::auto_heal::user_rules::UserRules;
use model::auto_heal::action::{Action, Refusal};
use model::auto_heal::config::{ActionType, AutoHealConfig};
use model::auto_heal::cpu::{CpuRule, CpuState};
use model::auto_heal::evidence::{Evidence, Firing, Reading, RefusalReason, Rule, RuleState, Seen};
use model::auto_heal::fuse::FuseStatus;
use model::auto_heal::limit::MemoryLimit;
use model::auto_heal::not_responding::NotRespondingNumbers;
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::watch::{Observation, Watch};
use model::{Now, Timestamp};

/// The settings of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    /// A number of its own for each list of watches: another one whenever the rules changed.
    pub generation: u64,
    /// The app did not opt out of proactive auto-heal.
    pub proactive: bool,
    /// The user's rules.
    pub user: AutoHealConfig,
    /// The worker's memory limit.
    pub limit: MemoryLimit,
    /// Paths that percent request leaves out.
    pub percent_request_excludes: Vec<PathGlob>,
    /// The rule on workers that answer nobody.
    pub not_responding: NotRespondingNumbers,
    /// Proactive CPU monitoring, where it is set.
    pub cpu: Option<CpuRule>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealInput {
    /// One second of the worker that takes requests.
    Observed(Observation),
    /// What came of asking the worker for its health path.
    Probed {
        /// It answered in time, whatever the answer.
        answered: bool,
    },
    /// The settings changed.
    Configure(Box<Configure>),
    /// A restart has begun that was not decided here.
    Restarting,
    /// A new worker takes the requests, for whatever reason.
    Restarted,
    /// The new worker did not come up; the old one stays.
    RestartFailed,
}

/// Auto-heal of one instance.
#[derive(Clone, Debug)]
pub struct AutoHeal {
    settings: Configure,
    silence: Silence,
    user: UserRules,
    memory: PercentMemory,
    requests: PercentRequest,
    not_responding: NotResponding,
    cpu: Option<ProactiveCpu>,
    restarting: bool,
    refused_by_fuse: BTreeSet<Rule>,
    last: Option<LastHeal>,
}

impl AutoHeal {
    /// Auto-heal that goes on from `state`.
    pub fn new(now: Now, settings: Configure, state: &AutoHealState) -> Self {
        Self {
            silence: silence(&settings.user),
            user: UserRules::new(&settings.user),
            memory: PercentMemory::new(settings.limit),
            requests: PercentRequest::default(),
            not_responding: NotResponding::new(settings.not_responding),
            cpu: settings.cpu.map(|rule| ProactiveCpu::new(now, rule, state.cpu)),
            restarting: false,
            refused_by_fuse: BTreeSet::new(),
            last: state.last,
            settings,
        }
    }

    /// What the front door is to count, in the order that the tallies have.
    pub fn watches(&self) -> Vec<Watch> {
        let own = PercentRequest::watches(&self.settings.percent_request_excludes);
        own.into_iter().chain(self.user.watches()).collect()
    }

    /// Takes in one event.
    pub fn step(&mut self, now: Now, input: HealInput, fuse: &mut Fuse, decisions: &mut Vec<Decision>) {
        match input {
            HealInput::Observed(seen) if !self.restarting => self.observed(now, &seen, fuse, decisions),
            HealInput::Probed { answered } if !self.restarting => self.probed(now, answered, fuse, decisions),
            HealInput::Observed(_) | HealInput::Probed { .. } => {}
            HealInput::Configure(settings) => self.configure(now, *settings),
            HealInput::Restarting => self.restarting(),
            HealInput::Restarted => self.restarted(),
            HealInput::RestartFailed => self.restart_failed(),
        }
    }

    /// A restart has begun, for whatever reason.
    pub const fn restarting(&mut self) {
        self.restarting = true;
    }

    /// A new worker takes the requests, for whatever reason.
    pub fn restarted(&mut self) {
        self.restarting = false;
        self.clear();
    }

    /// The new worker did not come up; the old one stays.
    pub const fn restart_failed(&mut self) {
        self.restarting = false;
    }

    /// The restart that was decided last cannot be begun: nothing was done, and the rule begins anew.
    pub fn not_begun(&mut self, now: Now, before: &AutoHealState) {
        self.restarting = false;
        self.last = before.last;
        if let (Some(rule), Some(cpu)) = (self.settings.cpu, before.cpu) {
            self.cpu = Some(ProactiveCpu::new(now, rule, Some(cpu)));
        }
    }

    /// Adds what was remembered of an earlier run to what this one has done: the latest counts, and CPU monitoring goes on.
    pub fn recall(&mut self, now: Now, earlier: &AutoHealState) {
        if let (Some(rule), Some(cpu)) = (self.settings.cpu, earlier.cpu) {
            let acted = self.cpu.as_ref().map_or(0, |cpu| cpu.state().acted);
            let state = CpuState { acted: cpu.acted.saturating_add(acted), ..cpu };
            self.cpu = Some(ProactiveCpu::new(now, rule, Some(state)));
        }
        self.last = [self.last, earlier.last].into_iter().flatten().max_by_key(|last| last.at);
    }

    /// What is to be remembered.
    pub fn state(&self) -> AutoHealState {
        AutoHealState { cpu: self.cpu.as_ref().map(ProactiveCpu::state), last: self.last }
    }

    /// How it stands.
    pub fn status(&self, now: Now, fuse: &Fuse) -> HealStatus {
        HealStatus {
            restarting: self.restarting,
            limit: self.settings.limit,
            readings: self.readings(now, fuse),
            last: self.last,
        }
    }

    fn observed(&mut self, now: Now, seen: &Observation, fuse: &mut Fuse, decisions: &mut Vec<Decision>) {
        self.look_at(now, fuse);
        let tallies = &seen.tallies;
        let counted =
            tallies.of_watch.split_first_chunk().filter(|_| tallies.generation == self.settings.generation);
        let user = self.user.observe(now, seen, counted.map(|(_, rest)| rest));
        let (memory_looks, requests_look) = self.proactive_looks();
        let memory = if memory_looks { self.memory.observe(now, seen) } else { None };
        let requests =
            counted.filter(|_| requests_look).and_then(|(own, _)| self.requests.observe(now, seen, *own));
        let firings: Vec<Firing> = [user, memory, requests].into_iter().flatten().collect();
        for firing in &firings {
            if !self.restarting {
                let firing = self.with_others(now, firing, &firings, fuse);
                self.decide(now, firing, fuse, decisions);
            }
        }
        // Only now: an action of its own that another restart swallowed would be lost.
        let cpu = self.cpu.as_mut().filter(|_| !self.restarting).and_then(|cpu| cpu.observe(now, seen));
        if let Some(firing) = cpu {
            let firing = self.with_others(now, &firing, &[], fuse);
            self.decide(now, firing, fuse, decisions);
        }
        // The second in which a restart was decided is the old worker's last.
        if self.restarting {
            return;
        }
        let is_on = self.watches_responses();
        let within = self.not_responding.observe(now, seen, is_on);
        decisions.extend(within.map(|within| Decision::Probe { within }));
    }

    fn probed(&mut self, now: Now, answered: bool, fuse: &mut Fuse, decisions: &mut Vec<Decision>) {
        self.look_at(now, fuse);
        if let Some(firing) = self.not_responding.probed(now, answered) {
            let firing = self.with_others(now, &firing, &[], fuse);
            self.decide(now, firing, fuse, decisions);
        }
    }

    fn look_at(&mut self, now: Now, fuse: &mut Fuse) {
        fuse.tick(now);
        if matches!(fuse.status(now), FuseStatus::Armed { .. }) {
            self.refused_by_fuse.clear();
        }
    }

    fn decide(&mut self, now: Now, firing: Firing, fuse: &mut Fuse, decisions: &mut Vec<Decision>) {
        let Firing { evidence, refused } = firing;
        let rule = evidence.rule;
        if let Some(refused) = refused {
            decisions.push(Decision::Refuse(Refusal { at: now.wall, rule, refused, evidence }));
            return;
        }
        let spent = if rule.is_proactive() { fuse.spend(now) } else { Ok(false) };
        match spent {
            Ok(blew_fuse) => {
                let action = self.action(rule);
                self.restarting = action.restarts();
                self.last = Some(LastHeal { rule, at: now.wall });
                decisions.push(Decision::Heal(Heal { at: now.wall, rule, action, evidence, blew_fuse }));
            }
            Err(blown) => {
                if self.refused_by_fuse.insert(rule) {
                    let refused = RefusalReason::FuseBlown { until: blown.until };
                    decisions.push(Decision::Refuse(Refusal { at: now.wall, rule, refused, evidence }));
                }
            }
        }
    }

    fn action(&self, rule: Rule) -> Action {
        let actions = &self.settings.user.rules.actions;
        match rule {
            Rule::PercentMemory | Rule::PercentRequest | Rule::NotResponding => Action::Recycle,
            Rule::ProactiveCpu => Action::Cpu(self.settings.cpu.unwrap_or_default().mode),
            _ => match actions.action_type {
                ActionType::Recycle => Action::Recycle,
                ActionType::LogEvent => Action::LogEvent,
                ActionType::CustomAction => {
                    Action::CustomAction(actions.custom_action.clone().unwrap_or_default())
                }
            },
        }
    }

    /// Adds what every other rule sees. One that was broken in the same second has begun anew already: its evidence tells.
    fn with_others(&self, now: Now, firing: &Firing, all: &[Firing], fuse: &Fuse) -> Firing {
        let mut firing = firing.clone();
        let own = std::mem::take(&mut firing.evidence.not_fired);
        let readings = self.readings(now, fuse).into_iter();
        let told = |rule: Rule| {
            let sibling = own.iter().find(|reading| reading.rule == rule).cloned();
            let broken = all.iter().map(|other| &other.evidence).find(|evidence| evidence.rule == rule);
            sibling.or_else(|| broken.and_then(fired_too))
        };
        let mine = firing.evidence.rule;
        firing.evidence.not_fired = readings
            .filter(|reading| reading.rule != mine)
            .map(|reading| told(reading.rule).unwrap_or(reading))
            .collect();
        firing
    }

    fn readings(&self, now: Now, fuse: &Fuse) -> Vec<Reading> {
        let off = |reading: Reading, silent: Option<Rule>| {
            if !self.settings.proactive {
                return reading.in_state(RuleState::OptedOut);
            }
            if let Some(by) = silent {
                return reading.in_state(RuleState::Overridden { by });
            }
            if let FuseStatus::Blown { until, .. } = fuse.status(now) {
                return Reading { state: RuleState::Paused { until }, ..reading };
            }
            reading
        };
        let not_responding = if self.settings.not_responding.enabled {
            off(self.not_responding.reading(), None)
        } else {
            self.not_responding.reading().in_state(RuleState::SwitchedOff)
        };
        let mut readings = vec![
            off(self.memory.reading(), self.silence.percent_memory),
            off(self.requests.reading(), self.silence.percent_request),
            not_responding,
        ];
        readings.extend(self.cpu.as_ref().map(ProactiveCpu::reading));
        readings.extend(self.user.readings());
        readings
    }

    fn proactive_looks(&self) -> (bool, bool) {
        let Configure { proactive, .. } = self.settings;
        (
            proactive && self.silence.percent_memory.is_none(),
            proactive && self.silence.percent_request.is_none(),
        )
    }

    fn watches_responses(&self) -> bool {
        self.settings.proactive && self.settings.not_responding.enabled
    }

    /// The worker sends no byte to anybody, and did not answer when it was asked.
    pub const fn is_unanswered(&self) -> bool {
        self.not_responding.is_unanswered()
    }

    /// When the last byte came of a worker that does not respond.
    pub const fn unanswered_since(&self) -> Option<Timestamp> {
        self.not_responding.unanswered_since()
    }

    /// Requests that wait for a first byte, and those that were given up on since the last one.
    pub const fn unanswered_requests(&self) -> (u64, u64) {
        self.not_responding.unanswered_requests()
    }

    /// The limit is another now; the other settings stay.
    pub fn set_limit(&mut self, limit: MemoryLimit) {
        self.settings.limit = limit;
        self.memory.set_limit(limit);
    }

    /// The settings changed; what did not change keeps its windows.
    pub fn configure(&mut self, now: Now, settings: Configure) {
        if settings.user != self.settings.user {
            self.user = UserRules::new(&settings.user);
            self.silence = silence(&settings.user);
        }
        self.memory.set_limit(settings.limit);
        if settings.cpu != self.settings.cpu {
            self.cpu = settings.cpu.map(|rule| ProactiveCpu::new(now, rule, None));
        }
        if settings.percent_request_excludes != self.settings.percent_request_excludes {
            self.requests.clear();
        }
        self.settings = settings;
        let (memory_looks, requests_look) = self.proactive_looks();
        if !memory_looks {
            self.memory.clear();
        }
        if !requests_look {
            self.requests.clear();
        }
        self.not_responding.configure(self.settings.not_responding);
        if !self.watches_responses() {
            self.not_responding.clear();
        }
    }

    fn clear(&mut self) {
        self.user.clear();
        self.memory.clear();
        self.requests.clear();
        self.not_responding.clear();
        if let Some(cpu) = &mut self.cpu {
            cpu.clear();
        }
    }
}

fn fired_too(evidence: &Evidence) -> Option<Reading> {
    let Seen::Measured { measured } = &evidence.seen else { return None };
    let value = evidence.samples.last().map(|sample| sample.value);
    let reading = Reading::new(evidence.rule, measured.clone(), value, evidence.threshold, evidence.unit);
    Some(Reading { fired_too: true, ..reading })
}

#[cfg(test)]
mod tests;
