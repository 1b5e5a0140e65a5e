//! Serving processes that a worker has started: each crash is the instance's, and the worker stays.

use model::crash::ProcessRole;
use model::status::Monitoring;
use model::{CrashCause, ProcessId};

use super::*;
use crate::instance::ChildEvent;

fn process(number: u32) -> ProcessId {
    ProcessId { pid: 100 + number, started_at: Now::START.wall }
}

fn child(number: u32, event: ChildEvent) -> WorkerEvent {
    WorkerEvent::Child { process: process(number), event }
}

fn child_ended(now: Now) -> ChildEvent {
    ChildEvent::Ended {
        role: ProcessRole::Child,
        exit: Exit::Signal(Signal(11)),
        cause: CrashCause::Signal,
        at: now.wall,
        uptime: SECOND,
        affected: AffectedRequests { count: 1, ..AffectedRequests::default() },
    }
}

fn child_analysed(audit: Option<Audit>) -> ChildEvent {
    let WorkerEvent::Analysed { findings, audit } = analysed(audit) else { unreachable!() };
    ChildEvent::Analysed { findings, audit }
}

fn audit(at: Timestamp) -> Audit {
    let (sha256, result) = ("ab".repeat(32), "analysed".to_owned());
    Audit { size_bytes: 1, sha256, captured_at: at, dropped_at: at, stopped_us: 1, result }
}

fn starts_or_routes(effects: &[Effect]) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::Start { .. } | Effect::Route { .. }))
}

#[test]
fn each_childs_crash_is_recorded_and_nothing_is_started() {
    let mut bench = Bench::new();
    let worker = bench.running();
    for number in 0..3 {
        let process = process(number);
        let now = bench.now;
        let mut effects = bench.tell(&worker, child(number, child_ended(now)));
        effects.extend(bench.tell(&worker, child(number, child_analysed(None))));
        assert!(!starts_or_routes(&effects), "{effects:?}");
        let crash = recorded(&effects).unwrap();
        assert_eq!((crash.pid, crash.role, crash.in_flight_count), (100 + number, ProcessRole::Child, 1));
        assert_eq!(crash.id().process, Some(process));
        let effects = bench.tell(&worker, child(number, ChildEvent::Recorded));
        assert!(effects.contains(&Effect::AcknowledgeChild { worker: worker.clone(), process }));
        assert_eq!((bench.state(), bench.instance.worker()), (InstanceState::Running, Some(&worker)));
    }
    assert_eq!(bench.instance.status(bench.now).recent_crashes.unwrap().count, 3);
}

#[test]
fn too_many_crashes_of_children_arm_the_debugger_on_the_worker_that_runs() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let mut arms = Vec::new();
    for number in 0..5 {
        let now = bench.now;
        arms.extend(bench.tell(&worker, child(number, child_ended(now))));
        arms.extend(bench.tell(&worker, child(number, child_analysed(None))));
    }
    assert_eq!(arms.iter().filter(|effect| **effect == Effect::Arm { worker: worker.clone() }).count(), 1);
    bench.tell(&worker, WorkerEvent::Armed);
    assert_eq!(bench.instance.status(bench.now).monitoring, Monitoring::Armed);

    let fatal = ChildEvent::Fatal {
        role: ProcessRole::Child,
        signal: Signal(11),
        at: bench.now.wall,
        affected: AffectedRequests { count: 2, ..AffectedRequests::default() },
    };
    let now = bench.now;
    let mut effects = bench.tell(&worker, child(7, fatal));
    effects.extend(bench.tell(&worker, child(7, child_ended(now))));
    assert_eq!(bench.instance.status(bench.now).monitoring, Monitoring::Analysing);
    let captured = audit(bench.now.wall);
    effects.extend(bench.tell(&worker, child(7, child_analysed(Some(captured)))));
    assert!(!starts_or_routes(&effects));
    assert_eq!(recorded(&effects).unwrap().in_flight_count, 3, "at the signal and after");
    assert!(effects.contains(&Effect::Disarm { worker: worker.clone() }), "it pauses now");
    assert!(matches!(bench.instance.status(bench.now).monitoring, Monitoring::Paused { .. }));
    assert_eq!(bench.instance.worker(), Some(&worker));
}

#[test]
fn a_crash_of_a_child_that_was_not_analysed_is_recorded_when_its_shim_is_killed() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    bench.tell(&worker, child(0, child_ended(now)));
    let effects = bench.tell(&worker, WorkerEvent::Lost { affected: AffectedRequests::default() });
    let crash = recorded(&effects).unwrap();
    assert_eq!((crash.pid, crash.findings.signature.as_str()), (100, "SIGSEGV"));
    bench.tell(&worker, child(0, ChildEvent::NotRecorded));
    bench.now = bench.now + RECORD_RETRY;
    assert_eq!(recorded(&bench.tick()), Some(crash));
    bench.tell(&worker, child(0, ChildEvent::Recorded));
    assert!(bench.instance.pending_crashes.is_empty());
}

#[test]
fn a_launcher_that_passes_on_a_crash_is_started_again_and_no_second_crash() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    bench.tell(&worker, child(0, child_ended(now)));
    bench.tell(&worker, child(0, child_analysed(None)));
    let effects = bench.tell(&worker, ended(now, Exit::Code(139), Ending::PassedOn));
    let acknowledged = Effect::Acknowledge { worker: worker.clone() };
    assert!(!effects.contains(&acknowledged), "its shim has a crash that is not recorded");
    assert_eq!(bench.instance.status(bench.now).recent_crashes.unwrap().count, 1);
    assert!(started(&effects).is_some());
    let process = process(0);
    assert_eq!(
        bench.tell(&worker, child(0, ChildEvent::Recorded)),
        [Effect::AcknowledgeChild { worker, process }, acknowledged]
    );
}

#[test]
fn a_child_that_was_stopped_at_its_signal_as_the_worker_ended_keeps_no_shim() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let fatal = ChildEvent::Fatal {
        role: ProcessRole::Child,
        signal: Signal(11),
        at: bench.now.wall,
        affected: AffectedRequests::default(),
    };
    bench.tell(&worker, child(0, fatal));
    let now = bench.now;
    let effects = bench.tell(&worker, ended(now, Exit::Code(0), Ending::Finished));
    assert!(effects.contains(&Effect::Acknowledge { worker }));
    assert!(bench.instance.pending_crashes.is_empty());
}
