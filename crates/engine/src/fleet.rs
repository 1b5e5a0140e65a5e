//! All instances of all apps of this node behind one surface: `step(now, input, &mut effects)`, `deadline()`, `apps(now)`.
//!
//! The server's one loop owns a fleet, feeds it what happens and carries out what it wants. After every step the fleet compares
//! who takes an app's requests with what it last told the front door, so that no policy has to remember to say so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crash_monitor::{CrashMonitor, Guard, Numbers};
use crate::effect::Effect;
use crate::instance::{self, Instance, Lifecycle, NameIncident};
use crate::settings::{AUTO_HEAL_ENABLED, AppSettings, CRASH_MONITORING_ENABLED};
use crate::status::{AppStatus, Health, InstanceState, InstanceStatus};
use crate::{AppName, InstanceKey, Timestamp, WorkerId};

/// One app, as the configuration has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppSpec {
    /// Its name.
    pub name: AppName,
    /// The address of its front door, for the pages.
    pub listen: String,
    /// How many places it has on this node.
    pub instances: u16,
    /// Its numbers.
    pub lifecycle: Lifecycle,
    /// Its crash monitoring's numbers.
    pub crash_monitoring: Numbers,
}

/// What the fleet is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Something happened to a worker.
    Worker {
        /// To whom.
        worker: WorkerId,
        /// What.
        input: instance::Input,
    },
    /// An app's settings changed.
    Settings {
        /// Whose.
        app: AppName,
        /// All of them.
        settings: AppSettings,
    },
    /// Stop everything; a second one hastens it.
    Stop,
}

struct App {
    spec: AppSpec,
    settings: AppSettings,
    instances: Vec<Instance>,
    routed: Option<Vec<WorkerId>>,
}

/// Everything that this node runs.
pub struct Fleet {
    apps: BTreeMap<AppName, App>,
}

impl Fleet {
    /// A fleet without a running worker. `guards` is what was remembered; what is not found begins anew.
    pub fn new(
        now: Timestamp,
        node: &str,
        specs: Vec<(AppSpec, AppSettings)>,
        guards: &BTreeMap<InstanceKey, Guard>,
        name_incident: NameIncident,
    ) -> Self {
        let app = |(spec, settings): (AppSpec, AppSettings)| {
            let enabled = settings.is_enabled(CRASH_MONITORING_ENABLED);
            let place = |index| {
                let key = InstanceKey { app: spec.name.clone(), index };
                let guard = guards.get(&key).cloned().unwrap_or_default();
                let monitor = CrashMonitor::new(key.clone(), spec.crash_monitoring, enabled, guard);
                Instance::new(now, node, monitor, key, spec.lifecycle, name_incident)
            };
            let instances = (0..spec.instances).map(place).collect();
            (spec.name.clone(), App { instances, settings, spec, routed: None })
        };
        Self { apps: specs.into_iter().map(app).collect() }
    }

    /// Takes in one event and whatever is due by now.
    pub fn step(&mut self, now: Timestamp, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Tick => self.each(|instance| instance.tick(now, effects)),
            Input::Stop => self.each(|instance| instance.stop(now, effects)),
            Input::Worker { worker, input } => self.worker(now, &worker, input, effects),
            Input::Settings { app, settings } => self.configure(now, &app, settings, effects),
        }
        self.route(effects);
    }

    /// When something is due by time alone.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.instances().filter_map(Instance::deadline).min()
    }

    /// Nothing runs and nothing is on its way to be written down.
    pub fn is_stopped(&self) -> bool {
        self.instances().all(Instance::is_stopped)
    }

    /// What is true now, sorted by name.
    pub fn apps(&self, now: Timestamp) -> Vec<AppStatus> {
        self.apps.values().map(|app| app.status(now)).collect()
    }

    fn worker(
        &mut self,
        now: Timestamp,
        worker: &WorkerId,
        input: instance::Input,
        effects: &mut Vec<Effect>,
    ) {
        let place = self
            .apps
            .get_mut(&worker.instance.app)
            .and_then(|app| app.instances.get_mut(usize::from(worker.instance.index)));
        match (place, input) {
            (Some(place), input) => place.step(now, worker, input, effects),
            // A worker of an app or a place that the configuration no longer has: it is asked to end and forgotten.
            (None, instance::Input::Started { .. }) => {
                effects.push(Effect::Signal { worker: worker.clone(), signal: crate::Signal::TERM });
            }
            (None, instance::Input::Ended { .. }) => {
                effects.push(Effect::Acknowledge { worker: worker.clone() });
            }
            (None, _) => {}
        }
    }

    fn configure(
        &mut self,
        now: Timestamp,
        name: &AppName,
        settings: AppSettings,
        effects: &mut Vec<Effect>,
    ) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let enabled = settings.is_enabled(CRASH_MONITORING_ENABLED);
        for instance in &mut app.instances {
            instance.configure(now, app.spec.crash_monitoring, enabled, effects);
        }
        app.settings = settings;
    }

    fn route(&mut self, effects: &mut Vec<Effect>) {
        for (name, app) in &mut self.apps {
            let takers: Vec<WorkerId> = app.instances.iter().filter_map(Instance::taker).cloned().collect();
            if app.routed.as_ref() != Some(&takers) {
                app.routed = Some(takers.clone());
                effects.push(Effect::Route { app: name.clone(), workers: takers });
            }
        }
    }

    fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.apps.values().flat_map(|app| &app.instances)
    }

    fn each(&mut self, act: impl FnMut(&mut Instance)) {
        self.apps.values_mut().flat_map(|app| &mut app.instances).for_each(act);
    }
}

impl App {
    fn status(&self, now: Timestamp) -> AppStatus {
        let instances: Vec<InstanceStatus> =
            self.instances.iter().map(|instance| instance.status(now)).collect();
        AppStatus {
            name: self.spec.name.clone(),
            health: health(&instances),
            listen: self.spec.listen.clone(),
            instances,
            crash_monitoring_enabled: self.settings.is_enabled(CRASH_MONITORING_ENABLED),
            auto_heal_enabled: self.settings.is_enabled(AUTO_HEAL_ENABLED),
        }
    }
}

fn health(instances: &[InstanceStatus]) -> Health {
    let running = instances.iter().filter(|instance| instance.state == InstanceState::Running).count();
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
