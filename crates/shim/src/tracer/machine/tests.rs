mod believed;
mod tree;

use super::*;
use crate::sys::ptrace::StopsFor;
use crate::tracer::events::Event::{
    Capture, Copied, Ended, Leave, PassOn, Reconsider, Seized, Stopped, Tick,
};
use crate::tracer::events::Request::{Interrupt, LetGo, Listen, Resume, SetStops};
use tree::Tree;

const UNTIL: Duration = Duration::from_millis(500);

fn signal(tid: Pid, signal: i32) -> Event {
    Stopped { tid, stop: Stop { signal, event: 0 } }
}

fn event(tid: Pid, event: i32) -> Event {
    Stopped { tid, stop: Stop { signal: libc::SIGTRAP, event } }
}

/// A new thread's, or after an interrupt.
fn first(tid: Pid) -> Event {
    event(tid, ptrace::EVENT_STOP)
}

fn killed(tid: Pid, signal: i32) -> Event {
    Ended { tid, exit: Exit::Signal(Signal(signal)) }
}

fn resumed(tid: Pid, signal: i32) -> Request {
    Resume { tid, signal }
}

fn let_go(tid: Pid, event: i32) -> Request {
    LetGo { tid, stop: Stop { signal: libc::SIGTRAP, event } }
}

fn set_stops(tid: Pid, forks: bool, exit: bool) -> Request {
    SetStops { tid, stops: StopsFor { forks, exit } }
}

fn fatal_signal(tid: Pid) -> FatalSignal {
    FatalSignal { tid, signal: Signal(SEGV), info: tree::info(tid) }
}

fn fatal(pid: Pid, tid: Pid) -> Report {
    Report::Fatal { pid, fatal: fatal_signal(tid) }
}

fn still(pid: Pid, tid: Pid, threads: &[Pid]) -> Report {
    Report::Still { pid, fatal: fatal_signal(tid), threads: threads.to_vec() }
}

fn gone(pid: Pid, signal: i32) -> Report {
    Report::Ended { pid, exit: Exit::Signal(Signal(signal)) }
}

type Row<'a> = (Event, &'a [Request], &'a [Report]);

/// Goes through the rows; the machine afterwards.
fn run(name: &str, tree: &mut Tree, rows: &[Row<'_>]) -> Machine {
    let mut machine = Machine::default();
    for (number, (event, requests, reports)) in rows.iter().enumerate() {
        let outcome = machine.step(*event, tree);
        let expected = Outcome { requests: requests.to_vec(), reports: reports.to_vec() };
        assert_eq!(outcome, expected, "{name}, row {number}: {event:?}");
    }
    machine
}

const SEGV: i32 = libc::SIGSEGV;

#[test]
fn signals_go_to_whom_they_are_for_and_only_the_death_of_what_serves_is_held() {
    let mut tree = Tree::default()
        .with(10, 1, "gunicorn")
        .with(11, 10, "gunicorn")
        .with(12, 10, "gunicorn")
        .serving(&[10, 11])
        .handling(10, SEGV);
    run(
        "signals",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (first(11), &[resumed(11, 0)], &[]),
            (first(12), &[resumed(12, 0)], &[]),
            // harmless, handled, of a process that does not serve
            (signal(10, libc::SIGTERM), &[resumed(10, libc::SIGTERM)], &[]),
            (signal(10, SEGV), &[resumed(10, SEGV)], &[]),
            (signal(12, SEGV), &[resumed(12, SEGV)], &[]),
            (killed(12, SEGV), &[], &[gone(12, SEGV)]),
            (signal(11, SEGV), &[], &[fatal(11, 11)]),
            (PassOn { pid: 11 }, &[resumed(11, SEGV)], &[]),
            (killed(11, SEGV), &[], &[gone(11, SEGV)]),
        ],
    );
    assert_eq!(tree.forgotten, [12, 11]);
}

#[test]
fn an_abort_that_is_handled_is_told_where_the_parent_has_sent_it() {
    let abort = libc::SIGABRT;
    let mut tree = Tree::default().with(10, 1, "app").with(11, 10, "app").with(12, 10, "app");
    tree = tree.serving(&[10, 11, 12]).handling(11, abort).handling(12, abort);
    tree.signaled_by_parent.insert(11);
    run(
        "aborts",
        &mut tree,
        &[
            (Seized { tid: 11, pid: 11 }, &[], &[]),
            (Seized { tid: 12, pid: 12 }, &[], &[]),
            (signal(11, abort), &[resumed(11, abort)], &[Report::Aborted { pid: 11 }]),
            (signal(12, abort), &[resumed(12, abort)], &[]),
            (signal(11, libc::SIGTERM), &[resumed(11, libc::SIGTERM)], &[]),
        ],
    );
}

#[test]
fn job_control_stops_stay_stops() {
    let mut tree = Tree::default().with(10, 1, "app").serving(&[10]);
    let stopped = Stopped { tid: 10, stop: Stop { signal: libc::SIGTSTP, event: ptrace::EVENT_STOP } };
    run(
        "job control",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (signal(10, libc::SIGTSTP), &[resumed(10, libc::SIGTSTP)], &[]),
            (stopped, &[Listen { tid: 10 }], &[]),
            (first(10), &[resumed(10, 0)], &[]),
            (signal(10, libc::SIGCONT), &[resumed(10, libc::SIGCONT)], &[]),
        ],
    );
}

#[test]
fn a_dying_process_stands_still_and_the_others_do_not() {
    let mut tree = Tree::default()
        .with(10, 1, "app")
        .with(20, 10, "app")
        .thread(21, 20)
        .thread(22, 20)
        .serving(&[10, 20]);
    let machine = run(
        "capture",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (first(20), &[resumed(20, 0)], &[]),
            (first(21), &[resumed(21, 0)], &[]),
            (signal(21, SEGV), &[], &[fatal(20, 21)]),
            (Capture { pid: 20, until: UNTIL }, &[Interrupt { tid: 20 }], &[]),
            // a thread that was just made is stopped too, and so is one that is about to get a signal
            (first(22), &[], &[]),
            (signal(10, libc::SIGUSR1), &[resumed(10, libc::SIGUSR1)], &[]),
            (signal(20, libc::SIGTERM), &[], &[still(20, 21, &[20, 21, 22])]),
            (signal(10, libc::SIGUSR1), &[resumed(10, libc::SIGUSR1)], &[]),
            (Copied { pid: 20 }, &[resumed(21, SEGV), resumed(20, libc::SIGTERM), resumed(22, 0)], &[]),
            // fatal in a second thread on the way
            (signal(22, SEGV), &[resumed(22, SEGV)], &[]),
            (killed(21, SEGV), &[], &[]),
            (killed(22, SEGV), &[], &[]),
            (killed(20, SEGV), &[], &[gone(20, SEGV)]),
            (signal(10, libc::SIGCHLD), &[resumed(10, libc::SIGCHLD)], &[]),
        ],
    );
    assert!(machine.has_process(10) && !machine.has_process(20) && machine.awaited().is_empty());
}

#[test]
fn two_processes_are_captured_at_the_same_time() {
    let mut tree = Tree::default().with(20, 10, "app").thread(21, 20).with(30, 10, "app").serving(&[20, 30]);
    let machine = run(
        "two captures",
        &mut tree,
        &[
            (Seized { tid: 20, pid: 20 }, &[], &[]),
            (Seized { tid: 21, pid: 20 }, &[], &[]),
            (Seized { tid: 30, pid: 30 }, &[], &[]),
            (signal(20, SEGV), &[], &[fatal(20, 20)]),
            (Capture { pid: 20, until: UNTIL }, &[Interrupt { tid: 21 }], &[]),
            (signal(30, SEGV), &[], &[fatal(30, 30)]),
            (Capture { pid: 30, until: UNTIL }, &[], &[still(30, 30, &[30])]),
            (first(21), &[], &[still(20, 20, &[20, 21])]),
            (Copied { pid: 30 }, &[resumed(30, SEGV)], &[]),
            // twice, and of nobody: nothing
            (Copied { pid: 30 }, &[], &[]),
            (Copied { pid: 7 }, &[], &[]),
            (Copied { pid: 20 }, &[resumed(20, SEGV), resumed(21, 0)], &[]),
        ],
    );
    assert!(machine.deadline().is_none());
}

#[test]
fn what_does_not_stop_in_time_is_left_out() {
    let mut tree = Tree::default().with(20, 1, "app").thread(21, 20).thread(22, 20).serving(&[20]);
    let mut machine = run(
        "late",
        &mut tree,
        &[
            (Seized { tid: 20, pid: 20 }, &[], &[]),
            (Seized { tid: 21, pid: 20 }, &[], &[]),
            (Seized { tid: 22, pid: 20 }, &[], &[]),
            (signal(22, SEGV), &[], &[fatal(20, 22)]),
            (Capture { pid: 20, until: UNTIL }, &[Interrupt { tid: 20 }, Interrupt { tid: 21 }], &[]),
            (first(20), &[], &[]),
            (Tick { now: UNTIL / 2 }, &[], &[]),
        ],
    );
    assert_eq!((machine.deadline(), machine.awaited()), (Some(UNTIL), vec![21]));
    let outcome = machine.step(Tick { now: UNTIL }, &mut tree);
    assert_eq!(outcome.reports, [still(20, 22, &[20, 22])]);
    // it stops after all
    assert_eq!(machine.step(first(21), &mut tree), Outcome::default());
    let outcome = machine.step(Copied { pid: 20 }, &mut tree);
    assert_eq!(outcome.requests, [resumed(22, SEGV), resumed(20, 0), resumed(21, 0)], "the fatal one first");
}

#[test]
fn threads_that_end_meanwhile_are_not_waited_for() {
    let tree = || Tree::default().with(20, 1, "app").thread(21, 20).serving(&[20]);
    let until_fatal: [Row<'_>; 3] = [
        (Seized { tid: 20, pid: 20 }, &[], &[]),
        (Seized { tid: 21, pid: 20 }, &[], &[]),
        (signal(21, SEGV), &[], &[fatal(20, 21)]),
    ];
    let asked: Row<'_> = (Capture { pid: 20, until: UNTIL }, &[Interrupt { tid: 20 }], &[]);
    // the main thread had ended before
    let mut old = tree();
    old.ended.insert(20);
    let at_once: Row<'_> = (Capture { pid: 20, until: UNTIL }, &[], &[still(20, 21, &[21])]);
    let ends: Row<'_> = (killed(20, SEGV), &[], &[gone(20, SEGV)]);
    let dies: Row<'_> = (Copied { pid: 20 }, &[resumed(21, SEGV)], &[]);
    run("main thread", &mut old, &[&until_fatal[..], &[at_once, dies, ends]].concat());
    // killed from outside: the end comes, and the copy of nothing
    let ended: Row<'_> = (killed(21, libc::SIGKILL), &[], &[]);
    let all: Row<'_> = (killed(20, libc::SIGKILL), &[], &[gone(20, libc::SIGKILL)]);
    let nobody: Row<'_> = (Copied { pid: 20 }, &[], &[]);
    run("killed", &mut tree(), &[&until_fatal[..], &[asked, ended, all, nobody]].concat());
}

#[test]
fn what_a_process_with_a_request_in_its_hands_starts_is_let_go_before_it_runs_anything() {
    let mut tree =
        Tree::default().with(20, 10, "app").with(30, 20, "app").with(31, 20, "app").starting_helpers(20);
    let fork = libc::PTRACE_EVENT_VFORK;
    let machine = run(
        "helpers",
        &mut tree,
        &[
            (Seized { tid: 20, pid: 20 }, &[], &[]),
            // in either order
            (first(30), &[let_go(30, ptrace::EVENT_STOP)], &[]),
            (event(20, fork), &[set_stops(20, false, false), resumed(20, 0)], &[]),
            // one that was on its way already
            (event(20, fork), &[resumed(20, 0)], &[]),
            (first(31), &[let_go(31, ptrace::EVENT_STOP)], &[]),
            // its end is no news from the debugger, and the parent is told
            (signal(20, libc::SIGCHLD), &[resumed(20, libc::SIGCHLD)], &[]),
        ],
    );
    assert!(!machine.has_process(30));
}

#[test]
fn one_that_turns_out_to_be_a_master_is_followed_again() {
    let mut tree = Tree::default().with(20, 10, "node").with(31, 20, "node").starting_helpers(20);
    let mut machine = run(
        "master",
        &mut tree,
        &[
            (Seized { tid: 20, pid: 20 }, &[], &[]),
            (event(20, libc::PTRACE_EVENT_FORK), &[set_stops(20, false, false), resumed(20, 0)], &[]),
        ],
    );
    assert_eq!(machine.step(Reconsider, &mut tree), Outcome::default());
    tree.starting_helpers.clear();
    // nothing is asked for with each signal
    let outcome = machine.step(signal(20, libc::SIGCHLD), &mut tree);
    assert_eq!(outcome.requests, [resumed(20, libc::SIGCHLD)]);
    assert_eq!(machine.step(Reconsider, &mut tree).requests, [Interrupt { tid: 20 }]);
    assert_eq!(machine.step(Reconsider, &mut tree), Outcome::default());
    let outcome = machine.step(first(20), &mut tree);
    assert_eq!(outcome.requests, [set_stops(20, true, false), resumed(20, 0)]);
    assert_eq!(machine.step(first(31), &mut tree).requests, [resumed(31, 0)]);
}

#[test]
fn a_program_of_its_own_below_one_that_serves_is_a_helper() {
    let exec = libc::PTRACE_EVENT_EXEC;
    // parent serves, program of the child, is it let go?
    for (serves, program, is_let_go) in
        [(true, "git", true), (true, "app", false), (false, "git", false), (false, "app", false)]
    {
        let mut tree = Tree::default().with(10, 1, "app").with(20, 10, program).thread(25, 20);
        if serves {
            tree = tree.serving(&[10]);
        }
        let goes_on = [set_stops(20, true, false), resumed(20, 0)];
        let after: &[Request] = if is_let_go { &[let_go(20, exec)] } else { &goes_on };
        let machine = run(
            "exec",
            &mut tree,
            &[
                (Seized { tid: 10, pid: 10 }, &[], &[]),
                (first(20), &[resumed(20, 0)], &[]),
                // the thread that runs the program: it has the process's number now, and no end of its own
                (first(25), &[resumed(25, 0)], &[]),
                (event(20, exec), after, &[]),
            ],
        );
        assert_eq!(machine.has_process(20), !is_let_go);
        assert_eq!(machine.threads.len(), if is_let_go { 1 } else { 2 });
        assert_eq!(tree.ran_anew, [20]);
    }
    // nobody below a launcher is lost
    let mut tree = Tree::default().with(10, 1, "sh").serving(&[10]);
    run(
        "the first process",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (event(10, exec), &[set_stops(10, true, false), resumed(10, 0)], &[]),
        ],
    );
}

#[test]
fn whoever_comes_otherwise_is_none_of_ours() {
    // a process that asked for a debugger by itself, a thread of one that was let go, one that is gone
    let mut tree = Tree::default().with(40, 1, "app").with(41, 1, "app").thread(42, 41);
    run(
        "strangers",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (signal(40, SEGV), &[LetGo { tid: 40, stop: Stop { signal: SEGV, event: 0 } }], &[]),
            (first(42), &[let_go(42, ptrace::EVENT_STOP)], &[]),
            (first(43), &[let_go(43, ptrace::EVENT_STOP)], &[]),
            (killed(44, SEGV), &[], &[gone(44, SEGV)]),
        ],
    );
}

#[test]
fn all_are_let_go_but_who_is_dying() {
    let mut tree = Tree::default()
        .with(10, 1, "app")
        .thread(11, 10)
        .with(20, 10, "app")
        .with(21, 10, "app")
        .serving(&[10, 20]);
    let mut machine = run(
        "leave",
        &mut tree,
        &[
            (Seized { tid: 10, pid: 10 }, &[], &[]),
            (Seized { tid: 11, pid: 10 }, &[], &[]),
            (Seized { tid: 20, pid: 20 }, &[], &[]),
            (signal(20, SEGV), &[], &[fatal(20, 20)]),
            (Capture { pid: 20, until: UNTIL }, &[], &[still(20, 20, &[20])]),
            (Leave, &[Interrupt { tid: 10 }, Interrupt { tid: 11 }], &[]),
            (first(10), &[let_go(10, ptrace::EVENT_STOP)], &[]),
            // what comes first is what it gets
            (
                signal(11, libc::SIGTERM),
                &[LetGo { tid: 11, stop: Stop { signal: libc::SIGTERM, event: 0 } }],
                &[],
            ),
            (first(21), &[let_go(21, ptrace::EVENT_STOP)], &[]),
        ],
    );
    assert!(machine.is_leaving() && !machine.has_to_let_go() && !machine.is_empty());
    assert_eq!(machine.step(Copied { pid: 20 }, &mut tree).requests, [resumed(20, SEGV)]);
    assert_eq!(machine.step(killed(20, SEGV), &mut tree).reports, [gone(20, SEGV)]);
    assert!(machine.is_empty());
}
