//! The configuration is read again: tables of what becomes of each app and instance, and any run of configurations, crashes, ends
//! and delays, in which nobody is started twice, left behind or forgotten.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::instance::WorkerEvent;
use model::auto_heal::restart::{RestartFailure, RestartOutcome};
use model::{CrashCause, CrashId};

/// What a worker does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
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

/// A machine that does what the fleet wants, each thing when it is told to.
struct Machine {
    fleet: Fleet,
    now: Now,
    workers: BTreeMap<WorkerId, Life>,
    configured: BTreeMap<AppName, u16>,
    routed: BTreeMap<AppName, Vec<WorkerId>>,
    recorded: Vec<CrashId>,
    crashed: BTreeSet<WorkerId>,
    acknowledged: BTreeSet<WorkerId>,
    restarts: Vec<Restart>,
}

fn named(name: &str) -> AppName {
    name.parse().unwrap()
}

fn start(name: &AppName, instances: u16) -> AppStart {
    let spec = AppSpec { name: name.clone(), instances, ..spec() };
    AppStart { spec, settings: AppSettings::default(), rules: AutoHealConfig::default() }
}

impl Machine {
    fn new() -> Self {
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
    fn running(apps: &[(&str, u16)]) -> Self {
        let mut machine = Self::new();
        machine.configure(apps);
        machine.settle();
        machine
    }

    fn configure(&mut self, apps: &[(&str, u16)]) {
        let wanted = apps.iter().map(|(name, instances)| (named(name), *instances)).collect();
        self.configure_to(wanted);
    }

    fn configure_to(&mut self, wanted: BTreeMap<AppName, u16>) {
        let apps = wanted.iter().map(|(name, instances)| start(name, *instances)).collect();
        self.configured = wanted;
        self.routed.retain(|app, _| self.configured.contains_key(app));
        let remembered = Remembered::default();
        self.tell(Input::Configured(Box::new(Configuration { apps, remembered })));
    }

    fn tell(&mut self, input: Input) {
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

    fn say(&mut self, worker: &WorkerId, input: WorkerEvent) {
        self.tell(Input::Worker { worker: worker.clone(), input });
    }

    /// The next thing that this worker can do, does it.
    fn go_on(&mut self, worker: &WorkerId) {
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

    fn fatal(&mut self, worker: &WorkerId) {
        if matches!(self.workers[worker], Life::Ordered | Life::Dying | Life::Ended) {
            return;
        }
        self.workers.insert(worker.clone(), Life::Dying);
        let affected = AffectedRequests::default();
        let fatal = WorkerEvent::Fatal { pid: 7, signal: Signal(11), at: self.now.wall, affected };
        self.say(worker, fatal);
    }

    fn crash(&mut self, worker: &WorkerId) {
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

    fn start_failed(&mut self, worker: &WorkerId) {
        if matches!(self.workers[worker], Life::Ordered | Life::Asked) {
            self.workers.remove(worker);
            self.say(worker, WorkerEvent::StartFailed { reason: "no port".to_owned() });
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
        self.tell(Input::Tick);
    }

    fn alive(&self) -> Vec<WorkerId> {
        let alive = self.workers.iter().filter(|(_, life)| **life != Life::Ended);
        alive.map(|(worker, _)| worker.clone()).collect()
    }

    fn is_settled(&self) -> bool {
        let places: usize = self.configured.values().map(|instances| usize::from(*instances)).sum();
        let routed: usize = self.routed.values().map(Vec::len).sum();
        routed == places && self.alive().len() == places
    }

    /// Everybody does what is to be done, and time passes, until all that is configured runs and nothing else does.
    fn settle(&mut self) {
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

    fn routed(&self, app: &str) -> Vec<WorkerId> {
        self.routed.get(&named(app)).cloned().unwrap_or_default()
    }

    fn life(&self, worker: &WorkerId) -> Life {
        self.workers[worker]
    }
}

#[test]
fn an_app_that_is_added_starts_and_the_others_are_not_disturbed() {
    let mut machine = Machine::running(&[("shop", 2)]);
    let before = machine.routed("shop");
    machine.configure(&[("shop", 2), ("till", 1)]);
    machine.settle();
    assert_eq!((machine.routed("shop"), machine.routed("till").len()), (before, 1));
    assert_eq!(machine.workers.len(), 3, "nobody else was started");
    let names: Vec<AppName> = machine.fleet.apps(machine.now).into_iter().map(|app| app.name).collect();
    assert_eq!(names, [named("shop"), named("till")]);
}

#[test]
fn an_app_that_is_removed_drains_and_ends_and_nothing_is_left() {
    let mut machine = Machine::running(&[("shop", 1), ("till", 2)]);
    let (shop, till) = (machine.routed("shop"), machine.routed("till"));
    machine.configure(&[("shop", 1)]);
    assert!(till.iter().all(|worker| machine.life(worker) == Life::Draining));
    assert_eq!(machine.fleet.apps(machine.now).len(), 1, "it is an unknown app at once");
    machine.go_on(&till[0]);
    assert_eq!(machine.life(&till[0]), Life::Asked);
    machine.wait(10 * SECOND);
    assert_eq!(machine.life(&till[1]), Life::Asked, "the grace is over");
    machine.settle();
    assert_eq!(machine.routed("shop"), shop);
    assert!(till.iter().all(|worker| machine.acknowledged.contains(worker)));
}

#[test]
fn the_number_of_instances_follows() {
    let mut machine = Machine::running(&[("shop", 2)]);
    let before = machine.routed("shop");
    machine.configure(&[("shop", 4)]);
    machine.settle();
    let more = machine.routed("shop");
    assert_eq!((&more[..2], more.len()), (&before[..], 4));
    machine.configure(&[("shop", 1)]);
    assert_eq!(machine.routed("shop"), before[..1], "the surplus gets nothing new");
    assert!(more[1..].iter().all(|worker| machine.life(worker) == Life::Draining));
    machine.settle();
    assert_eq!(machine.routed("shop"), before[..1]);
}

#[test]
fn what_comes_back_before_its_worker_was_asked_to_end_goes_on_with_it() {
    let mut machine = Machine::running(&[("shop", 2)]);
    let before = machine.routed("shop");
    machine.configure(&[]);
    machine.configure(&[("shop", 2)]);
    assert_eq!((machine.routed("shop"), machine.workers.len()), (before.clone(), 2));
    machine.say(&before[0], WorkerEvent::Drained);
    assert_eq!(machine.life(&before[0]), Life::Running, "what was asked for then is void");
    machine.wait(60 * SECOND);
    assert_eq!(machine.routed("shop"), before);
}

#[test]
fn what_comes_back_later_has_a_new_worker_at_once_beside_the_one_that_ends() {
    let mut machine = Machine::running(&[("shop", 1)]);
    let old = machine.routed("shop").remove(0);
    machine.configure(&[]);
    machine.go_on(&old);
    assert_eq!(machine.life(&old), Life::Asked);
    machine.configure(&[("shop", 1)]);
    assert_eq!(machine.alive().len(), 2);
    machine.settle();
    assert_ne!(machine.routed("shop"), [old]);
}

#[test]
fn one_that_starts_is_asked_to_end_at_once_and_one_that_could_not_start_is_given_up() {
    for fails in [false, true] {
        let mut machine = Machine::new();
        machine.configure(&[("shop", 1)]);
        let worker = machine.alive().remove(0);
        machine.configure(&[]);
        assert_eq!(machine.life(&worker), Life::Asked);
        if fails {
            machine.start_failed(&worker);
        }
        machine.settle();
        assert_eq!(machine.fleet.deadline(machine.now), None);
    }
}

#[test]
fn a_restart_that_is_under_way_is_given_up_and_recorded_so() {
    let mut machine = Machine::running(&[("shop", 1)]);
    let old = machine.routed("shop").remove(0);
    machine.tell(Input::Restart { place: old.place.clone(), reason: RestartReason::ByHand { by: None } });
    let new = machine.alive().into_iter().find(|worker| *worker != old).unwrap();
    machine.go_on(&new);
    machine.configure(&[]);
    assert_eq!((machine.life(&old), machine.life(&new)), (Life::Draining, Life::Asked));
    machine.settle();
    let outcome = RestartOutcome::Failed { why: RestartFailure::InstanceRemoved };
    assert_eq!(machine.restarts.iter().map(|restart| &restart.outcome).collect::<Vec<_>>(), [&outcome]);
}

#[test]
fn a_crash_while_it_drains_is_recorded_and_the_dying_worker_is_not_taken_back() {
    let mut machine = Machine::running(&[("shop", 1)]);
    let worker = machine.routed("shop").remove(0);
    machine.configure(&[]);
    machine.fatal(&worker);
    machine.configure(&[("shop", 1)]);
    assert!(machine.routed("shop").is_empty());
    machine.settle();
    assert_eq!((machine.recorded.len(), machine.acknowledged.contains(&worker)), (1, true));
}

#[test]
fn what_guards_people_is_there_again_with_the_app() {
    let mut machine = Machine::running(&[("shop", 1)]);
    for _ in 0..3 {
        let worker = machine.routed("shop").remove(0);
        machine.crash(&worker);
        machine.settle();
    }
    let crashes = |machine: &Machine| {
        let recent = machine.fleet.apps(machine.now)[0].instances[0].recent_crashes;
        recent.map_or(0, |recent| recent.count)
    };
    assert_eq!(crashes(&machine), 3);
    machine.configure(&[]);
    machine.settle();
    machine.configure(&[("shop", 1)]);
    assert_eq!(crashes(&machine), 3, "it was not a way to forget them");
}

#[test]
fn a_medic_that_stops_takes_no_new_configuration_and_one_without_apps_does_not_stop() {
    let mut machine = Machine::running(&[("shop", 1)]);
    machine.configure(&[]);
    machine.settle();
    assert!(!machine.fleet.is_stopped());
    machine.tell(Input::Stop);
    assert!(machine.fleet.is_stopped());
    machine.configure(&[("shop", 1)]);
    assert!(machine.alive().is_empty() && machine.fleet.is_stopped());
}

/// What may happen next. Numbers choose among the workers that are there.
#[derive(Clone, Copy, Debug)]
enum Event {
    Configure([u16; 3]),
    GoOn(usize),
    Fatal(usize),
    Crash(usize),
    StartFailed(usize),
    Restart(usize),
    Outdated(usize),
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let who = || 0..64_usize;
    let event = prop_oneof![
        3 => proptest::array::uniform3(0..4_u16).prop_map(Event::Configure),
        12 => who().prop_map(Event::GoOn),
        1 => who().prop_map(Event::Fatal),
        1 => who().prop_map(Event::Crash),
        1 => who().prop_map(Event::StartFailed),
        2 => who().prop_map(Event::Restart),
        2 => who().prop_map(Event::Outdated),
        3 => (1..20_000_u64).prop_map(Event::Wait),
    ];
    proptest::collection::vec(event, 1..80)
}

fn happens(machine: &mut Machine, event: Event) {
    let alive = machine.alive();
    let chosen = |number: usize| number.checked_rem(alive.len()).map(|index| alive[index].clone());
    match event {
        Event::Configure(instances) => {
            let apps = ["one", "two", "three"].into_iter().zip(instances);
            let apps = apps.filter(|(_, instances)| *instances > 0);
            machine.configure_to(apps.map(|(name, instances)| (named(name), instances)).collect());
        }
        Event::GoOn(who) => drop(chosen(who).map(|worker| machine.go_on(&worker))),
        Event::Fatal(who) => drop(chosen(who).map(|worker| machine.fatal(&worker))),
        Event::Crash(who) => drop(chosen(who).map(|worker| machine.crash(&worker))),
        Event::StartFailed(who) => drop(chosen(who).map(|worker| machine.start_failed(&worker))),
        Event::Restart(who) => {
            if let Some(worker) = chosen(who) {
                let reason = RestartReason::ByHand { by: None };
                machine.tell(Input::Restart { place: worker.place, reason });
            }
        }
        Event::Outdated(who) => drop(chosen(who).map(|worker| machine.tell(Input::Outdated { worker }))),
        Event::Wait(ms) => machine.wait(Duration::from_millis(ms)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_run_of_configurations_ends_with_what_is_configured_and_nothing_else(events in events()) {
        let mut machine = Machine::running(&[("one", 2)]);
        for event in events {
            happens(&mut machine, event);
        }
        machine.settle();
        machine.configure(&[]);
        machine.settle();
        let recorded: BTreeSet<WorkerId> = machine.recorded.iter().map(|crash| crash.worker.clone()).collect();
        prop_assert_eq!(&recorded, &machine.crashed, "each crash is recorded");
        let ended: BTreeSet<WorkerId> = machine.workers.keys().cloned().collect();
        prop_assert_eq!(ended, machine.acknowledged.clone(), "each shim may go");
        machine.tell(Input::Stop);
        prop_assert!(machine.fleet.is_stopped());
    }
}
