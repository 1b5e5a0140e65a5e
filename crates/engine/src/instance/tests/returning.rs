//! Medic comes back: every way in which the last one may have left a place.

use std::collections::BTreeSet;

use super::*;
use model::auto_heal::restart::RestartReason;

const WARM: (bool, bool) = (true, false);
const COLD: (bool, bool) = (false, false);
const ASKED: (bool, bool) = (true, true);

fn old(age_s: u32) -> WorkerId {
    WorkerId { place: key(), started_at: START.wall - age_s * SECOND }
}

fn found((warm, asked): (bool, bool)) -> WorkerEvent {
    WorkerEvent::Found { pid: 9, port: 20_001, armed: false, warm, asked }
}

fn term(worker: &WorkerId) -> Effect {
    Effect::Signal { worker: worker.clone(), signal: Signal::TERM }
}

impl Bench {
    fn returning(workers: &[&WorkerId]) -> Self {
        let mut bench = Self::new();
        let workers = workers.iter().map(|worker| (*worker).clone()).collect();
        let effects = bench.run(|instance, now, effects| instance.returning(now, Some(workers), effects));
        assert!(started(&effects).is_none() || bench.state() == InstanceState::Starting);
        bench
    }
}

#[test]
fn the_newest_that_is_warm_has_the_place_in_whatever_order_they_are_heard() {
    let [one, two, three] = [old(60), old(40), old(20)];
    let cases = [
        ([WARM, WARM, WARM], Some((&three, InstanceState::Running))),
        ([WARM, WARM, COLD], Some((&two, InstanceState::Running))),
        ([WARM, COLD, COLD], Some((&one, InstanceState::Running))),
        ([COLD, COLD, COLD], Some((&three, InstanceState::Starting))),
        ([WARM, WARM, ASKED], Some((&two, InstanceState::Running))),
        ([WARM, ASKED, COLD], Some((&one, InstanceState::Running))),
        ([COLD, ASKED, ASKED], Some((&one, InstanceState::Starting))),
        ([ASKED, ASKED, ASKED], None),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        for (states, expected) in &cases {
            let workers = [&one, &two, &three];
            let mut bench = Bench::returning(&workers);
            let mut effects = Vec::new();
            for at in order {
                assert_eq!(
                    (bench.state(), &effects),
                    (InstanceState::Waiting, &vec![]),
                    "all are heard first"
                );
                effects = bench.tell(workers[at], found(states[at]));
            }
            let stays = expected.map(|(worker, state)| {
                assert_eq!(bench.state(), state, "{states:?}");
                worker
            });
            assert_eq!(started(&effects).is_some(), stays.is_none(), "{states:?}");
            assert!(stays.is_none() || bench.instance.worker() == stays, "{states:?}");
            for worker in workers {
                assert_eq!(effects.contains(&term(worker)), stays != Some(worker), "{states:?} {worker}");
            }
        }
    }
}

#[test]
fn one_that_crashed_unrecorded_is_written_down_and_has_no_place() {
    let (gone, lives) = (old(60), old(20));
    let mut bench = Bench::returning(&[&gone, &lives]);
    let now = bench.now;
    bench.tell(&gone, crashed(now));
    let record = recorded(&bench.tell(&gone, analysed(None)));
    assert!(record.is_some_and(|crash| crash.worker == gone));
    let effects = bench.tell(&lives, found(WARM));
    assert!(!effects.contains(&term(&lives)), "{effects:?}");
    assert_eq!((bench.instance.ready_worker(), bench.state()), (Some(&lives), InstanceState::Running));
    assert!(bench.tell(&gone, WorkerEvent::Recorded).contains(&Effect::Acknowledge { worker: gone }));
}

#[test]
fn one_that_dies_while_the_others_are_heard_has_no_place() {
    let (dies, silent) = (old(60), old(20));
    for end in [
        crashed(START),
        fatal(START, AffectedRequests::default()),
        WorkerEvent::Lost { affected: AffectedRequests::default() },
    ] {
        let mut bench = Bench::returning(&[&dies, &silent]);
        bench.tell(&dies, found(WARM));
        assert!(started(&bench.tell(&dies, end)).is_none(), "the other may live");
        let effects = bench.tell(&silent, WorkerEvent::Lost { affected: AffectedRequests::default() });
        assert!(started(&effects).is_some(), "{effects:?}");
    }
}

#[test]
fn a_place_that_nobody_is_on_starts_at_once_and_one_that_is_not_heard_after_two_seconds() {
    let mut bench = Bench::new();
    let effects = bench.run(|instance, now, effects| instance.returning(now, Some(BTreeSet::new()), effects));
    assert!(started(&effects).is_some());
    for awaited in [None, Some(BTreeSet::from([old(20)]))] {
        let mut bench = Bench::new();
        let effects = bench.run(|instance, now, effects| instance.returning(now, awaited, effects));
        assert!(started(&effects).is_none());
        bench.advance();
        assert_eq!(bench.now, START + 2 * SECOND);
        assert!(started(&bench.tick()).is_some());
    }
}

#[test]
fn who_there_is_may_be_known_later() {
    let worker = old(20);
    let mut bench = Bench::new();
    bench.run(|instance, now, effects| instance.returning(now, None, effects));
    let list = Some(BTreeSet::from([worker.clone()]));
    bench.run(|instance, now, effects| instance.returning(now, list, effects));
    bench.tell(&worker, found(WARM));
    assert_eq!(bench.instance.ready_worker(), Some(&worker));
    // and a list that comes after the time is over changes nothing
    let effects = bench.run(|instance, now, effects| instance.returning(now, None, effects));
    assert_eq!((effects, bench.instance.ready_worker()), (vec![], Some(&worker)));
}

#[test]
fn one_that_is_heard_late_takes_the_place_of_a_replacement_that_is_not_warm() {
    let late = old(20);
    for is_started in [false, true] {
        let mut bench = Bench::returning(&[&late]);
        bench.advance();
        let replacement = started(&bench.tick()).expect("a start");
        if is_started {
            bench.tell(&replacement, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
        }
        let effects = bench.tell(&late, found(WARM));
        assert!(effects.contains(&term(&replacement)), "{effects:?}");
        assert_eq!(bench.instance.ready_worker(), Some(&late));
        if !is_started {
            let effects =
                bench.tell(&replacement, WorkerEvent::Started { pid: 7, port: 20_000, armed: false });
            assert!(effects.contains(&term(&replacement)), "{effects:?}");
        }
        assert_eq!(bench.instance.ready_worker(), Some(&late));
    }
}

#[test]
fn one_that_is_heard_late_gives_way_to_a_newer_one_that_is_warm() {
    for state in [WARM, COLD, ASKED] {
        let late = old(20);
        let mut bench = Bench::returning(&[&late]);
        bench.advance();
        let replacement = started(&bench.tick()).expect("a start");
        bench.up(&replacement);
        let effects = bench.tell(&late, found(state));
        assert!(effects.contains(&term(&late)), "{effects:?}");
        assert_eq!(bench.instance.ready_worker(), Some(&replacement));
    }
}

#[test]
fn the_newer_of_two_takes_over_though_the_older_was_heard_first() {
    let (older, newer) = (old(60), old(20));
    let mut bench = Bench::returning(&[&older, &newer]);
    bench.tell(&older, found(WARM));
    bench.advance();
    bench.tick();
    assert_eq!(bench.instance.ready_worker(), Some(&older));
    let effects = bench.tell(&newer, found(WARM));
    assert!(effects.contains(&Effect::Drain { worker: older.clone() }), "{effects:?}");
    assert_eq!(bench.instance.ready_worker(), Some(&newer));
    assert!(bench.tell(&older, WorkerEvent::Drained).contains(&term(&older)));
}

#[test]
fn a_stop_waits_for_those_that_are_not_heard_yet() {
    let (one, other) = (old(60), old(20));
    let mut bench = Bench::returning(&[&one, &other]);
    bench.tell(&one, found(WARM));
    bench.run(Instance::stop);
    assert!(!bench.instance.is_stopped());
    let effects = bench.tell(&other, found(WARM));
    assert!(effects.contains(&term(&one)) && effects.contains(&term(&other)), "{effects:?}");
    for worker in [&one, &other] {
        assert!(!bench.instance.is_stopped());
        let end = ended(bench.now, Exit::Signal(Signal::TERM), Ending::Asked);
        bench.tell(worker, end);
    }
    assert!(bench.instance.is_stopped());
}

#[test]
fn a_worker_that_runs_what_it_should_not_is_replaced_at_once_while_it_takes_no_requests() {
    let up = || WorkerEvent::Started { pid: 8, port: 20_001, armed: false };
    let renew = |bench: &mut Bench, worker: &WorkerId| {
        let mut is_renewed = false;
        let effects = bench.run(|instance, now, effects| is_renewed = instance.renew(now, worker, effects));
        (is_renewed, effects)
    };
    let mut bench = Bench::new();
    let first = started(&bench.tick()).unwrap();
    bench.tell(&first, up());
    let (is_renewed, effects) = renew(&mut bench, &first);
    let second = started(&effects).expect("another");
    assert!(is_renewed && effects.contains(&term(&first)), "{effects:?}");
    bench.up(&second);
    assert_eq!(renew(&mut bench, &second), (false, vec![]), "it takes requests");
    let order = Order { at: bench.now, reason: RestartReason::ConfigurationChanged, evidence: None };
    let third =
        started(&bench.run(|place, now, effects| assert!(place.restart(now, order, effects)))).unwrap();
    bench.tell(&third, up());
    let (is_renewed, effects) = renew(&mut bench, &third);
    let fourth = started(&effects).expect("another");
    assert!(is_renewed && effects.contains(&term(&third)), "{effects:?}");
    assert_eq!(bench.instance.ready_worker(), Some(&second), "the old one stays meanwhile");
    bench.tell(&third, ended(bench.now, Exit::Signal(Signal::TERM), Ending::Asked));
    bench.tell(&fourth, up());
    bench.tell(&fourth, WorkerEvent::Listening);
    assert_eq!(bench.instance.ready_worker(), Some(&fourth));
}
