//! Auto-heal at work on one instance: what it sees is the worker that takes requests, what it decides becomes effects.

use std::time::Duration;

use crate::auto_heal::samples::Samples;
use crate::auto_heal::{AutoHeal, Configure, Decision, Fuse, Heal, HealInput};
use crate::effect::Effect;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::evidence::{RefusalReason, Sample};
use model::auto_heal::limit::Bounds;
use model::auto_heal::restart::RestartReason;
use model::auto_heal::{Action, AutoHealState, Observation, Refusal, Watch};
use model::crash_monitor::CrashMonitorState;
use model::status::InstanceHeal;
use model::streams::OpenStreams;
use model::{Now, Place, WorkerId};

use crate::instance::{Instance, Order, WorkerLimits};

/// How much of its memory's past a worker takes with it when the kernel kills it for want of memory.
const MEMORY_KEPT: Duration = Duration::from_mins(10);

/// Auto-heal of one instance, and what it needs to be told.
#[derive(Clone, Debug)]
pub struct Healing {
    pub(super) rules: AutoHeal,
    bounds: Bounds,
    refused: Option<Refusal>,
    memory: Option<(WorkerId, Samples)>,
    open: OpenStreams,
}

impl Healing {
    /// Auto-heal that goes on from `state`. The settings' limit is taken from `bounds`.
    pub fn new(now: Now, settings: Configure, bounds: Bounds, state: &AutoHealState) -> Self {
        let settings = Configure { limit: bounds.limit(), ..settings };
        let rules = AutoHeal::new(now, settings, state);
        Self { rules, bounds, refused: None, memory: None, open: OpenStreams::default() }
    }

    /// The private bytes of `worker` over its last minutes, oldest first.
    pub(super) fn memory(&self, worker: &WorkerId) -> Vec<Sample> {
        self.memory.as_ref().filter(|(of, _)| of == worker).map(|(_, seen)| seen.to_vec()).unwrap_or_default()
    }

    fn remember(&mut self, now: Now, worker: &WorkerId, private_bytes: Option<u64>) {
        if self.memory.as_ref().is_none_or(|(of, _)| of != worker) {
            self.memory = Some((worker.clone(), Samples::new(MEMORY_KEPT)));
        }
        if let (Some((_, samples)), Some(bytes)) = (&mut self.memory, private_bytes) {
            samples.push(now, bytes);
        }
    }
}

impl Instance {
    /// Takes in one second of `worker`; only the one that takes requests is looked at.
    pub fn observe(
        &mut self,
        now: Now,
        worker: &WorkerId,
        seen: Observation,
        fuse: &mut Fuse,
        effects: &mut Vec<Effect>,
    ) {
        if self.ready_worker() != Some(worker) {
            return;
        }
        let seen = Observation { uptime: self.uptime(now), ..seen };
        self.healing.remember(now, worker, seen.private_bytes);
        self.healing.open = seen.tallies.open;
        self.tell_rules(now, worker, HealInput::Observed(seen), fuse, effects);
    }

    /// Takes in whether `worker` answered when it was asked for its health path.
    pub fn health(
        &mut self,
        now: Now,
        worker: &WorkerId,
        answered: bool,
        fuse: &mut Fuse,
        effects: &mut Vec<Effect>,
    ) {
        if self.ready_worker() == Some(worker) {
            self.tell_rules(now, worker, HealInput::Probed { answered }, fuse, effects);
        }
    }

    /// The rules or the numbers changed; what did not change keeps its windows.
    pub fn configure_healing(&mut self, now: Now, settings: Configure, bounds: Bounds) {
        let Bounds { worker_size, memory_limit, .. } = bounds;
        self.healing.bounds = Bounds { worker_size, memory_limit, ..self.healing.bounds };
        let limit = self.healing.bounds.limit();
        self.healing.rules.configure(now, Configure { limit, ..settings });
    }

    /// What guards this place was remembered and comes late.
    pub fn recall(
        &mut self,
        now: Now,
        state: Option<&CrashMonitorState>,
        heal: Option<&AutoHealState>,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(state) = state {
            self.monitor.recall(now, state, effects);
            self.last_start = self.last_start.max(self.monitor.last_start());
        }
        if let Some(heal) = heal {
            self.healing.rules.recall(now, heal);
        }
    }

    /// Says again what is to be remembered of this place.
    pub fn remember_all(&self, effects: &mut Vec<Effect>) {
        let place = &self.key;
        effects
            .push(Effect::RememberCrashMonitor { place: place.clone(), state: self.monitor.state().clone() });
        effects.push(Effect::RememberAutoHeal { place: place.clone(), state: self.healing.rules.state() });
    }

    /// Which place it is.
    pub const fn key(&self) -> &Place {
        &self.key
    }

    /// What the front door is to count for its rules.
    pub fn watches(&self) -> Vec<Watch> {
        self.healing.rules.watches()
    }

    /// What auto-heal sees.
    pub fn healing_status(&self, now: Now, fuse: &Fuse) -> InstanceHeal {
        let Healing { rules, refused, open, .. } = &self.healing;
        let open = if self.ready_worker().is_some() { *open } else { OpenStreams::default() };
        let (waiting, given_up) = rules.unanswered_requests();
        InstanceHeal {
            index: self.key.instance,
            status: rules.status(now, fuse),
            refused: refused.clone(),
            waiting,
            given_up,
            open,
        }
    }

    pub(super) fn set_limits(&mut self, worker: &WorkerId, limits: WorkerLimits) {
        if self.holds(worker) {
            let WorkerLimits { bitness, cgroup_limit_bytes } = limits;
            self.healing.bounds = Bounds { bitness, cgroup: cgroup_limit_bytes, ..self.healing.bounds };
            self.healing.rules.set_limit(self.healing.bounds.limit());
        }
    }

    fn tell_rules(
        &mut self,
        now: Now,
        worker: &WorkerId,
        input: HealInput,
        fuse: &mut Fuse,
        effects: &mut Vec<Effect>,
    ) {
        let (before, mut decisions) = (self.healing.rules.state(), Vec::new());
        let (can_restart, unspent) = (self.can_restart(), fuse.clone());
        self.healing.rules.step(now, input, fuse, &mut decisions);
        for decision in decisions {
            match decision {
                Decision::Heal(heal) if heal.action.restarts() && !can_restart => {
                    // What is not done costs nothing.
                    fuse.clone_from(&unspent);
                    self.healing.rules.not_begun(now, &before);
                    let Heal { at, rule, evidence, .. } = heal;
                    let refused = RefusalReason::RestartUnderWay;
                    self.refuse(worker, Refusal { at, rule, refused, evidence }, effects);
                }
                Decision::Heal(heal) => self.heal(now, worker, heal, effects),
                Decision::Refuse(refusal) => self.refuse(worker, refusal, effects),
                Decision::Probe { within } => {
                    effects.push(Effect::AskHealth { worker: worker.clone(), within });
                }
            }
        }
        let state = self.healing.rules.state();
        if state != before {
            effects.push(Effect::RememberAutoHeal { place: self.key.clone(), state });
        }
    }

    fn heal(&mut self, now: Now, worker: &WorkerId, heal: Heal, effects: &mut Vec<Effect>) {
        let Heal { at, rule, action, evidence, blew_fuse } = heal;
        match action {
            Action::Recycle | Action::Cpu(_) if action.restarts() => {
                let reason = RestartReason::Rule { rule, blew_fuse };
                let order = Order { at: now, reason, evidence: Some(evidence) };
                if !self.restart(now, order, effects) {
                    self.healing.rules.restart_failed();
                }
            }
            Action::CustomAction(action) => {
                let (worker, evidence) = (worker.clone(), Box::new(evidence));
                effects.push(Effect::RunAction { worker, at, action, evidence });
            }
            _ => {
                let event = HealEvent { worker: worker.clone(), at, evidence, what: EventKind::Logged };
                effects.push(Effect::RecordEvent(Box::new(event)));
            }
        }
    }

    fn refuse(&mut self, worker: &WorkerId, refusal: Refusal, effects: &mut Vec<Effect>) {
        let Refusal { at, evidence, refused, .. } = refusal.clone();
        self.healing.refused = Some(refusal);
        let event = HealEvent { worker: worker.clone(), at, evidence, what: EventKind::Refused { refused } };
        effects.push(Effect::RecordEvent(Box::new(event)));
    }
}
