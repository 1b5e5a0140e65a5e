//! Places that the configuration no longer has, with workers of an earlier one: an app was taken out of it, or has fewer
//! instances. Where that happened while no Medic ran, such a worker is asked to end when it is found; where the file was read
//! again, it drains first. It is killed if it does not end, and a crash of it is written down as any other. A place goes with its
//! last worker, and what guards people is kept for the case that it comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auto_heal::Configure;
use crate::crash_monitor::CrashMonitor;
use crate::effect::Effect;
use crate::fleet::Remembered;
use crate::instance;
use crate::instance::{CrashAnalysis, Healing, Instance, Lifecycle};
use model::auto_heal::fuse::FuseState;
use model::auto_heal::limit::Bounds;
use model::auto_heal::{AutoHealConfig, AutoHealState, NotRespondingNumbers};
use model::crash_monitor::{CrashMonitorState, Numbers};
use model::{AppName, Monotonic, Now, Place, WorkerId};

/// Nobody says how long such a worker may take to end: as long as one may whose app says nothing of it.
const LIFECYCLE: Lifecycle = Lifecycle {
    warm_up: Duration::from_secs(30),
    stop_grace: Duration::from_secs(10),
    back_off: Duration::from_secs(30),
};

/// All of them.
pub(super) struct FormerPlaces {
    analysis: CrashAnalysis,
    /// Those that are gone among them: what guards people is kept, and when their last worker was started.
    places: BTreeMap<Place, Instance>,
    fuses: BTreeMap<AppName, FuseState>,
}

impl FormerPlaces {
    pub(super) fn new(analysis: CrashAnalysis) -> Self {
        Self { analysis, places: BTreeMap::new(), fuses: BTreeMap::new() }
    }

    /// The app of these places is configured no more.
    pub(super) fn take_app(
        &mut self,
        now: Now,
        (name, instances, fuse): (AppName, Vec<Instance>, FuseState),
        effects: &mut Vec<Effect>,
    ) {
        self.fuses.insert(name, fuse);
        for place in instances {
            self.take_in(now, place, effects);
        }
    }

    /// The place is configured no more.
    pub(super) fn take_in(&mut self, now: Now, mut place: Instance, effects: &mut Vec<Effect>) {
        run(effects, |effects| place.leave(now, effects));
        self.places.insert(place.key().clone(), place);
    }

    /// The place is configured again; `None` where it is to begin from what was remembered alone.
    pub(super) fn give_back(&mut self, now: Now, key: &Place, remembered: &Remembered) -> Option<Instance> {
        let mut place = self.places.remove(key)?;
        let stored = (remembered.crash_monitors.get(key), remembered.auto_heal.get(key));
        place.recall(now, stored.0, stored.1, &mut Vec::new());
        Some(place)
    }

    /// How the fuse of an app is that is configured again.
    pub(super) fn fuse_of(&mut self, app: &AppName, remembered: &Remembered) -> FuseState {
        let kept = self.fuses.remove(app).or_else(|| remembered.fuses.get(app).cloned());
        kept.unwrap_or_default()
    }

    /// Something happened to a worker of a place that is not configured.
    pub(super) fn step(
        &mut self,
        now: Now,
        worker: &WorkerId,
        input: instance::WorkerEvent,
        effects: &mut Vec<Effect>,
    ) {
        let analysis = self.analysis;
        let place = self.places.entry(worker.place.clone());
        let place = place.or_insert_with_key(|key| stopped_place(now, key, analysis));
        run(effects, |effects| place.step(now, worker, input, effects));
    }

    /// Whatever is due by now.
    pub(super) fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for place in self.places.values_mut().filter(|place| !place.is_gone()) {
            run(effects, |effects| place.tick(now, effects));
        }
    }

    /// Medic stops: what has not ended by then is killed.
    pub(super) fn stop(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for place in self.places.values_mut() {
            run(effects, |effects| place.stop(now, effects));
        }
    }

    pub(super) fn deadline(&self, now: Now) -> Option<Monotonic> {
        self.left().filter_map(|place| place.deadline(now)).min()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.left().all(Instance::is_stopped)
    }

    /// Those that something may still happen to.
    fn left(&self) -> impl Iterator<Item = &Instance> {
        self.places.values().filter(|place| !place.is_gone())
    }
}

/// What is remembered of a place is for the configuration that has it again.
fn run(effects: &mut Vec<Effect>, act: impl FnOnce(&mut Vec<Effect>)) {
    let mut wanted = Vec::new();
    act(&mut wanted);
    let of_place = |effect: &Effect| {
        matches!(effect, Effect::RememberCrashMonitor { .. } | Effect::RememberAutoHeal { .. })
    };
    effects.extend(wanted.into_iter().filter(|effect| !of_place(effect)));
}

fn stopped_place(now: Now, key: &Place, analysis: CrashAnalysis) -> Instance {
    let settings = Configure {
        generation: 0,
        proactive: false,
        user: AutoHealConfig::default(),
        limit: Bounds::default().limit(),
        percent_request_excludes: Vec::new(),
        not_responding: NotRespondingNumbers::default(),
        cpu: None,
    };
    let monitor =
        CrashMonitor::new(now, key.clone(), Numbers::default(), false, CrashMonitorState::default());
    let healing = Healing::new(now, settings, Bounds::default(), &AutoHealState::default());
    let mut place = Instance::new(now, key.clone(), LIFECYCLE, (monitor, healing), analysis);
    let mut nothing_runs_yet = Vec::new();
    place.stop(now, &mut nothing_runs_yet);
    place
}
