use std::time::Duration;

use super::*;
use model::auto_heal::event::EventKind;
use model::auto_heal::fuse::FuseStatus;
use model::auto_heal::restart::Restart;
use model::auto_heal::{Rule, Tallies, Unanswered};
use model::change::Changed;
use model::crash::{AffectedRequests, Findings, Runtime, Thread};
use model::settings::Setting;
use model::status::Health;
use model::{Ending, Exit, Signal, Timestamp};

mod configure;
mod not_responding;

const START: Now = Now::START;
const SECOND: Duration = Duration::from_secs(1);
const MB: u64 = 1 << 20;

const ANALYSIS: CrashAnalysis = CrashAnalysis {
    name_incident: |_, _| "0123456789abcdef".parse().unwrap(),
    without_shim: |_, exit| Findings {
        signature: exit.type_name(),
        exception_type: exit.type_name(),
        runtime: Runtime::Native,
        crashing_thread: Thread::default(),
        modules: Vec::new(),
        notes: Vec::new(),
        executable: None,
    },
};

fn node() -> NodeName {
    "node-a".parse().unwrap()
}

fn app() -> AppName {
    "shop".parse().unwrap()
}

fn spec() -> AppSpec {
    let lifecycle = Lifecycle { warm_up: 30 * SECOND, stop_grace: 10 * SECOND, back_off: 30 * SECOND };
    AppSpec {
        name: app(),
        listen: "127.0.0.1:1".to_owned(),
        instances: 2,
        lifecycle,
        crash_monitoring: Numbers::default(),
        auto_heal: HealSpec { memory_limit_bytes: Some(100 * MB), ..HealSpec::default() },
    }
}

/// A fleet whose workers come up and end as soon as they are asked to.
struct World {
    fleet: Fleet,
    now: Now,
    seen: Vec<Effect>,
    routed: Vec<WorkerId>,
    generation: u64,
}

impl World {
    fn new(rules: AutoHealConfig, settings: AppSettings, remembered: &Remembered) -> Self {
        let start = AppStart { spec: spec(), settings, rules };
        let fleet = Fleet::new(START, &node(), vec![start], remembered, ANALYSIS);
        let mut world = Self { fleet, now: START, seen: Vec::new(), routed: Vec::new(), generation: 0 };
        world.tell(Input::Tick);
        assert_eq!(world.routed.len(), 2);
        world.seen.clear();
        world
    }

    fn plain() -> Self {
        Self::new(AutoHealConfig::default(), AppSettings::default(), &Remembered::default())
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            let mut effects = Vec::new();
            for input in inputs.drain(..) {
                self.fleet.step(self.now, input, &mut effects);
            }
            for effect in effects {
                self.answer(&effect, &mut inputs);
                self.seen.push(effect);
            }
        }
    }

    fn answer(&mut self, effect: &Effect, inputs: &mut Vec<Input>) {
        let mut say = |worker: &WorkerId, input| inputs.push(Input::Worker { worker: worker.clone(), input });
        match effect {
            Effect::Start { worker, .. } => {
                say(worker, instance::WorkerEvent::Started { pid: 7, port: 1, armed: false });
            }
            Effect::Probe { worker } => say(worker, instance::WorkerEvent::Listening),
            Effect::Drain { worker } => {
                assert!(!self.routed.contains(worker), "drained before its requests went elsewhere");
                say(worker, instance::WorkerEvent::Drained);
            }
            Effect::Signal { worker, .. } => {
                let (exit, ending) = (Exit::Signal(Signal::TERM), Ending::Asked);
                let affected = AffectedRequests::default();
                let (at, uptime) = (self.now.wall, SECOND);
                let fault = None;
                say(
                    worker,
                    instance::WorkerEvent::Ended { pid: 7, exit, ending, at, uptime, affected, fault },
                );
            }
            Effect::Route { workers, .. } => self.routed.clone_from(workers),
            Effect::Watch { generation, .. } => self.generation = *generation,
            _ => {}
        }
    }

    /// A second in which the instances' private bytes are these.
    fn second(&mut self, private_bytes: [u64; 2]) {
        self.now = self.now + SECOND;
        let seen = self.routed.iter().zip(private_bytes).map(|(worker, bytes)| {
            let tallies = Tallies { generation: self.generation, ..Tallies::default() };
            let private_bytes = Some(bytes);
            (worker.clone(), Observation { private_bytes, tallies, ..Observation::default() })
        });
        let seen = seen.collect();
        self.tell(Input::Observed(seen));
    }

    fn restarts(&self) -> Vec<&Restart> {
        self.seen
            .iter()
            .filter_map(|effect| match effect {
                Effect::RecordRestart(restart) => Some(&**restart),
                _ => None,
            })
            .collect()
    }
}

fn private_bytes_rule(action: &str) -> AutoHealConfig {
    serde_json::from_str(&format!(
        r#"{{"enabled":true,"rules":{{"triggers":{{"private_bytes_kib":204800}},
            "actions":{{"action_type":"{action}","custom_action":{{"exe":"/bin/tell","parameters":"me"}}}}}}}}"#
    ))
    .unwrap()
}

#[test]
fn a_worker_above_90_percent_for_more_than_30_s_is_replaced_and_the_other_instance_is_not_touched() {
    let mut world = World::plain();
    let before = world.routed.clone();
    world.second([90 * MB, 0]);
    for _ in 0..31 {
        world.second([90 * MB + 1, 90 * MB]);
        assert_eq!(world.routed, before);
    }
    world.second([90 * MB + 1, 90 * MB]);
    assert_ne!(world.routed[0], before[0]);
    assert_eq!(world.routed[1], before[1]);
    let [restart] = world.restarts()[..] else { panic!("{:?}", world.restarts()) };
    let evidence = restart.evidence.as_ref().unwrap();
    assert_eq!((restart.place.instance, evidence.rule), (0, Rule::PercentMemory));
    assert!(evidence.not_fired.iter().any(|reading| reading.rule == Rule::PercentRequest));
}

#[test]
fn the_fuse_lets_three_restarts_through_is_remembered_and_armed_by_hand() {
    let mut world = World::plain();
    for _ in 0..400 {
        world.second([99 * MB, 99 * MB]);
    }
    assert_eq!(world.restarts().len(), 3);
    let state = world.seen.iter().rev().find_map(|effect| match effect {
        Effect::RememberFuse { state, .. } => Some(state.clone()),
        _ => None,
    });
    let refusals = world.seen.iter().filter(|effect| match effect {
        Effect::RecordEvent(event) => matches!(event.what, EventKind::Refused { .. }),
        _ => false,
    });
    assert_eq!(refusals.count(), 2, "each instance's rule says once that it may not");
    let remembered = Remembered { fuses: [(app(), state.unwrap())].into(), ..Remembered::default() };
    let mut again = World::new(AutoHealConfig::default(), AppSettings::default(), &remembered);
    again.now = world.now;
    for _ in 0..100 {
        again.second([99 * MB, 0]);
    }
    assert_eq!(again.restarts().len(), 0);
    for was_paused in [true, false] {
        again.tell(Input::Rearm { app: app(), by: Some("alice (uid 1000)".to_owned()) });
        let change = again.seen.iter().rev().find_map(|effect| match effect {
            Effect::RecordChange(change) => Some(change.as_ref().clone()),
            _ => None,
        });
        let change = change.unwrap();
        assert_eq!((change.at, change.by.as_deref()), (again.now.wall, Some("alice (uid 1000)")));
        assert_eq!((change.app, change.what), (app(), Changed::Resumed { was_paused }));
    }
    for _ in 0..40 {
        again.second([99 * MB, 0]);
    }
    assert_eq!(again.restarts().len(), 1);
}

#[test]
fn who_opted_out_is_left_alone_at_once() {
    let mut world = World::plain();
    for _ in 0..30 {
        world.second([99 * MB, 0]);
    }
    let off = AppSettings([(Setting::AutoHeal, "FALSE".to_owned())].into());
    world.tell(Input::Settings { app: app(), settings: off });
    for _ in 0..60 {
        world.second([99 * MB, 0]);
    }
    assert!(world.restarts().is_empty());
    world.tell(Input::Settings { app: app(), settings: AppSettings::default() });
    for _ in 0..40 {
        world.second([99 * MB, 0]);
    }
    assert_eq!(world.restarts().len(), 1);
}

#[test]
fn saving_rules_restarts_nothing_and_they_act_from_then_on() {
    for (action, restarts, events) in [("Recycle", 1, 0), ("LogEvent", 0, 1), ("CustomAction", 0, 1)] {
        let mut world = World::plain();
        let before = world.routed.clone();
        world.tell(Input::Rules { app: app(), rules: Box::new(private_bytes_rule(action)) });
        assert_eq!(world.routed, before);
        world.second([0, 200 * MB]);
        assert_eq!(world.routed, before, "at the threshold is not above it");
        world.second([0, 200 * MB + 1]);
        assert_eq!((world.restarts().len(), world.routed != before), (restarts, restarts == 1));
        let told = world.seen.iter().filter(|effect| match effect {
            Effect::RecordEvent(event) => event.what == EventKind::Logged && action == "LogEvent",
            Effect::RunAction { action: run, .. } => run.exe == "/bin/tell" && action == "CustomAction",
            _ => false,
        });
        assert_eq!(told.count(), events, "{action}");
    }
}

#[test]
fn outdated_workers_are_replaced_one_after_another_and_only_they() {
    let mut world = World::plain();
    let before = world.routed.clone();
    for worker in &before {
        let mut effects = Vec::new();
        world.fleet.step(world.now, Input::Outdated { worker: worker.clone() }, &mut effects);
        let starts = effects.iter().filter(|effect| matches!(effect, Effect::Start { .. })).count();
        assert_eq!(starts, usize::from(worker == &before[0]), "the second waits for the first");
        for effect in effects {
            world.seen.push(effect);
        }
    }
    let mut inputs = Vec::new();
    for effect in std::mem::take(&mut world.seen) {
        world.answer(&effect, &mut inputs);
    }
    for input in inputs {
        world.tell(input);
    }
    assert_eq!(world.restarts().len(), 2);
    assert!(before.iter().all(|worker| !world.routed.contains(worker)));
    world.tell(Input::Outdated { worker: before[0].clone() });
    assert_eq!(world.restarts().len(), 2, "it is gone already");
}

#[test]
fn a_recorded_run_gives_the_same_effects_again() {
    let run = || {
        let mut world =
            World::new(private_bytes_rule("Recycle"), AppSettings::default(), &Remembered::default());
        for second in 0..300_u64 {
            world.second([second * MB, (300 - second) * MB]);
        }
        world.seen
    };
    let first = run();
    assert!(first.iter().any(|effect| matches!(effect, Effect::RecordRestart(_))));
    assert_eq!(first, run());
}

/// A leak is healed in its own time although the wall clock is set each second, in either direction.
#[test]
fn rules_count_their_seconds_whatever_the_wall_clock_does() {
    let minute = Duration::from_mins(1);
    for set in [|wall: Timestamp| wall - Duration::from_hours(5), |wall| wall + Duration::from_hours(5)] {
        let mut world = World::plain();
        for second in 1..=32_u32 {
            assert!(world.restarts().is_empty(), "after {second} s");
            world.second([100 * MB, 0]);
            world.now.wall = set(world.now.wall);
        }
        assert_eq!(world.restarts().len(), 1);
        let due = world.fleet.deadline(world.now);
        assert!(due.is_none_or(|due| due <= world.now.monotonic + 30 * minute), "the fuse's window at most");
    }
}

/// What was remembered is read only after this run has counted for itself: the sum of both.
#[test]
fn what_comes_late_is_added_to_what_was_counted_meanwhile() {
    let mut world = World::plain();
    for _ in 0..40 {
        world.second([99 * MB, 0]);
    }
    assert_eq!(world.restarts().len(), 1, "one proactive restart of this run");
    world.seen.clear();
    let earlier = [1, 2].map(|minutes| world.now.wall - Duration::from_mins(minutes));
    let key = Place { node: node(), app: app(), instance: 0 };
    let pause = world.now.wall + Duration::from_hours(8);
    let state = CrashMonitorState {
        paused_until: Some(pause),
        start_took_ms: Some(1_000),
        ..CrashMonitorState::default()
    };
    let off = [(Setting::CrashMonitoring, "False".to_owned())];
    let recalled = Recalled {
        remembered: Remembered {
            crash_monitors: [(key.clone(), state.clone())].into(),
            auto_heal: BTreeMap::new(),
            fuses: [(app(), FuseState { restarts: earlier.to_vec(), blown_at: None })].into(),
        },
        apps: vec![(app(), AppSettings(off.into()), private_bytes_rule("Recycle"))],
    };
    world.tell(Input::Recalled(Box::new(recalled.clone())));
    assert!(matches!(world.fleet.heal(world.now)[&app()].fuse, FuseStatus::Blown { .. }), "three in all");
    assert!(!world.fleet.apps(world.now)[0].crash_monitoring_enabled);
    let remembered = |seen: &[Effect]| {
        let mut monitors = seen.iter().filter_map(|effect| match effect {
            Effect::RememberCrashMonitor { place, state } if *place == key => Some(state.clone()),
            _ => None,
        });
        let mut fuses = seen.iter().filter_map(|effect| match effect {
            Effect::RememberFuse { state, .. } => Some(state.blown_at.is_some()),
            _ => None,
        });
        (monitors.next_back(), fuses.next_back())
    };
    assert_eq!(remembered(&world.seen), (Some(state.clone()), Some(true)), "what holds now is said");
    world.seen.clear();
    world.tell(Input::RememberAll);
    assert_eq!(remembered(&world.seen), (Some(state), Some(true)), "and again when it is asked for");
    let before = world.fleet.heal(world.now);
    world.tell(Input::Recalled(Box::new(recalled)));
    assert_eq!(world.fleet.heal(world.now), before, "the same again changes nothing");
}

#[test]
fn a_worker_of_an_app_that_is_not_configured_any_more_is_ended_and_its_crash_is_recorded() {
    let mut fleet = Fleet::new(START, &node(), Vec::new(), &Remembered::default(), ANALYSIS);
    let worker: WorkerId = "node-a/till/0/1769847300000".parse().unwrap();
    let mut now = START;
    let mut step = |now: Now, input: Option<instance::WorkerEvent>| {
        let mut effects = Vec::new();
        let input = input.map_or(Input::Tick, |input| Input::Worker { worker: worker.clone(), input });
        fleet.step(now, input, &mut effects);
        effects
    };
    let signal = |signal| Effect::Signal { worker: worker.clone(), signal };
    let found = instance::WorkerEvent::Found { pid: 7, port: 1, armed: false, warm: true, asked: false };
    assert_eq!(step(now, Some(found)), [signal(Signal::TERM)]);
    now = now + 10 * SECOND;
    assert_eq!(step(now, None), [signal(Signal::KILL)]);
    let affected = AffectedRequests::default();
    let (exit, ending) = (Exit::Signal(Signal(11)), Ending::Crash(model::CrashCause::Signal));
    let ended = instance::WorkerEvent::Ended {
        pid: 7,
        exit,
        ending,
        at: now.wall,
        uptime: SECOND,
        affected: affected.clone(),
        fault: None,
    };
    assert_eq!(step(now, Some(ended)), [], "it waits for the analysis");
    let effects = step(now, Some(instance::WorkerEvent::Lost { affected }));
    assert!(matches!(effects.as_slice(), [Effect::Record(crash)] if crash.worker == worker), "{effects:?}");
    let acknowledged = step(now, Some(instance::WorkerEvent::Recorded));
    assert_eq!(acknowledged, [Effect::Acknowledge { worker: worker.clone() }]);
    assert!(fleet.deadline(now).is_none() && !fleet.is_stopped());
    fleet.step(now, Input::Stop, &mut Vec::new());
    assert!(fleet.is_stopped());
}
