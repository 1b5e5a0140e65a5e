//! A machine that does what the fleet wants, and looks at each step that nobody is started twice or left behind.

use std::collections::BTreeSet;

use super::*;
use crate::instance::WorkerEvent;
use model::{CrashCause, CrashId};

/// What a worker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Ordered,
    Starting,
    Running,
    /// It takes nothing new.
    Draining,
    /// It was asked to end.
    Asked,
    /// The debugger holds it at its fatal signal.
    Dying,
    Ended,
}

impl Life {
    /// It is there to stay. One that was only ordered may have been given up meanwhile, and hears so when it is there.
    fn stays(self) -> bool {
        matches!(self, Self::Starting | Self::Running)
    }
}

/// Does what the fleet wants, each thing when it is told to.
pub(super) struct Machine {
    pub(super) fleet: Fleet,
    pub(super) now: Now,
    pub(super) workers: BTreeMap<WorkerId, Life>,
    configured: BTreeMap<AppName, u16>,
    routed: BTreeMap<AppName, Vec<WorkerId>>,
    pub(super) recorded: Vec<CrashId>,
    pub(super) crashed: BTreeSet<WorkerId>,
    pub(super) acknowledged: BTreeSet<WorkerId>,
    pub(super) restarts: Vec<Restart>,
}

pub(super) fn named(name: &str) -> AppName {
    name.parse().unwrap()
}

fn start(name: &AppName, instances: u16) -> AppStart {
    let spec = AppSpec { name: name.clone(), instances, ..spec() };
    AppStart { spec, settings: AppSettings::default(), rules: AutoHealConfig::default() }
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            fleet: Fleet::new(START, &node(), Vec::new(), &Remembered::default(), ANALYSIS),
            now: START,
            workers: BTreeMap::new(),
            configured: BTreeMap::new(),
            routed: BTreeMap::new(),
            recorded: Vec::new(),
            crashed: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            restarts: Vec::new(),
        }
    }

    /// The same with these apps and their numbers of instances, all of them running.
    pub(super) fn running(apps: &[(&str, u16)]) -> Self {
        let mut machine = Self::new();
        machine.configure(apps);
        machine.settle();
        machine
    }

    pub(super) fn configure(&mut self, apps: &[(&str, u16)]) {
        let wanted = apps.iter().map(|(name, instances)| (named(name), *instances)).collect();
        self.configure_to(wanted);
    }

    pub(super) fn configure_to(&mut self, wanted: BTreeMap<AppName, u16>) {
        let apps = wanted.iter().map(|(name, instances)| start(name, *instances)).collect();
        self.configured = wanted;
        self.routed.retain(|app, _| self.configured.contains_key(app));
        let remembered = Remembered::default();
        self.tell(Input::Configured(Box::new(Configuration { apps, remembered })));
    }

    pub(super) fn tell(&mut self, input: Input) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            let mut effects = Vec::new();
            for input in inputs.drain(..) {
                self.fleet.step(self.now, input, &mut effects);
            }
            for effect in effects {
                self.carry_out(effect, &mut inputs);
            }
        }
        self.check();
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut Vec<Input>) {
        match effect {
            Effect::Start { worker, .. } => {
                let instances = self.configured.get(&worker.place.app).copied().unwrap_or(0);
                assert!(worker.place.instance < instances, "{worker} is started for nobody");
                assert_eq!(self.workers.insert(worker, Life::Ordered), None, "started twice");
            }
            Effect::Signal { worker, .. } => self.ask(&worker, Life::Asked),
            Effect::Drain { worker } => {
                let routed = self.routed.get(&worker.place.app);
                assert!(
                    routed.is_none_or(|routed| !routed.contains(&worker)),
                    "{worker} still gets requests"
                );
                self.ask(&worker, Life::Draining);
            }
            Effect::Route { app, workers } => {
                let instances = *self.configured.get(&app).expect("a route of an app that is configured");
                for worker in &workers {
                    assert!(worker.place.instance < instances);
                    let life = self.workers.get_mut(worker).unwrap();
                    assert!(matches!(life, Life::Running | Life::Draining), "{worker} is {life:?}");
                    *life = Life::Running;
                }
                self.routed.insert(app, workers);
            }
            Effect::Record(crash) => {
                assert!(!self.recorded.contains(&crash.id()), "recorded twice");
                self.recorded.push(crash.id());
                inputs.push(Input::Worker { worker: crash.worker, input: WorkerEvent::Recorded });
            }
            Effect::RecordRestart(restart) => self.restarts.push(*restart),
            Effect::Acknowledge { worker } => {
                assert_eq!(self.workers.get(&worker), Some(&Life::Ended));
                self.acknowledged.insert(worker);
            }
            _ => {}
        }
    }

    fn ask(&mut self, worker: &WorkerId, to: Life) {
        match self.workers.get_mut(worker) {
            Some(life) if !matches!(life, Life::Ended | Life::Dying) => *life = to,
            _ => {}
        }
    }

    fn check(&self) {
        let mut stay = BTreeMap::<&Place, u32>::new();
        for (worker, _) in self.workers.iter().filter(|(_, life)| life.stays()) {
            *stay.entry(&worker.place).or_default() += 1;
        }
        for (place, count) in stay {
            let instances = self.configured.get(&place.app).copied().unwrap_or(0);
            let most = if place.instance < instances { 2 } else { 0 };
            assert!(count <= most, "{place} has {count} workers: {:?}", self.alive());
        }
    }

    pub(super) fn say(&mut self, worker: &WorkerId, input: WorkerEvent) {
        self.tell(Input::Worker { worker: worker.clone(), input });
    }

    /// The next thing that this worker can do, does it.
    pub(super) fn go_on(&mut self, worker: &WorkerId) {
        match self.workers[worker] {
            Life::Ordered => {
                self.workers.insert(worker.clone(), Life::Starting);
                self.say(worker, WorkerEvent::Started { pid: 7, port: 1, armed: false });
            }
            Life::Starting => {
                self.workers.insert(worker.clone(), Life::Running);
                self.say(worker, WorkerEvent::Listening);
            }
            Life::Draining => self.say(worker, WorkerEvent::Drained),
            Life::Asked => self.end(worker, Ending::Asked),
            Life::Dying => self.end(worker, Ending::Crash(CrashCause::Signal)),
            Life::Running | Life::Ended => {}
        }
    }

    pub(super) fn fatal(&mut self, worker: &WorkerId) {
        if matches!(self.workers[worker], Life::Ordered | Life::Dying | Life::Ended) {
            return;
        }
        self.workers.insert(worker.clone(), Life::Dying);
        let affected = AffectedRequests::default();
        let fatal = WorkerEvent::Fatal { pid: 7, signal: Signal(11), at: self.now.wall, affected };
        self.say(worker, fatal);
    }

    pub(super) fn crash(&mut self, worker: &WorkerId) {
        if !matches!(self.workers[worker], Life::Ordered | Life::Ended) {
            self.end(worker, Ending::Crash(CrashCause::Signal));
        }
    }

    fn end(&mut self, worker: &WorkerId, ending: Ending) {
        self.workers.insert(worker.clone(), Life::Ended);
        let (exit, at, affected) = (Exit::Signal(Signal(11)), self.now.wall, AffectedRequests::default());
        let ended = WorkerEvent::Ended { pid: 7, exit, ending, at, uptime: SECOND, affected, fault: None };
        self.say(worker, ended);
        if let Ending::Crash(cause) = ending {
            self.crashed.insert(worker.clone());
            let findings = Box::new((ANALYSIS.without_shim)(cause, exit));
            self.say(worker, WorkerEvent::Analysed { findings, audit: None });
        }
    }

    pub(super) fn start_failed(&mut self, worker: &WorkerId) {
        if matches!(self.workers[worker], Life::Ordered | Life::Asked) {
            self.workers.remove(worker);
            self.say(worker, WorkerEvent::StartFailed { reason: "no port".to_owned() });
        }
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tell(Input::Tick);
    }

    pub(super) fn alive(&self) -> Vec<WorkerId> {
        let alive = self.workers.iter().filter(|(_, life)| **life != Life::Ended);
        alive.map(|(worker, _)| worker.clone()).collect()
    }

    fn is_settled(&self) -> bool {
        let places: usize = self.configured.values().map(|instances| usize::from(*instances)).sum();
        let routed: usize = self.routed.values().map(Vec::len).sum();
        routed == places && self.alive().len() == places
    }

    /// Everybody does what is to be done, and time passes, until all that is configured runs and nothing else does.
    pub(super) fn settle(&mut self) {
        for _ in 0..200 {
            // ordered, started, warm; or dying, drained, ended
            for worker in [self.alive(), self.alive(), self.alive()].concat() {
                self.go_on(&worker);
            }
            for worker in self.alive() {
                self.go_on(&worker);
            }
            if self.is_settled() {
                return;
            }
            let due = self.fleet.deadline(self.now).map(|due| due.since(self.now.monotonic));
            self.wait(due.unwrap_or(SECOND).clamp(Duration::from_millis(1), 60 * SECOND));
        }
        panic!("not settled: {:?}, {:?}", self.configured, self.alive());
    }

    pub(super) fn routed(&self, app: &str) -> Vec<WorkerId> {
        self.routed.get(&named(app)).cloned().unwrap_or_default()
    }

    pub(super) fn life(&self, worker: &WorkerId) -> Life {
        self.workers[worker]
    }
}
