//! What is due within a run goes by the monotonic clock, whatever the wall clock says.

use super::*;
use model::auto_heal::restart::{Restart, RestartReason};

const SET: [fn(Timestamp) -> Timestamp; 3] = [|wall| wall, days_back, days_ahead];

fn days_back(wall: Timestamp) -> Timestamp {
    wall - Duration::from_hours(10 * 24)
}

fn days_ahead(wall: Timestamp) -> Timestamp {
    wall + Duration::from_hours(10 * 24)
}

const MS: Duration = Duration::from_millis(1);

/// After the wall clock was set, and however it stands still: nothing happens until `limit`, and then something does.
fn due_after(mut bench: Bench, limit: Duration, happens: fn(&[Effect]) -> bool) {
    for set in SET {
        let mut bench = Bench { instance: bench.instance.clone(), effects: Vec::new(), ..bench };
        bench.set_wall(set);
        bench.pass(limit.saturating_sub(MS));
        assert!(!happens(&bench.tick()), "a millisecond before");
        let due = bench.instance.deadline(bench.now).expect("something is due");
        assert!(due <= bench.now.monotonic + MS);
        bench.pass(MS);
        assert!(happens(&bench.tick()), "when it is due");
    }
    bench.now.wall = days_ahead(bench.now.wall);
    assert!(!happens(&bench.tick()), "the wall clock alone makes nothing due");
}

fn starts(effects: &[Effect]) -> bool {
    started(effects).is_some()
}

fn terminates(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Signal { signal: Signal::TERM, .. }))
}

fn kills(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Signal { signal: Signal::KILL, .. }))
}

fn ordered(bench: &mut Bench) -> WorkerId {
    let order = Order { at: bench.now, reason: RestartReason::ByHand { by: None }, evidence: None };
    let effects = bench.run(|instance, now, effects| assert!(instance.restart(now, order, effects)));
    started(&effects).expect("a successor")
}

#[test]
fn the_back_off() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    let next = started(&bench.tell(&worker, crashed(now))).expect("at once");
    bench.tell(&next, crashed(now));
    assert_eq!(bench.state(), InstanceState::Waiting);
    due_after(bench, SECOND, starts);
}

#[test]
fn the_warm_up() {
    let mut bench = Bench::new();
    let worker = started(&bench.tick()).unwrap();
    bench.tell(&worker, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
    due_after(bench, 30 * SECOND, terminates);
}

#[test]
fn the_stop_grace() {
    let mut bench = Bench::new();
    bench.running();
    bench.run(Instance::stop);
    due_after(bench, 10 * SECOND, kills);
}

#[test]
fn a_successors_warm_up_and_an_old_workers_drain_and_end() {
    let mut bench = Bench::new();
    bench.running();
    let next = ordered(&mut bench);
    bench.tell(&next, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
    due_after(
        Bench { instance: bench.instance.clone(), effects: Vec::new(), ..bench },
        30 * SECOND,
        terminates,
    );
    bench.tell(&next, WorkerEvent::Listening);
    due_after(
        Bench { instance: bench.instance.clone(), effects: Vec::new(), ..bench },
        10 * SECOND,
        terminates,
    );
    bench.pass(10 * SECOND);
    assert!(terminates(&bench.tick()));
    due_after(bench, 10 * SECOND, kills);
}

#[test]
fn the_next_try_to_write_a_crash_down() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    bench.tell(&worker, crashed(now));
    bench.tell(&worker, analysed(None));
    bench.tell(&worker, WorkerEvent::NotRecorded);
    due_after(bench, RECORD_RETRY, |effects| recorded(effects).is_some());
}

#[test]
fn how_long_a_restart_took_and_when_the_next_start_is() {
    for set in SET {
        let mut bench = Bench::new();
        let old = bench.running();
        let new = ordered(&mut bench);
        bench.tell(&new, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
        bench.set_wall(set);
        bench.pass(3 * SECOND);
        bench.tell(&new, WorkerEvent::Listening);
        let now = bench.now;
        let effects = bench.tell(&old, ended(now, Exit::Code(0), Ending::Asked));
        let took = effects.iter().find_map(|effect| match effect {
            Effect::RecordRestart(restart) => Some(Restart::clone(restart).duration_ms),
            _ => None,
        });
        assert_eq!(took, Some(3_000));
        bench.tell(&new, crashed(now));
        let third = bench.instance.worker().expect("started at once").clone();
        bench.tell(&third, crashed(now));
        bench.set_wall(set);
        let next_start = bench.instance.status(bench.now).next_start;
        assert_eq!(next_start, Some(bench.now.wall + SECOND), "people are told by the clock that they have");
    }
}

#[test]
fn a_worker_is_steady_after_a_minute_of_its_own() {
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
    bench.set_wall(days_ahead);
    assert_eq!(ends(&bench), 2, "it is not days old");
    bench.set_wall(|wall| days_back(days_back(wall)));
    bench.pass(Duration::from_mins(1));
    assert_eq!(ends(&bench), 0, "and not younger than it is");
}

#[test]
fn a_worker_that_was_lost_under_a_wall_clock_set_back_did_not_end_early() {
    let mut bench = Bench::new();
    let mut worker = bench.running();
    for _ in 0..3 {
        bench.set_wall(days_back);
        bench.pass(Duration::from_hours(1));
        let effects = bench.tell(&worker, WorkerEvent::Lost { affected: AffectedRequests::default() });
        worker = started(&effects).expect("no back-off for a worker that ran for an hour");
        bench.up(&worker);
    }
}

#[test]
fn workers_have_growing_names_though_the_wall_clock_goes_back() {
    let mut bench = Bench::new();
    let found = WorkerId { place: key(), started_at: days_ahead(START.wall) };
    let mut worker =
        started(&bench.tell(&found, WorkerEvent::Lost { affected: AffectedRequests::default() }))
            .expect("a start");
    let mut seen = vec![found];
    for set in [days_back, days_back, days_ahead, days_back] {
        bench.up(&worker);
        assert!(worker.started_at > seen.last().unwrap().started_at, "{worker} after {seen:?}");
        bench.set_wall(set);
        bench.pass(Duration::from_mins(2));
        bench.tell(&worker, WorkerEvent::Lost { affected: AffectedRequests::default() });
        let next = bench.instance.worker().expect("started at once").clone();
        bench.tell(&next, WorkerEvent::StartFailed { reason: "x".into() });
        bench.pass(Duration::from_mins(2));
        seen.extend([worker, next]);
        worker = started(&bench.tick()).expect("a start");
    }
}

#[test]
fn names_grow_after_a_restart_of_medic_under_a_clock_set_back() {
    let worker = WorkerId { place: key(), started_at: days_ahead(START.wall) };
    let crashes = vec![model::crash_monitor::Counted {
        worker: worker.clone(),
        process: None,
        at: worker.started_at + SECOND,
    }];
    let state = CrashMonitorState { crashes, ..CrashMonitorState::default() };
    let monitor = CrashMonitor::new(START, key(), Numbers::default(), true, state);
    let healing = Healing::new(START, settings(), Bounds::default(), &AutoHealState::default());
    let lifecycle = Lifecycle { warm_up: 30 * SECOND, stop_grace: 10 * SECOND, back_off: 30 * SECOND };
    let mut instance = Instance::new(START, key(), lifecycle, (monitor, healing), ANALYSIS);
    let mut effects = Vec::new();
    instance.tick(START, &mut effects);
    assert!(started(&effects).unwrap().started_at > worker.started_at);
}
