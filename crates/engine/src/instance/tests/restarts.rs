//! The overlapped restart: every way that it can go.

use super::*;
use crate::auto_heal::fuse::Fuse;
use model::auto_heal::Observation;
use model::auto_heal::event::EventKind;
use model::auto_heal::evidence::RefusalReason;
use model::auto_heal::fuse::{FuseNumbers, FuseState};
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome, RestartReason};
use model::crash_monitor::LastEnd;
use model::status::{InstanceMessage, RestartRefused, RestartStage};

fn order(now: Now) -> Order {
    Order { at: now, reason: RestartReason::ByHand { by: None }, evidence: None }
}

pub(super) fn restart_of(effects: &[Effect]) -> Option<Restart> {
    effects.iter().find_map(|effect| match effect {
        Effect::RecordRestart(restart) => Some((**restart).clone()),
        _ => None,
    })
}

fn why(restart: &Restart) -> &RestartFailure {
    match &restart.outcome {
        RestartOutcome::Failed { why } => why,
        RestartOutcome::Done => panic!("{restart:?}"),
    }
}

fn term(worker: &WorkerId) -> Effect {
    Effect::Signal { worker: worker.clone(), signal: Signal::TERM }
}

fn kill(worker: &WorkerId) -> Effect {
    Effect::Signal { worker: worker.clone(), signal: Signal::KILL }
}

impl Bench {
    fn restart(&mut self) -> WorkerId {
        let effects = self.run(|instance, now, effects| assert!(instance.restart(now, order(now), effects)));
        started(&effects).expect("a successor")
    }

    fn stage(&self) -> Option<RestartStage> {
        self.instance.status(self.now).restarting.map(|restarting| restarting.stage)
    }

    /// Runs, with a successor that has taken over and an old worker that drains.
    pub(super) fn replaced(&mut self) -> (WorkerId, WorkerId) {
        let old = self.running();
        let new = self.restart();
        self.tell(&new, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
        assert_eq!((self.instance.ready_worker(), self.stage()), (Some(&old), Some(RestartStage::WarmingUp)));
        self.now = self.now + SECOND;
        let effects = self.tell(&new, WorkerEvent::Listening);
        assert_eq!(effects.last(), Some(&Effect::Drain { worker: old.clone() }));
        assert_eq!((self.instance.ready_worker(), self.stage()), (Some(&new), Some(RestartStage::Draining)));
        (old, new)
    }

    fn asked_end(&self) -> WorkerEvent {
        let affected = AffectedRequests { drained: 3, failed: 1, ..AffectedRequests::default() };
        let exit = Exit::Signal(Signal::TERM);
        WorkerEvent::Ended {
            pid: 7,
            exit,
            ending: Ending::Asked,
            at: self.now.wall,
            uptime: 60 * SECOND,
            affected,
            fault: None,
        }
    }
}

#[test]
fn the_old_worker_drains_ends_and_is_recorded() {
    let mut bench = Bench::new();
    let (old, new) = bench.replaced();
    assert_eq!(bench.tell(&old, WorkerEvent::Drained), [term(&old)]);
    bench.now = bench.now + SECOND;
    let end = bench.asked_end();
    let effects = bench.tell(&old, end);
    assert!(effects.contains(&Effect::Acknowledge { worker: old.clone() }));
    let restart = restart_of(&effects).expect("a record");
    assert_eq!((restart.drained, restart.failed, restart.duration_ms), (3, 1, 2_000));
    assert_eq!((restart.old, restart.new, restart.outcome), (old, Some(new), RestartOutcome::Done));
    assert_eq!((bench.stage(), bench.instance.status(bench.now).ends_in_a_row), (None, 0));
}

#[test]
fn requests_that_do_not_end_are_waited_for_no_longer_than_the_grace_and_then_the_worker_as_long() {
    let mut bench = Bench::new();
    let (old, _) = bench.replaced();
    let taken_over = bench.now;
    bench.advance();
    assert_eq!((bench.now, bench.tick()), (taken_over + 10 * SECOND, vec![term(&old)]));
    assert_eq!(bench.tell(&old, WorkerEvent::Drained), [], "asked once");
    bench.advance();
    assert_eq!((bench.now, bench.tick()), (taken_over + 20 * SECOND, vec![kill(&old)]));
    assert_eq!(bench.instance.deadline(bench.now), None, "killed once");
}

#[test]
fn a_successor_that_is_not_warm_in_time_goes_and_the_old_worker_stays() {
    let mut bench = Bench::new();
    let old = bench.running();
    let new = bench.restart();
    bench.tell(&new, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
    bench.advance();
    let effects = bench.tick();
    assert_eq!(bench.now, START + 30 * SECOND);
    assert!(effects.contains(&term(&new)));
    let failure = RestartFailure::NewWorker {
        end: LastEnd::NotReady { limit_ms: 30_000, readiness: None, fault: None },
    };
    assert_eq!(why(&restart_of(&effects).unwrap()), &failure);
    assert_eq!((bench.instance.ready_worker(), bench.stage()), (Some(&old), None));
    bench.advance();
    assert_eq!(bench.tick(), [kill(&new)]);
    let message = bench.instance.status(bench.now).message;
    assert_eq!(message, Some(InstanceMessage::RestartFailed { why: failure }));
}

#[test]
fn a_successor_that_ends_or_cannot_start_leaves_the_old_worker_and_says_why() {
    let now = START;
    let signal = || LastEnd::Signal { signal: "SIGSEGV".to_owned() };
    let ways: [(LastEnd, WorkerEvent); 4] = [
        (LastEnd::StartFailed { reason: "x".to_owned() }, WorkerEvent::StartFailed { reason: "x".into() }),
        (signal(), crashed(now)),
        (signal(), fatal(START, AffectedRequests::default())),
        (LastEnd::ShimKilled, WorkerEvent::Lost { affected: AffectedRequests::default() }),
    ];
    for (end, input) in ways {
        let expected = RestartFailure::NewWorker { end };
        let mut bench = Bench::new();
        let old = bench.running();
        let new = bench.restart();
        let effects = bench.tell(&new, input);
        let restart = restart_of(&effects).unwrap_or_else(|| panic!("{expected:?}"));
        assert_eq!(why(&restart), &expected);
        assert_eq!((&restart.old, restart.new.as_ref()), (&old, Some(&new)));
        assert_eq!((bench.instance.ready_worker(), bench.stage()), (Some(&old), None), "{expected:?}");
        bench.restart();
    }
}

#[test]
fn a_crash_of_the_successor_is_recorded_too() {
    let mut bench = Bench::new();
    bench.running();
    let new = bench.restart();
    let now = bench.now;
    bench.tell(&new, crashed(now));
    assert!(recorded(&bench.tell(&new, analysed(None))).is_some());
}

#[test]
fn when_the_old_worker_ends_by_itself_the_successor_has_the_place() {
    for is_started in [false, true] {
        let mut bench = Bench::new();
        let old = bench.running();
        let new = bench.restart();
        let up = WorkerEvent::Started { pid: 8, port: 20_001, armed: false };
        if is_started {
            bench.tell(&new, up.clone());
        }
        let now = bench.now;
        let effects = bench.tell(&old, crashed(now));
        assert!(started(&effects).is_none(), "one successor is enough");
        assert_eq!(why(&restart_of(&effects).unwrap()), &RestartFailure::OldWorker);
        assert_eq!(bench.state(), InstanceState::Starting);
        if !is_started {
            bench.tell(&new, up);
        }
        bench.tell(&new, WorkerEvent::Listening);
        assert_eq!((bench.instance.ready_worker(), bench.state()), (Some(&new), InstanceState::Running));
    }
}

#[test]
fn one_restart_at_a_time_and_none_without_a_worker() {
    let mut bench = Bench::new();
    let refusal = |bench: &mut Bench| {
        let refused = bench.instance.status(bench.now).restart_refused();
        let begun = bench.instance.restart(bench.now, order(bench.now), &mut bench.effects);
        assert_eq!(begun, refused.is_none());
        refused
    };
    let not_running = |state| Some(RestartRefused::NotRunning { state });
    let is_under_way = |refused| matches!(refused, Some(RestartRefused::UnderWay(_)));
    assert_eq!(refusal(&mut bench), not_running(InstanceState::Waiting));
    let (old, _) = bench.replaced();
    assert!(is_under_way(refusal(&mut bench)), "the old one drains");
    bench.tell(&old, WorkerEvent::Drained);
    let end = bench.asked_end();
    bench.tell(&old, end);
    assert_eq!(refusal(&mut bench), None);
    assert!(is_under_way(refusal(&mut bench)));
    bench.run(Instance::stop);
    assert_eq!(refusal(&mut bench), not_running(InstanceState::Stopping));
}

#[test]
fn a_rule_that_is_broken_while_the_last_restart_drains_is_told_and_costs_nothing() {
    let mut bench = Bench::new();
    let (old, new) = bench.replaced();
    let mut fuse = Fuse::new(FuseNumbers::default(), FuseState::default());
    let full = Observation { private_bytes: Some(1_790 << 20), ..Observation::default() };
    let mut observe = |bench: &mut Bench, seconds: u32| {
        let mut effects = Vec::new();
        for _ in 0..seconds {
            bench.now = bench.now + SECOND;
            let seen = full.clone();
            effects.extend(
                bench.run(|instance, now, effects| instance.observe(now, &new, seen, &mut fuse, effects)),
            );
        }
        let told = |effect: &&Effect| {
            let Effect::RecordEvent(event) = effect else { return false };
            event.what == EventKind::Refused { refused: RefusalReason::RestartUnderWay }
        };
        (started(&effects).is_some(), effects.iter().filter(told).count(), fuse.state().restarts.len())
    };
    assert_eq!(observe(&mut bench, 40), (false, 1, 0));
    assert_eq!(
        bench
            .instance
            .healing_status(bench.now, &Fuse::new(FuseNumbers::default(), FuseState::default()))
            .status
            .last,
        None
    );
    let end = bench.asked_end();
    bench.tell(&old, end);
    assert_eq!(observe(&mut bench, 40), (true, 0, 1));
}

#[test]
fn a_crash_while_draining_is_recorded_beside_the_restart_and_starts_nothing() {
    let mut bench = Bench::new();
    let (old, new) = bench.replaced();
    let now = bench.now;
    let effects = bench.tell(&old, crashed(now));
    assert_eq!(restart_of(&effects).unwrap().outcome, RestartOutcome::Done);
    assert!(started(&effects).is_none());
    assert!(recorded(&bench.tell(&old, analysed(None))).is_some());
    assert_eq!(bench.instance.ready_worker(), Some(&new));
}

#[test]
fn stopping_ends_both_workers_and_waits_for_both() {
    for taken_over in [false, true] {
        let mut bench = Bench::new();
        let (old, new) = if taken_over {
            bench.replaced()
        } else {
            let old = bench.running();
            let new = bench.restart();
            bench.tell(&new, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
            (old, new)
        };
        let effects = bench.run(Instance::stop);
        assert!(effects.contains(&term(&old)) && effects.contains(&term(&new)), "{effects:?}");
        let end = bench.asked_end();
        bench.tell(&old, end.clone());
        assert!(!bench.instance.is_stopped());
        bench.tell(&new, end);
        assert!(bench.instance.is_stopped());
        assert_eq!(bench.instance.deadline(bench.now), None);
    }
}

#[test]
fn a_successor_that_comes_after_it_was_given_up_goes() {
    let mut bench = Bench::new();
    let old = bench.running();
    let new = bench.restart();
    bench.advance();
    bench.tick();
    let effects = bench.tell(&new, WorkerEvent::Started { pid: 8, port: 20_001, armed: false });
    assert!(effects.contains(&term(&new)));
    assert_eq!(bench.instance.ready_worker(), Some(&old));
    let end = bench.asked_end();
    assert!(restart_of(&bench.tell(&new, end)).is_none(), "recorded once");
}

#[test]
fn a_draining_worker_that_crashes_under_the_debugger_keeps_its_toll() {
    let mut bench = Bench::new();
    let (old, _) = bench.replaced();
    let affected = AffectedRequests { count: 2, drained: 3, failed: 1, ..AffectedRequests::default() };
    bench.tell(&old, fatal(bench.now, affected));
    let now = bench.now;
    let restart = restart_of(&bench.tell(&old, crashed(now))).expect("a record");
    assert_eq!((restart.drained, restart.failed), (3, 1));
    let crash = recorded(&bench.tell(&old, analysed(None))).expect("a record");
    assert_eq!(crash.in_flight_count, 2);
}
