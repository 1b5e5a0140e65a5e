use super::*;
use crate::auto_heal::Configure;
use model::auto_heal::limit::Bounds;
use model::auto_heal::{AutoHealConfig, AutoHealState, NotRespondingNumbers};
use model::crash::{
    AffectedRequests, Audit, Crash, Findings, InFlightRequest, RequestEvidence, Runtime, Thread,
};
use model::crash_monitor::{CrashMonitorState, Numbers};
use model::{Ending, Exit};

mod children;
mod clocks;
mod crashes;
mod restarts;
mod returning;
mod starts;
mod streams;

const START: Now = Now::START;
const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    instance: Instance,
    now: Now,
    effects: Vec<Effect>,
}

fn key() -> Place {
    "node-a/shop/0".parse().unwrap()
}

fn settings() -> Configure {
    Configure {
        generation: 1,
        proactive: true,
        user: AutoHealConfig::default(),
        limit: Bounds::default().limit(),
        percent_request_excludes: Vec::new(),
        not_responding: NotRespondingNumbers::default(),
        cpu: None,
    }
}

const ANALYSIS: CrashAnalysis = CrashAnalysis {
    name_incident: |_, signature| format!("{:016x}", signature.len()).parse().unwrap(),
    without_shim: |_, exit| findings(&exit.type_name()),
};

impl Bench {
    fn new() -> Self {
        Self::with(Numbers::default())
    }

    fn with(numbers: Numbers) -> Self {
        Self::of(numbers, CrashMonitorState::default())
    }

    fn remembering(state: CrashMonitorState) -> Self {
        Self::of(Numbers::default(), state)
    }

    fn of(numbers: Numbers, state: CrashMonitorState) -> Self {
        let lifecycle = Lifecycle { warm_up: 30 * SECOND, stop_grace: 10 * SECOND, back_off: 30 * SECOND };
        let monitor = CrashMonitor::new(START, key(), numbers, true, state);
        let healing = Healing::new(START, settings(), Bounds::default(), &AutoHealState::default());
        let instance = Instance::new(START, key(), lifecycle, (monitor, healing), ANALYSIS);
        Self { instance, now: START, effects: Vec::new() }
    }

    /// The effects of what `act` does.
    fn run(&mut self, act: impl FnOnce(&mut Instance, Now, &mut Vec<Effect>)) -> Vec<Effect> {
        act(&mut self.instance, self.now, &mut self.effects);
        std::mem::take(&mut self.effects)
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.run(super::Instance::tick)
    }

    fn tell(&mut self, worker: &WorkerId, input: WorkerEvent) -> Vec<Effect> {
        self.run(|instance, now, effects| instance.step(now, worker, input, effects))
    }

    fn state(&self) -> InstanceState {
        self.instance.status(self.now).state
    }

    /// Moves the wall clock alone.
    fn set_wall(&mut self, set: fn(Timestamp) -> Timestamp) {
        self.now.wall = set(self.now.wall);
    }

    /// Moves the monotonic clock alone: the wall stands still, or somebody sets it back as fast as it goes.
    fn pass(&mut self, time: Duration) {
        self.now.monotonic = self.now.monotonic + time;
    }

    /// Moves to the next deadline.
    fn advance(&mut self) {
        let due = self.instance.deadline(self.now).expect("something is due");
        self.now = self.now + due.since(self.now.monotonic);
    }

    fn running(&mut self) -> WorkerId {
        let worker = started(&self.tick()).expect("a start");
        self.up(&worker);
        worker
    }

    fn up(&mut self, worker: &WorkerId) {
        self.tell(worker, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
        self.tell(worker, WorkerEvent::Listening);
        assert_eq!(self.state(), InstanceState::Running);
    }
}

fn started(effects: &[Effect]) -> Option<WorkerId> {
    effects.iter().find_map(|effect| match effect {
        Effect::Start { worker, .. } => Some(worker.clone()),
        _ => None,
    })
}

fn ended(now: Now, exit: Exit, ending: Ending) -> WorkerEvent {
    WorkerEvent::Ended {
        pid: 7,
        exit,
        ending,
        at: now.wall,
        uptime: SECOND,
        affected: AffectedRequests::default(),
        fault: None,
    }
}

fn fatal(now: Now, affected: AffectedRequests) -> WorkerEvent {
    WorkerEvent::Fatal { pid: 7, signal: Signal(11), at: now.wall, affected }
}

fn crashed(now: Now) -> WorkerEvent {
    ended(now, Exit::Signal(Signal(11)), Ending::Crash(model::CrashCause::Signal))
}

fn findings(signature: &str) -> Findings {
    Findings {
        exception_type: "SIGSEGV".into(),
        runtime: Runtime::Native,
        signature: signature.into(),
        crashing_thread: Thread::default(),
        modules: vec![],
        notes: vec![],
        executable: None,
    }
}

fn analysed(audit: Option<Audit>) -> WorkerEvent {
    WorkerEvent::Analysed { findings: Box::new(findings("pay")), audit }
}

fn recorded(effects: &[Effect]) -> Option<Crash> {
    effects.iter().find_map(|effect| match effect {
        Effect::Record(crash) => Some((**crash).clone()),
        _ => None,
    })
}

#[test]
fn the_first_end_is_followed_by_a_start_at_once_the_next_by_growing_pauses() {
    let mut bench = Bench::new();
    let mut worker = bench.running();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let now = bench.now;
        let effects = bench.tell(&worker, crashed(now));
        worker = started(&effects).unwrap_or_else(|| {
            assert_eq!(bench.state(), InstanceState::Waiting);
            let next_start = bench.instance.status(now).next_start.unwrap();
            bench.now = now + next_start.since(now.wall);
            started(&bench.tick()).expect("a start when the pause is over")
        });
        pauses.push(bench.now.wall.since(now.wall).as_secs());
        bench.up(&worker);
    }
    assert_eq!(pauses, [0, 1, 2, 4]);
}

#[test]
fn a_worker_that_stays_up_ends_the_row() {
    let mut bench = Bench::new();
    let mut worker = bench.running();
    for _ in 0..2 {
        let now = bench.now;
        let effects = bench.tell(&worker, crashed(now));
        worker = started(&effects).unwrap_or_else(|| {
            bench.advance();
            started(&bench.tick()).expect("a start when the pause is over")
        });
        bench.up(&worker);
    }
    let ends = |bench: &Bench| bench.instance.status(bench.now).ends_in_a_row;
    bench.now = bench.now + 59 * SECOND;
    assert_eq!(ends(&bench), 2);
    bench.now = bench.now + SECOND;
    assert_eq!(ends(&bench), 0);
}

#[test]
fn a_worker_that_does_not_end_is_killed_after_the_grace_or_at_the_second_stop() {
    for hasten in [false, true] {
        let mut bench = Bench::new();
        let worker = bench.running();
        bench.run(super::Instance::stop);
        let effects = if hasten {
            bench.run(super::Instance::stop)
        } else {
            assert_eq!(bench.instance.deadline(bench.now), Some((bench.now + 10 * SECOND).monotonic));
            bench.advance();
            bench.tick()
        };
        assert_eq!(effects, [Effect::Signal { worker, signal: Signal::KILL }]);
    }
}

#[test]
fn a_worker_that_does_not_listen_within_the_warm_up_is_replaced_and_said() {
    let mut bench = Bench::new();
    let worker = started(&bench.tick()).unwrap();
    bench.tell(&worker, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
    assert_eq!(bench.state(), InstanceState::Starting);
    bench.advance();
    assert_eq!(bench.now, START + 30 * SECOND);
    assert!(bench.tick().contains(&Effect::Signal { worker: worker.clone(), signal: Signal::TERM }));
    let now = bench.now;
    let next = started(&bench.tell(&worker, ended(now, Exit::Signal(Signal::TERM), Ending::Asked)));
    assert!(next.is_some_and(|next| next != worker));
    let end = LastEnd::NotReady { limit_ms: 30_000, readiness: None, fault: None };
    assert_eq!(bench.instance.status(now).message, Some(InstanceMessage::Ended { end }));
}

#[test]
fn a_start_that_fails_waits_and_says_why() {
    let mut bench = Bench::new();
    let worker = started(&bench.tick()).unwrap();
    let again =
        started(&bench.tell(&worker, WorkerEvent::StartFailed { reason: "`nod` was not found".into() }))
            .unwrap();
    bench.tell(&again, WorkerEvent::StartFailed { reason: "`nod` was not found".into() });
    let status = bench.instance.status(bench.now);
    assert_eq!((status.state, status.ends_in_a_row), (InstanceState::Waiting, 2));
    let end = LastEnd::StartFailed { reason: "`nod` was not found".to_owned() };
    assert_eq!(status.message, Some(InstanceMessage::Ended { end }));
}

#[test]
fn no_two_workers_share_an_id() {
    let mut bench = Bench::new();
    let first = started(&bench.tick()).unwrap();
    let second = started(&bench.tell(&first, WorkerEvent::StartFailed { reason: "x".into() })).unwrap();
    assert!(second.started_at > first.started_at);
}

#[test]
fn a_worker_that_is_never_warm_is_started_after_growing_pauses_however_long_its_warm_up() {
    let mut bench = Bench::new();
    let mut worker = started(&bench.tick()).expect("a start");
    let mut pauses = Vec::new();
    for _ in 0..4 {
        bench.tell(&worker, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
        bench.now = bench.now + 600 * SECOND;
        bench.tick();
        let end = WorkerEvent::Ended {
            pid: 7,
            exit: Exit::Signal(Signal::TERM),
            ending: Ending::Asked,
            at: bench.now.wall,
            uptime: 600 * SECOND,
            affected: AffectedRequests::default(),
            fault: None,
        };
        let (asked, mut next) = (bench.now.monotonic, started(&bench.tell(&worker, end)));
        if next.is_none() {
            bench.advance();
            next = started(&bench.tick());
        }
        pauses.push(bench.now.monotonic.since(asked).as_secs());
        worker = next.expect("another");
    }
    assert_eq!(pauses, [0, 1, 2, 4]);
}

#[test]
fn a_changed_configuration_is_tried_without_waiting_for_the_pause() {
    let failed = || WorkerEvent::StartFailed { reason: "`nod` was not found".into() };
    let mut bench = Bench::new();
    let first = started(&bench.tick()).unwrap();
    let second = started(&bench.tell(&first, failed())).expect("at once");
    assert_eq!(started(&bench.tell(&second, failed())), None);
    assert_eq!(started(&bench.tick()), None);
    bench.instance.try_now(bench.now);
    assert!(started(&bench.tick()).is_some());
}
