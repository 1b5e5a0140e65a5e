//! Ends of workers, and how they are written down.

use super::*;

#[test]
fn a_crash_is_recorded_once_end_and_analysis_are_there_and_then_acknowledged() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let request = InFlightRequest {
        method: "POST".into(),
        path: "/pay".into(),
        age_ms: 12,
        evidence: RequestEvidence::Read,
    };
    let affected =
        AffectedRequests { count: 1, requests: vec![request.clone()], ..AffectedRequests::default() };
    let effects = bench.tell(&worker, fatal(bench.now, affected));
    assert!(started(&effects).is_some(), "the replacement starts at the signal");
    let now = bench.now;
    assert!(recorded(&bench.tell(&worker, crashed(now))).is_none());
    let crash = recorded(&bench.tell(&worker, analysed(None))).expect("recorded");
    assert_eq!((crash.signal.as_deref(), crash.exit_code, crash.in_flight_count), (Some("SIGSEGV"), None, 1));
    assert_eq!(crash.in_flight, [request]);
    let acknowledged = bench.tell(&worker, WorkerEvent::Recorded);
    assert!(acknowledged.contains(&Effect::Acknowledge { worker }));
}

#[test]
fn a_crash_that_could_not_be_written_down_is_tried_again() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    bench.tell(&worker, crashed(now));
    assert!(recorded(&bench.tell(&worker, analysed(None))).is_some());
    assert!(recorded(&bench.tell(&worker, WorkerEvent::NotRecorded)).is_none());
    assert!(bench.instance.deadline(bench.now).unwrap() <= (bench.now + RECORD_RETRY).monotonic);
    bench.now = bench.now + RECORD_RETRY;
    assert!(recorded(&bench.tick()).is_some());
}

#[test]
fn a_crash_that_cannot_be_written_down_does_not_keep_medic_from_stopping() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let now = bench.now;
    let next = started(&bench.tell(&worker, crashed(now))).expect("a start");
    bench.up(&next);
    bench.run(Instance::stop);
    bench.tell(&next, ended(now, Exit::Signal(Signal::TERM), Ending::Asked));
    assert!(!bench.instance.is_stopped(), "the analysis is on its way");
    bench.tell(&worker, analysed(None));
    assert!(!bench.instance.is_stopped(), "the record is on its way");
    bench.tell(&worker, WorkerEvent::NotRecorded);
    assert!(bench.instance.is_stopped());
}

#[test]
fn what_medic_asked_for_is_no_crash() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let effects = bench.run(super::Instance::stop);
    assert!(effects.contains(&Effect::Signal { worker: worker.clone(), signal: Signal::TERM }));
    let now = bench.now;
    let effects = bench.tell(&worker, ended(now, Exit::Code(143), Ending::Asked));
    assert!(effects.contains(&Effect::Acknowledge { worker }));
    assert!(bench.instance.is_stopped());
}

#[test]
fn an_end_from_before_is_recorded_though_the_place_has_another_worker() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let before = WorkerId { place: key(), started_at: START.wall - 60 * SECOND };
    let now = bench.now;
    bench.tell(&before, crashed(now));
    assert!(recorded(&bench.tell(&before, analysed(None))).is_some());
    assert_eq!(bench.instance.ready_worker(), Some(&worker));
}

#[test]
fn a_lost_shim_is_followed_by_a_start_and_nothing_stays_behind() {
    let mut bench = Bench::new();
    let worker = bench.running();
    assert!(
        started(&bench.tell(&worker, WorkerEvent::Lost { affected: AffectedRequests::default() })).is_some()
    );
    let next = bench.instance.status(bench.now);
    assert_eq!(next.message, Some(InstanceMessage::Ended { end: LastEnd::ShimKilled }));
}

#[test]
fn a_crash_that_is_known_is_recorded_though_its_shim_is_killed() {
    let lost = || WorkerEvent::Lost { affected: AffectedRequests::default() };
    let affected = AffectedRequests { count: 2, ..AffectedRequests::default() };
    // stopped at its fatal signal, ended, analysed, written in vain: whatever was heard last
    for heard in 1..=4 {
        let mut bench = Bench::new();
        let worker = bench.running();
        bench.tell(&worker, fatal(bench.now, affected.clone()));
        let mut record = None;
        if heard > 1 {
            bench.tell(&worker, crashed(bench.now));
        }
        if heard > 2 {
            record = recorded(&bench.tell(&worker, analysed(None)));
        }
        if heard > 3 {
            bench.tell(&worker, WorkerEvent::NotRecorded);
            record = None;
        }
        let effects = bench.tell(&worker, lost());
        record = record.or_else(|| recorded(&effects));
        if heard > 3 {
            bench.now = bench.now + RECORD_RETRY;
            record = recorded(&bench.tick());
        }
        let crash = record.unwrap_or_else(|| panic!("{heard}"));
        assert_eq!((crash.signal.as_deref(), crash.pid, crash.in_flight_count), (Some("SIGSEGV"), 7, 2));
        assert_eq!(crash.findings.signature, if heard > 2 { "pay" } else { "SIGSEGV" });
        bench.tell(&worker, WorkerEvent::Recorded);
        assert!(bench.instance.pending_crashes.is_empty());
    }
}

#[test]
fn a_shim_that_is_killed_beside_a_worker_that_is_well_is_no_crash() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let effects = bench.tell(
        &worker,
        WorkerEvent::Lost { affected: AffectedRequests { count: 2, ..AffectedRequests::default() } },
    );
    assert!(recorded(&effects).is_none());
    assert!(bench.instance.pending_crashes.is_empty());
}
