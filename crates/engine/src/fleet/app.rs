//! One app of the fleet: its places, and what they share: the fuse, the user's rules, the turn in which they are replaced.

use std::collections::VecDeque;

use crate::auto_heal::{Configure, Fuse};
use crate::crash_monitor::CrashMonitor;
use crate::effect::Effect;
use crate::instance::{CrashAnalysis, Healing, Instance, Order};
use model::auto_heal::fuse::FuseState;
use model::auto_heal::limit::Bounds;
use model::auto_heal::restart::RestartReason;
use model::auto_heal::{AutoHealConfig, Observation};
use model::change::{Change, Changed};
use model::crash_monitor::Numbers;
use model::settings::{AppSettings, Setting};
use model::status::{AppHeal, AppStatus, Health, InstanceState, InstanceStatus};
use model::{AppName, Monotonic, NodeName, Now, Place, WorkerId};

use crate::fleet::former::FormerPlaces;
use crate::fleet::{AppSpec, AppStart, Remembered};

pub(super) struct App {
    node: NodeName,
    analysis: CrashAnalysis,
    spec: AppSpec,
    settings: AppSettings,
    rules: AutoHealConfig,
    generation: u64,
    fuse: Fuse,
    instances: Vec<Instance>,
    /// Workers that run what the configuration does not say any more, the next to be replaced first.
    outdated: VecDeque<WorkerId>,
    said: Said,
}

/// What was last said of it.
#[derive(Default)]
struct Said {
    routed: Option<Vec<WorkerId>>,
    watched: Option<u64>,
    fuse: FuseState,
}

impl App {
    pub(super) fn new(
        now: Now,
        node: &NodeName,
        start: AppStart,
        remembered: &Remembered,
        analysis: CrashAnalysis,
    ) -> Self {
        let fuse = remembered.fuses.get(&start.spec.name).cloned().unwrap_or_default();
        let mut app = Self::without_places(node, start, fuse, analysis);
        app.instances =
            (0..app.spec.instances).map(|instance| app.place(now, instance, remembered)).collect();
        app
    }

    /// One that has none before it is configured.
    pub(super) fn without_places(
        node: &NodeName,
        start: AppStart,
        fuse: FuseState,
        analysis: CrashAnalysis,
    ) -> Self {
        let AppStart { spec, settings, rules } = start;
        Self {
            node: node.clone(),
            analysis,
            fuse: Fuse::new(spec.auto_heal.fuse, fuse.clone()),
            instances: Vec::new(),
            generation: 1,
            outdated: VecDeque::new(),
            said: Said { fuse, ..Said::default() },
            spec,
            settings,
            rules,
        }
    }

    fn place(&self, now: Now, instance: u16, remembered: &Remembered) -> Instance {
        let key = self.key(instance);
        let enabled = self.settings.is_enabled(Setting::CrashMonitoring);
        let state = remembered.crash_monitors.get(&key).cloned().unwrap_or_default();
        let monitor = CrashMonitor::new(now, key.clone(), self.numbers(), enabled, state);
        let state = remembered.auto_heal.get(&key).cloned().unwrap_or_default();
        let healing = Healing::new(now, self.configure_rules(), self.bounds(), &state);
        Instance::new(now, key, self.spec.lifecycle, (monitor, healing), self.analysis)
    }

    fn key(&self, instance: u16) -> Place {
        Place { node: self.node.clone(), app: self.spec.name.clone(), instance }
    }

    /// What was remembered came late: it is added to what was counted meanwhile.
    pub(super) fn recall(&mut self, now: Now, remembered: &Remembered, effects: &mut Vec<Effect>) {
        if let Some(state) = remembered.fuses.get(&self.spec.name) {
            self.fuse.recall(now, state);
        }
        for place in &mut self.instances {
            let key = place.key().clone();
            place.recall(now, remembered.crash_monitors.get(&key), remembered.auto_heal.get(&key), effects);
        }
    }

    /// Says again everything that is to be remembered.
    pub(super) fn remember_all(&mut self, effects: &mut Vec<Effect>) {
        self.said.fuse = self.fuse.state().clone();
        effects.push(Effect::RememberFuse { app: self.spec.name.clone(), state: self.said.fuse.clone() });
        self.instances.iter().for_each(|place| place.remember_all(effects));
    }

    pub(super) fn instance(&mut self, index: u16) -> Option<&mut Instance> {
        self.instances.get_mut(usize::from(index))
    }

    pub(super) fn instances(&mut self) -> impl Iterator<Item = &mut Instance> {
        self.instances.iter_mut()
    }

    pub(super) fn returning(&mut self, now: Now, workers: Option<&[WorkerId]>, effects: &mut Vec<Effect>) {
        for place in &mut self.instances {
            let here = place.key();
            let of_place = |workers: &[WorkerId]| {
                workers.iter().filter(|worker| worker.place == *here).cloned().collect()
            };
            let workers = workers.map(of_place);
            place.returning(now, workers, effects);
        }
    }

    pub(super) fn observe(
        &mut self,
        now: Now,
        worker: &WorkerId,
        seen: Observation,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(place) = self.instances.get_mut(usize::from(worker.place.instance)) {
            place.observe(now, worker, seen, &mut self.fuse, effects);
        }
    }

    pub(super) fn health(&mut self, now: Now, worker: &WorkerId, answered: bool, effects: &mut Vec<Effect>) {
        if let Some(place) = self.instances.get_mut(usize::from(worker.place.instance)) {
            place.health(now, worker, answered, &mut self.fuse, effects);
        }
    }

    pub(super) fn set_settings(&mut self, now: Now, settings: AppSettings, effects: &mut Vec<Effect>) {
        self.settings = settings;
        self.configure_all(now, effects);
    }

    pub(super) fn set_rules(&mut self, now: Now, rules: AutoHealConfig) {
        self.rules = rules;
        self.configure_all(now, &mut Vec::new());
    }

    /// It is as it is configured now: its numbers at once, places that it has no more are left, and new ones begin. One that comes
    /// back while its worker is not gone yet goes on with that.
    pub(super) fn configure(
        &mut self,
        now: Now,
        start: AppStart,
        (former, remembered): (&mut FormerPlaces, &Remembered),
        effects: &mut Vec<Effect>,
    ) {
        let AppStart { spec, settings, rules } = start;
        (self.spec, self.settings, self.rules) = (spec, settings, rules);
        self.fuse.configure(self.spec.auto_heal.fuse);
        let stay = self.instances.len().min(usize::from(self.spec.instances));
        for surplus in self.instances.split_off(stay) {
            former.take_in(now, surplus, effects);
        }
        let added = u16::try_from(stay).unwrap_or(u16::MAX)..self.spec.instances;
        for instance in added {
            let place = former
                .give_back(now, &self.key(instance), remembered)
                .unwrap_or_else(|| self.place(now, instance, remembered));
            self.instances.push(place);
        }
        self.instances.iter_mut().for_each(|instance| instance.set_lifecycle(self.spec.lifecycle));
        self.configure_all(now, effects);
        let (old, new) = self.instances.split_at_mut(stay);
        for instance in old {
            instance.try_now(now);
        }
        for instance in new {
            instance.come_back(now, effects);
        }
    }

    /// Its places and its fuse, for whoever keeps them when it is configured no more.
    pub(super) fn into_parts(self) -> (AppName, Vec<Instance>, FuseState) {
        (self.spec.name, self.instances, self.fuse.state().clone())
    }

    pub(super) fn rearm(&mut self, now: Now, by: Option<String>, effects: &mut Vec<Effect>) {
        let what = Changed::Resumed { was_paused: self.fuse.rearm() };
        let (app, node) = (self.spec.name.clone(), self.node.clone());
        effects.push(Effect::RecordChange(Box::new(Change { app, node, at: now.wall, by, what })));
    }

    /// A restart that cannot be begun now was refused before it came here; one that lost the race is left out.
    pub(super) fn restart(&mut self, now: Now, index: u16, reason: RestartReason, effects: &mut Vec<Effect>) {
        if let Some(place) = self.instance(index) {
            let _false_if_under_way = place.restart(now, Order { at: now, reason, evidence: None }, effects);
        }
    }

    pub(super) fn replace_in_turn(&mut self, worker: WorkerId) {
        if !self.outdated.contains(&worker) {
            self.outdated.push_back(worker);
        }
    }

    /// What follows from the step that was just done.
    pub(super) fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.fuse.tick(now);
        self.replace_next(now, effects);
        self.say_watches(effects);
        self.say_route(effects);
        if *self.fuse.state() != self.said.fuse {
            self.said.fuse = self.fuse.state().clone();
            let (app, state) = (self.spec.name.clone(), self.said.fuse.clone());
            effects.push(Effect::RememberFuse { app, state });
        }
    }

    pub(super) fn deadline(&self, now: Now) -> Option<Monotonic> {
        let instances = self.instances.iter().filter_map(|instance| instance.deadline(now));
        instances.chain(self.fuse.deadline(now)).min()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.instances.iter().all(Instance::is_stopped)
    }

    pub(super) fn heal(&self, now: Now) -> AppHeal {
        let instances =
            self.instances.iter().map(|instance| instance.healing_status(now, &self.fuse)).collect();
        AppHeal { fuse: self.fuse.status(now), instances }
    }

    pub(super) fn status(&self, now: Now) -> AppStatus {
        let instances: Vec<InstanceStatus> =
            self.instances.iter().map(|instance| instance.status(now)).collect();
        AppStatus {
            name: self.spec.name.clone(),
            health: health(&instances),
            listen: self.spec.listen.clone(),
            not_listening: None,
            instances,
            crash_monitoring_enabled: self.settings.is_enabled(Setting::CrashMonitoring),
            auto_heal_enabled: self.settings.is_enabled(Setting::AutoHeal),
        }
    }

    fn configure_all(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.generation += 1;
        let (configure, bounds) = (self.configure_rules(), self.bounds());
        let (numbers, enabled) = (self.numbers(), self.settings.is_enabled(Setting::CrashMonitoring));
        for instance in &mut self.instances {
            instance.configure(now, numbers, enabled, effects);
            instance.configure_healing(now, configure.clone(), bounds);
        }
    }

    fn numbers(&self) -> Numbers {
        self.settings.crash_monitoring(self.spec.crash_monitoring)
    }

    fn configure_rules(&self) -> Configure {
        Configure {
            generation: self.generation,
            proactive: self.settings.is_enabled(Setting::AutoHeal),
            user: self.rules.clone(),
            limit: self.bounds().limit(),
            percent_request_excludes: self.spec.auto_heal.percent_request_excludes.clone(),
            not_responding: self.spec.auto_heal.not_responding,
            cpu: self.spec.auto_heal.cpu,
        }
    }

    fn bounds(&self) -> Bounds {
        let spec = &self.spec.auto_heal;
        let (worker_size, memory_limit) = (spec.worker_size, spec.memory_limit_bytes);
        Bounds { worker_size, memory_limit, ..Bounds::default() }
    }

    /// Those that take requests one at a time, so that an app never has more than one worker too many. A worker stays in the list
    /// until its turn comes or another has its place, whatever becomes of it meanwhile.
    fn replace_next(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let Self { outdated, instances, .. } = self;
        outdated.retain(|worker| {
            let Some(place) = instances.get_mut(usize::from(worker.place.instance)) else { return false };
            let is_here = place.worker() == Some(worker) || place.is_successor(worker);
            is_here && !place.renew(now, worker, effects)
        });
        if self.instances.iter().any(Instance::is_restarting) {
            return;
        }
        let takes = |worker: &&WorkerId| {
            let place = self.instances.get(usize::from(worker.place.instance));
            place.is_some_and(|place| place.ready_worker() == Some(*worker))
        };
        // if it fails, the worker stays until it is compared again
        if let Some(next) = self.outdated.iter().position(|worker| takes(&worker)) {
            let index = self.outdated.remove(next).map_or(0, |worker| worker.place.instance);
            self.restart(now, index, RestartReason::ConfigurationChanged, effects);
        }
    }

    /// Every list of watches has its own number, and the rules know the number of theirs: while that stays, so does the list.
    fn say_watches(&mut self, effects: &mut Vec<Effect>) {
        let generation = self.generation;
        if self.said.watched != Some(generation)
            && let Some(instance) = self.instances.first()
        {
            self.said.watched = Some(generation);
            let (app, watches) = (self.spec.name.clone(), instance.watches());
            effects.push(Effect::Watch { app, generation, watches });
        }
    }

    /// A worker is only asked to say when it is drained after the front door knows that it takes no more.
    fn say_route(&mut self, effects: &mut Vec<Effect>) {
        let ready: Vec<WorkerId> =
            self.instances.iter().filter_map(Instance::ready_worker).cloned().collect();
        if self.said.routed.as_ref() != Some(&ready) {
            self.said.routed = Some(ready.clone());
            let route = Effect::Route { app: self.spec.name.clone(), workers: ready };
            let drain = effects.iter().position(|effect| matches!(effect, Effect::Drain { .. }));
            effects.insert(drain.unwrap_or(effects.len()), route);
        }
    }
}

fn health(instances: &[InstanceStatus]) -> Health {
    let answers =
        |instance: &&InstanceStatus| instance.state == InstanceState::Running && !instance.not_responding;
    let running = instances.iter().filter(answers).count();
    let stopped = instances
        .iter()
        .filter(|instance| matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping))
        .count();
    match running {
        n if n == instances.len() => Health::Healthy,
        0 if stopped == instances.len() => Health::Stopped,
        0 => Health::Down,
        _ => Health::Degraded,
    }
}
