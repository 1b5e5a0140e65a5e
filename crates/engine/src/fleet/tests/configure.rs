//! The configuration is read again: tables of what becomes of each app and instance.

mod any_run;
mod machine;

use super::*;
use crate::instance::WorkerEvent;
use machine::{Life, Machine, named};
use model::auto_heal::restart::{RestartFailure, RestartOutcome};

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
