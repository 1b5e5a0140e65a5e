//! All instances of all apps of this node behind one surface: `step(now, input, &mut effects)`, `deadline(now)`, `apps(now)`.
//!
//! The server's one loop owns a fleet, feeds it what happens and carries out what it wants. After every step the fleet compares
//! who takes an app's requests, what its front door is to count, and how its fuse is, with what it last said of them, so that no
//! policy has to remember to say so.

mod app;
mod configure;
mod former;
mod recall;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use app::App;
pub use configure::Configuration;
use former::FormerPlaces;
pub use recall::Recalled;

use crate::effect::Effect;
use crate::instance;
use crate::instance::{CrashAnalysis, Instance, Lifecycle};
use model::auto_heal::cpu::CpuRule;
use model::auto_heal::fuse::{FuseNumbers, FuseState};
use model::auto_heal::limit::WorkerSize;
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::restart::RestartReason;
use model::auto_heal::{AutoHealConfig, AutoHealState, NotRespondingNumbers, Observation};
use model::crash_monitor::{CrashMonitorState, Numbers};
use model::settings::AppSettings;
use model::status::{AppHeal, AppStatus};
use model::{AppName, Monotonic, NodeName, Now, Place, WorkerId};

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
    /// Its auto-heal's.
    pub auto_heal: HealSpec,
}

/// What an app's auto-heal goes by, beside the user's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealSpec {
    /// Its workers' size.
    pub worker_size: WorkerSize,
    /// Its own limit of private bytes.
    pub memory_limit_bytes: Option<u64>,
    /// When too many restarts switch the proactive rules off.
    pub fuse: FuseNumbers,
    /// Paths that percent request leaves out, such as long polls.
    pub percent_request_excludes: Vec<PathGlob>,
    /// The rule on workers that answer nobody.
    pub not_responding: NotRespondingNumbers,
    /// Proactive CPU monitoring, where it is set.
    pub cpu: Option<CpuRule>,
}

/// An app, and what people have set for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStart {
    /// As the configuration has it.
    pub spec: AppSpec,
    /// Its settings.
    pub settings: AppSettings,
    /// The user's rules.
    pub rules: AutoHealConfig,
}

/// What was remembered of the last run; what is not there begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Of each instance's crash monitoring.
    pub crash_monitors: BTreeMap<Place, CrashMonitorState>,
    /// Of each instance's auto-heal.
    pub auto_heal: BTreeMap<Place, AutoHealState>,
    /// Of each app's fuse.
    pub fuses: BTreeMap<AppName, FuseState>,
}

/// What the fleet is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// Medic came back, and these workers may have outlived the last one; each will say how it is. To be told before anything
    /// else, and again when `None`, nobody knows who there is, is over.
    Returning {
        /// Who; of any app.
        workers: Option<Vec<WorkerId>>,
    },
    /// Something happened to a worker.
    Worker {
        /// To whom.
        worker: WorkerId,
        input: instance::WorkerEvent,
    },
    /// One second of every worker that takes requests.
    Observed(Vec<(WorkerId, Observation)>),
    /// What came of [`Effect::AskHealth`].
    Health {
        /// Who was asked.
        worker: WorkerId,
        /// It answered in time, whatever the answer.
        answered: bool,
    },
    /// An app's settings changed.
    Settings {
        app: AppName,
        /// All of them.
        settings: AppSettings,
    },
    /// The user's rules for an app changed.
    Rules {
        app: AppName,
        /// All of them.
        rules: Box<AutoHealConfig>,
    },
    /// An app's fuse is to be armed again.
    Rearm {
        app: AppName,
        /// Who asked, such as `alice (uid 1000)`.
        by: Option<String>,
    },
    /// An instance is to be restarted now.
    Restart { place: Place, reason: RestartReason },
    /// These are the apps from now on.
    Configured(Box<Configuration>),
    /// This worker runs what the configuration does not say any more: it is to be replaced, one of an app at a time.
    Outdated { worker: WorkerId },
    /// Something was written down that pages show; no policy is concerned.
    Written,
    /// What was remembered of the last run could only be read now.
    Recalled(Box<Recalled>),
    /// The database was begun anew: everything that is to be remembered is to be said again.
    RememberAll,
    /// Stop everything; a second one hastens it.
    Stop,
}

/// Everything that this node runs.
pub struct Fleet {
    node: NodeName,
    analysis: CrashAnalysis,
    apps: BTreeMap<AppName, App>,
    former: FormerPlaces,
    /// Medic stops.
    stops: bool,
}

impl Fleet {
    /// A fleet without a running worker.
    pub fn new(
        now: Now,
        node: &NodeName,
        apps: Vec<AppStart>,
        remembered: &Remembered,
        analysis: CrashAnalysis,
    ) -> Self {
        let app =
            |start: AppStart| (start.spec.name.clone(), App::new(now, node, start, remembered, analysis));
        let apps = apps.into_iter().map(app).collect();
        Self { node: node.clone(), analysis, apps, former: FormerPlaces::new(analysis), stops: false }
    }

    /// Takes in one event and whatever is due by now.
    pub fn step(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        match input {
            Input::Tick => {
                self.each(|instance| instance.tick(now, effects));
                self.former.tick(now, effects);
            }
            Input::Written => {}
            Input::Recalled(recalled) => self.recall(now, *recalled, effects),
            Input::RememberAll => self.remember_all(effects),
            Input::Returning { workers } => {
                for app in self.apps.values_mut() {
                    app.returning(now, workers.as_deref(), effects);
                }
            }
            Input::Stop => {
                self.stops = true;
                self.each(|instance| instance.stop(now, effects));
                self.former.stop(now, effects);
            }
            Input::Worker { worker, input } => self.worker(now, &worker, input, effects),
            Input::Observed(seen) => {
                for (worker, seen) in seen {
                    if let Some(app) = self.apps.get_mut(&worker.place.app) {
                        app.observe(now, &worker, seen, effects);
                    }
                }
            }
            Input::Health { worker, answered } => {
                self.of(&worker.place.app, |app| app.health(now, &worker, answered, effects));
            }
            Input::Settings { app, settings } => {
                self.of(&app, |app| app.set_settings(now, settings, effects));
            }
            Input::Rules { app, rules } => self.of(&app, |app| app.set_rules(now, *rules)),
            Input::Rearm { app, by } => self.of(&app, |app| app.rearm(now, by, effects)),
            Input::Restart { place, reason } => {
                self.of(&place.app, |app| app.restart(now, place.instance, reason, effects));
            }
            Input::Configured(configuration) => self.configure(now, *configuration, effects),
            Input::Outdated { worker } => {
                self.of(&worker.place.app.clone(), |app| app.replace_in_turn(worker));
            }
        }
        for app in self.apps.values_mut() {
            app.settle(now, effects);
        }
    }

    /// When something is due by time alone.
    pub fn deadline(&self, now: Now) -> Option<Monotonic> {
        let apps = self.apps.values().filter_map(|app| app.deadline(now));
        apps.chain(self.former.deadline(now)).min()
    }

    /// It was told to stop, nothing runs, and nothing is on its way to be written down.
    pub fn is_stopped(&self) -> bool {
        self.stops && self.apps.values().all(App::is_stopped) && self.former.is_stopped()
    }

    /// What is true now, sorted by name.
    pub fn apps(&self, now: Now) -> Vec<AppStatus> {
        self.apps.values().map(|app| app.status(now)).collect()
    }

    /// What auto-heal sees.
    pub fn heal(&self, now: Now) -> BTreeMap<AppName, AppHeal> {
        self.apps.iter().map(|(name, app)| (name.clone(), app.heal(now))).collect()
    }

    fn worker(
        &mut self,
        now: Now,
        worker: &WorkerId,
        input: instance::WorkerEvent,
        effects: &mut Vec<Effect>,
    ) {
        let place = self.apps.get_mut(&worker.place.app).and_then(|app| app.instance(worker.place.instance));
        match place {
            Some(place) => place.step(now, worker, input, effects),
            None => self.former.step(now, worker, input, effects),
        }
    }

    fn of(&mut self, name: &AppName, act: impl FnOnce(&mut App)) {
        if let Some(app) = self.apps.get_mut(name) {
            act(app);
        }
    }

    fn each(&mut self, act: impl FnMut(&mut Instance)) {
        self.apps.values_mut().flat_map(App::instances).for_each(act);
    }
}

#[cfg(test)]
mod tests;
