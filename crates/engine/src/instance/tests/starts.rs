//! How long a start may take, and what is said of it meanwhile.

use super::*;
use model::start::{Readiness, StartFault, StartSeen, Starting};

const STARTED: WorkerEvent = WorkerEvent::Started { pid: 7, port: 20_000, armed: false };

fn limit(bench: &Bench) -> Duration {
    let start = bench.instance.status(bench.now).starting.expect("a start is under way");
    Duration::from_millis(start.limit_ms)
}

fn remembered_start(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|effect| match effect {
        Effect::RememberCrashMonitor { state, .. } => state.start_took_ms,
        _ => None,
    })
}

#[test]
fn a_start_may_take_twice_as_long_as_the_last_good_one() {
    let mut bench = Bench::new();
    let worker = started(&bench.tick()).unwrap();
    assert_eq!(limit(&bench), 30 * SECOND);
    bench.tell(&worker, STARTED);
    bench.now = bench.now + 20 * SECOND;
    assert_eq!(remembered_start(&bench.tell(&worker, WorkerEvent::Listening)), Some(21_000));
    let now = bench.now;
    let next = started(&bench.tell(&worker, crashed(now))).unwrap();
    assert_eq!(limit(&bench), 42 * SECOND);
    bench.tell(&next, STARTED);
    // one that was not ready says nothing of how long a good one takes
    bench.advance();
    assert_eq!(bench.now, now + 42 * SECOND);
    assert!(bench.tick().contains(&Effect::Signal { worker: next.clone(), signal: Signal::TERM }));
    let now = bench.now;
    let third = started(&bench.tell(&next, ended(now, Exit::Code(0), Ending::Asked))).unwrap_or_else(|| {
        bench.advance();
        started(&bench.tick()).unwrap()
    });
    assert_eq!(limit(&bench), 42 * SECOND);
    bench.tell(&third, STARTED);
    bench.now = bench.now + SECOND;
    bench.tell(&third, WorkerEvent::Listening);
    let now = bench.now;
    bench.tell(&third, crashed(now));
    bench.advance();
    bench.tick();
    assert_eq!(limit(&bench), 30 * SECOND, "never less than the configured one");
}

#[test]
fn a_successor_that_took_long_counts_too_and_a_restart_of_medic_forgets_nothing() {
    let mut bench = Bench::new();
    let worker = bench.running();
    let order = Order {
        at: bench.now,
        reason: model::auto_heal::restart::RestartReason::ConfigurationChanged,
        evidence: None,
    };
    let effects = bench.run(|instance, now, effects| assert!(instance.restart(now, order, effects)));
    let next = started(&effects).unwrap();
    assert_eq!(limit(&bench), 30 * SECOND, "the instance is running, and says how far its new worker is");
    bench.tell(&next, STARTED);
    bench.now = bench.now + 29 * SECOND;
    let remembered = remembered_start(&bench.tell(&next, WorkerEvent::Listening));
    assert_eq!((remembered, bench.instance.ready_worker()), (Some(30_000), Some(&next)));
    assert_ne!(worker, next);

    let state = CrashMonitorState { start_took_ms: remembered, ..CrashMonitorState::default() };
    let mut later = Bench::remembering(state);
    assert!(started(&later.tick()).is_some());
    assert_eq!(limit(&later), 60 * SECOND);
    let endless = CrashMonitorState { start_took_ms: Some(u64::MAX), ..CrashMonitorState::default() };
    let mut later = Bench::remembering(endless);
    later.tick();
    assert_eq!(limit(&later), Duration::from_mins(30));
}

#[test]
fn what_the_worker_does_is_said_while_it_starts_and_when_it_is_given_up() {
    let mut bench = Bench::new();
    let worker = started(&bench.tick()).unwrap();
    bench.tell(&worker, STARTED);
    assert_eq!(bench.instance.status(bench.now).starting, Some(Starting { limit_ms: 30_000, seen: None }));
    let seen = StartSeen { readiness: Readiness::Status { status: 503 }, is_busy: true };
    let other = WorkerId { place: key(), started_at: START.wall - SECOND };
    for (of, expected) in [(&other, None), (&worker, Some(seen.clone()))] {
        bench.tell(of, WorkerEvent::Seen(seen.clone()));
        assert_eq!(bench.instance.status(bench.now).starting.unwrap().seen, expected);
    }
    bench.advance();
    bench.tick();
    let status = bench.instance.status(bench.now);
    assert_eq!(status.starting, None);
    let readiness = Some(Readiness::Status { status: 503 });
    let end = LastEnd::NotReady { limit_ms: 30_000, readiness: readiness.clone(), fault: None };
    assert_eq!(status.message, Some(InstanceMessage::Ended { end }));

    // it was asked to end, and then its output is known
    let fault = Some(StartFault::ConnectionRefused);
    let end = match ended(bench.now, Exit::Signal(Signal::TERM), Ending::Asked) {
        WorkerEvent::Ended { pid, exit, ending, at, uptime, affected, .. } => {
            WorkerEvent::Ended { pid, exit, ending, at, uptime, affected, fault }
        }
        other => other,
    };
    bench.tell(&worker, end);
    let status = bench.instance.status(bench.now);
    let end = LastEnd::NotReady { limit_ms: 30_000, readiness, fault };
    assert_eq!(status.ends.map(|ends| ends.last), Some(end.clone()));
    assert_eq!(status.message, Some(InstanceMessage::Ended { end }));
}
