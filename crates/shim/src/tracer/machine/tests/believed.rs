//! Faults that a process handles over and over.

use super::*;

const EXIT: i32 = libc::PTRACE_EVENT_EXIT;

/// More than are asked about.
const MANY: usize = 200;

/// A process whose main thread has handled many faults; 21 is another thread of it.
fn used_to_faults(tree: &mut Tree) -> Machine {
    let mut machine =
        run("start", tree, &[(Seized { tid: 20, pid: 20 }, &[], &[]), (first(21), &[resumed(21, 0)], &[])]);
    let mut told = Vec::new();
    tree.asked = 0;
    for _ in 0..MANY {
        let outcome = machine.step(signal(20, SEGV), tree);
        assert!(outcome.reports.is_empty());
        let (last, others) = outcome.requests.split_last().unwrap();
        assert_eq!(*last, resumed(20, SEGV));
        told.extend_from_slice(others);
    }
    if tree.leaving_cores.is_empty() {
        assert_eq!(told, [set_stops(20, true, true)]);
        assert!(tree.asked < MANY);
    } else {
        assert_eq!((told.len(), tree.asked), (0, MANY));
    }
    machine
}

fn tree() -> Tree {
    Tree::default().with(20, 1, "app").thread(21, 20).serving(&[20]).handling(20, SEGV)
}

#[test]
fn a_fault_that_is_fatal_after_all_is_held_at_the_exit() {
    let mut tree = tree();
    let mut machine = used_to_faults(&mut tree);
    tree.handling.clear();
    assert_eq!(machine.step(signal(20, SEGV), &mut tree).requests, [resumed(20, SEGV)]);
    tree.dying_of.insert(20, SEGV);
    assert_eq!(machine.step(event(20, EXIT), &mut tree).reports, [fatal(20, 20)]);
    let outcome = machine.step(Capture { pid: 20, until: UNTIL }, &mut tree);
    assert_eq!(outcome.requests, [Interrupt { tid: 21 }]);
    // it does not stop for that any more
    assert_eq!(machine.step(killed(21, SEGV), &mut tree).reports, [still(20, 20, &[20])]);
    assert_eq!(machine.step(Copied { pid: 20 }, &mut tree).requests, [resumed(20, 0)]);
    assert_eq!(machine.step(killed(20, SEGV), &mut tree).reports, [gone(20, SEGV)]);
}

#[test]
fn another_end_is_let_pass() {
    for died_of in [None, Some(libc::SIGKILL), Some(libc::SIGBUS)] {
        let mut tree = tree();
        let mut machine = used_to_faults(&mut tree);
        tree.dying_of.extend(died_of.map(|signal| (20, signal)));
        let outcome = machine.step(event(20, EXIT), &mut tree);
        assert_eq!((outcome.requests, outcome.reports), (vec![resumed(20, 0)], vec![]), "{died_of:?}");
    }
}

#[test]
fn what_another_thread_dies_of_is_held_before_it_comes() {
    let mut tree = tree();
    let mut machine = used_to_faults(&mut tree);
    tree.handling.clear();
    assert_eq!(machine.step(signal(21, SEGV), &mut tree).reports, [fatal(20, 21)]);
    assert_eq!(machine.step(PassOn { pid: 20 }, &mut tree).requests, [resumed(21, SEGV)]);
    tree.dying_of.insert(20, SEGV);
    let outcome = machine.step(event(20, EXIT), &mut tree);
    assert_eq!((outcome.requests, outcome.reports), (vec![resumed(20, 0)], vec![]));
}

#[test]
fn another_program_and_another_fault_are_asked_about() {
    let mut tree = tree();
    let mut machine = used_to_faults(&mut tree);
    let ill = libc::SIGILL;
    assert_eq!(machine.step(signal(20, ill), &mut tree).reports.len(), 1, "the default action");
    let mut machine = used_to_faults(&mut tree);
    // its handlers are gone, and whichever thread ran it has the number
    tree.handling.clear();
    let exec = libc::PTRACE_EVENT_EXEC;
    assert_eq!(
        machine.step(event(20, exec), &mut tree).requests,
        [set_stops(20, true, false), resumed(20, 0)]
    );
    assert_eq!(machine.step(signal(20, SEGV), &mut tree).reports, [fatal(20, 20)]);
}

#[test]
fn each_fault_is_asked_about_where_a_core_would_come_before_the_exit() {
    let mut tree = tree();
    tree.leaving_cores.insert(20);
    let mut machine = used_to_faults(&mut tree);
    tree.handling.clear();
    assert_eq!(machine.step(signal(20, SEGV), &mut tree).reports, [fatal(20, 20)]);
}
