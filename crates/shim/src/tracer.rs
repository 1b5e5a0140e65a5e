//! The debugger on a worker's processes: follows them and all their threads, passes their signals on, and holds the process that
//! is about to die.
//!
//! [`Machine`] decides, without the kernel: there is the diagram of what a process goes through. Here its requests are carried
//! out. Everything must be called from the thread that attached, since the kernel listens to no other. So that thread waits for
//! nothing: a process that stands still is copied elsewhere, while the others are served.
//!
//! The first process is seized before its program runs, with what it forks; a tree that runs already is seized process by
//! process. What a process that serves starts besides is let go: at its first stop, before it runs anything, where its parent has
//! a request in its hands, so that a program with more rights than its caller (set-user-id) still gets them. Its death is its
//! parent's business, as is everybody's `wait`: the kernel passes each end on once the debugger has seen it.
//!
//! `PTRACE_O_EXITKILL` is not set: a shim that dies must not be what kills a worker by this way too.

mod attach;
mod events;
mod facts;
mod handled;
mod machine;
mod thread;

use std::collections::{BTreeMap, VecDeque};

use model::Clock;

pub(crate) use self::attach::AttachError;
use self::attach::seize_all;
use self::events::{Event, Request, Stop};
pub(crate) use self::events::{FatalSignal, Report};
use self::facts::Kernel;
use self::machine::{Machine, STOP_LIMIT};
use crate::proc_status::Dispositions;
use crate::serving_rule::ServingRule;
use crate::sys::process::{Change, next_change, next_change_of};
use crate::sys::{Pid, ptrace, signals};

/// How often the tree is looked at again for processes that were made while it was being attached to.
const ROUNDS: usize = 100;

/// How often the kernel is asked for the next change when a signal was just passed on, before the caller may go to sleep. A
/// runtime that handles one often handles thousands, and a wake-up for each would cost more than the signal. Ours: a handler
/// takes a few microseconds, and so do these calls.
const TRIES_AFTER_SIGNAL: usize = 20;

/// The debugger, attached.
pub(crate) struct Tracer {
    clock: &'static dyn Clock,
    machine: Machine,
    dispositions: BTreeMap<Pid, Dispositions>,
    /// What came up while everything was being let go.
    aside: VecDeque<Report>,
    /// The last change was a signal that its process deals with.
    passed_on: bool,
}

impl Tracer {
    /// Attaches to the main process, which must be possible, and to what else serves, as far as it is.
    pub(crate) fn attach(
        main: Pid,
        rule: &mut dyn ServingRule,
        clock: &'static dyn Clock,
    ) -> Result<Self, AttachError> {
        let mut tracer = Self {
            clock,
            machine: Machine::default(),
            dispositions: BTreeMap::new(),
            aside: VecDeque::new(),
            passed_on: false,
        };
        match tracer.seize(main, rule) {
            Ok(()) => {
                tracer.follow(rule);
                Ok(tracer)
            }
            Err(error) => {
                tracer.detach(rule);
                Err(error)
            }
        }
    }

    /// Attaches to whatever serves, or is a master, and is not ours yet. A master's next children are ours by themselves, so a
    /// round that finds nobody new is the last. To be called whenever who serves may have changed.
    pub(crate) fn follow(&mut self, rule: &mut dyn ServingRule) {
        self.step(Event::Reconsider, rule);
        for _ in 0..ROUNDS {
            let mut found = false;
            for pid in rule.watched() {
                // one that ends, or may not be debugged, leaves the others as they are
                found |= !self.machine.has_process(pid) && self.seize(pid, rule).is_ok();
            }
            if !found || self.is_leaving() {
                return;
            }
        }
    }

    /// It is attached to this process.
    pub(crate) fn follows(&self, pid: Pid) -> bool {
        self.machine.has_process(pid)
    }

    fn seize(&mut self, pid: Pid, rule: &mut dyn ServingRule) -> Result<(), AttachError> {
        let mut ours = Vec::new();
        let result = seize_all(pid, |tid| ours.push(tid));
        for tid in ours {
            self.step(Event::Seized { tid, pid }, rule);
        }
        result
    }

    /// Deals with the next thing that happened to any child or traced thread; `None` where nothing has.
    pub(crate) fn next(&mut self, rule: &mut dyn ServingRule) -> Option<Vec<Report>> {
        if let Some(report) = self.aside.pop_front() {
            return Some(vec![report]);
        }
        let reports = self.take_awaited(rule);
        if !reports.is_empty() {
            return Some(reports);
        }
        let change = if std::mem::take(&mut self.passed_on) {
            (0..TRIES_AFTER_SIGNAL).find_map(|_| {
                // the worker may need this processor to get there
                std::thread::yield_now();
                next_change()
            })
        } else {
            next_change()
        };
        let (tid, change) = change?;
        Some(self.take(tid, change, rule))
    }

    /// What is waited for is asked for one by one: to look for whatever changed first takes the kernel a pass over all threads,
    /// each time.
    fn take_awaited(&mut self, rule: &mut dyn ServingRule) -> Vec<Report> {
        let mut reports = Vec::new();
        if self.machine.deadline().is_some() {
            for tid in self.machine.awaited() {
                let Some(change) = next_change_of(tid) else { break };
                reports.extend(self.take(tid, change, rule));
            }
        }
        reports
    }

    fn take(&mut self, tid: Pid, change: Change, rule: &mut dyn ServingRule) -> Vec<Report> {
        let event = match change {
            Change::Ended(exit) => Event::Ended { tid, exit },
            Change::Stopped { signal, event } => Event::Stopped { tid, stop: Stop { signal, event } },
        };
        self.step(event, rule)
    }

    /// Has a process that was held before its fatal signal stand still.
    pub(crate) fn capture(&mut self, pid: Pid, rule: &mut dyn ServingRule) -> Vec<Report> {
        let until = self.clock.monotonic() + STOP_LIMIT;
        let mut reports = self.step(Event::Capture { pid, until }, rule);
        reports.extend(self.take_awaited(rule));
        reports
    }

    /// Lets a process that was held before its fatal signal die of it.
    pub(crate) fn pass_on(&mut self, pid: Pid, rule: &mut dyn ServingRule) {
        self.step(Event::PassOn { pid }, rule);
    }

    /// The same for one that stood still.
    pub(crate) fn copied(&mut self, pid: Pid, rule: &mut dyn ServingRule) {
        self.step(Event::Copied { pid }, rule);
    }

    /// When [`Tracer::check_time`] has something to do, by the monotonic clock.
    pub(crate) fn deadline(&self) -> Option<std::time::Duration> {
        self.machine.deadline()
    }

    /// Waits no longer for threads that have had their time to stop.
    pub(crate) fn check_time(&mut self, rule: &mut dyn ServingRule) -> Vec<Report> {
        self.step(Event::Tick { now: self.clock.monotonic() }, rule)
    }

    /// Lets everything go, but for a process on the way to its death. A thread that does not stop in time is let go when it does.
    pub(crate) fn detach(&mut self, rule: &mut dyn ServingRule) {
        self.step(Event::Leave, rule);
        let deadline = self.clock.monotonic() + STOP_LIMIT;
        while self.machine.has_to_let_go() {
            if let Some((tid, change)) = next_change() {
                let reports = self.take(tid, change, rule);
                self.aside.extend(reports);
                continue;
            }
            let left = deadline.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            signals::wait_for_child(left);
        }
    }

    /// Nothing is traced and nothing was put aside any more.
    pub(crate) fn is_done(&self) -> bool {
        self.machine.is_empty() && self.aside.is_empty()
    }

    /// It is being detached, or was.
    pub(crate) fn is_leaving(&self) -> bool {
        self.machine.is_leaving()
    }

    fn step(&mut self, event: Event, rule: &mut dyn ServingRule) -> Vec<Report> {
        let outcome = self.machine.step(event, &mut Kernel { rule, dispositions: &mut self.dispositions });
        for request in outcome.requests {
            self.carry_out(request);
        }
        outcome.reports
    }

    fn carry_out(&mut self, request: Request) {
        // a thread that is gone meanwhile is reported by wait
        let _gone_meanwhile = match request {
            Request::Resume { tid, signal } => {
                // a child's end brings no other
                self.passed_on = !matches!(signal, 0 | libc::SIGCHLD);
                ptrace::resume(tid, signal)
            }
            Request::Listen { tid } => ptrace::listen(tid),
            Request::Interrupt { tid } => ptrace::interrupt(tid),
            Request::SetStops { tid, stops } => ptrace::set_stops(tid, stops),
            Request::LetGo { tid, stop } => {
                let_go(tid, stop);
                Ok(())
            }
        };
    }
}

/// The next thing that happened to any child while there is no debugger.
pub(crate) fn next_untraced() -> Option<Vec<Report>> {
    Some(match next_change()? {
        (pid, Change::Ended(exit)) => vec![Report::Ended { pid, exit }],
        // a thread that was made while the debugger was detached, or a process that asked for a debugger by itself: nobody else
        // will ever let it run on
        (tid, Change::Stopped { signal, event }) => {
            let_go(tid, Stop { signal, event });
            Vec::new()
        }
    })
}

/// Lets a thread that nobody debugs run on, as if it had not been stopped.
fn let_go(tid: Pid, stop: Stop) {
    // to a process that asked for a debugger, the kernel tells each program that it runs by a signal of its own
    let tells_exec = stop.event == 0
        && stop.signal == libc::SIGTRAP
        && ptrace::signal_info(tid).is_ok_and(|info| info.code == libc::SI_USER);
    let pending = if tells_exec { 0 } else { stop.pending_signal() };
    let _gone_meanwhile = ptrace::detach(tid, pending);
}
