//! Any run of configurations, crashes, ends and delays: nobody is started twice, left behind or forgotten.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::machine::{Machine, named};
use super::*;

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
