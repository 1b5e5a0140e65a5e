//! Places that the configuration no longer has, with workers of an earlier one: an app was taken out of it, or has fewer
//! instances, while no Medic ran. Such a worker is asked to end, killed if it does not, and a crash of it is written down as any
//! other. A place goes with its last worker.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::auto_heal::Configure;
use crate::crash_monitor::CrashMonitor;
use crate::effect::Effect;
use crate::instance;
use crate::instance::{CrashAnalysis, Healing, Instance, Lifecycle};
use model::auto_heal::limit::Bounds;
use model::auto_heal::{AutoHealConfig, AutoHealState, NotRespondingNumbers};
use model::crash_monitor::{CrashMonitorState, Numbers};
use model::{Monotonic, Now, Place, WorkerId};

/// Nobody says how long such a worker may take to end: as long as one may whose app says nothing of it.
const LIFECYCLE: Lifecycle = Lifecycle {
    warm_up: Duration::from_secs(30),
    stop_grace: Duration::from_secs(10),
    back_off: Duration::from_secs(30),
};

/// All of them.
pub(super) struct FormerPlaces {
    analysis: CrashAnalysis,
    places: BTreeMap<Place, Instance>,
}

impl FormerPlaces {
    pub(super) fn new(analysis: CrashAnalysis) -> Self {
        Self { analysis, places: BTreeMap::new() }
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
        let place = self
            .places
            .entry(worker.place.clone())
            .or_insert_with_key(|key| stopped_place(now, key, analysis));
        run(effects, |effects| place.step(now, worker, input, effects));
        self.places.retain(|_, place| !place.is_gone());
    }

    /// Whatever is due by now.
    pub(super) fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        for place in self.places.values_mut() {
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
        self.places.values().filter_map(|place| place.deadline(now)).min()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.places.values().all(Instance::is_stopped)
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
