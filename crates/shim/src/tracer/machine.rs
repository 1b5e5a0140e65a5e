//! What the debugger does with each thing that the kernel tells it: a state machine over a set of processes.
//!
//! A process:
//!
//! ```text
//!  first stop ──── made by one that starts helpers: let go
//!      │
//!      ▼      exec of a server's child with another program: let go
//!   running ────────────────────────────────────────────────────────────┐
//!      │ ▲ anything else: passed on at once                             │
//!      │ └──────────┐                                                   ▼
//!      └─ fatal signal of one that serves ─► held ── pass on ──────► dying ─► ended
//!                                              │ capture               ▲
//!                                              ▼                       │ copied
//!                                          stopping ── all are ─► still ┘
//!                                           (each of its threads)
//! ```
//!
//! While one is held, stopping or still, what happens to its threads is kept and passed on with the copy's end; the others run.
//! A thread counts from its own first stop on: one that a clone event names may be gone already. Only the thread that has seized
//! may speak to the kernel for it, so what is to be asked of the kernel comes out as [`Request`]s, in order.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Exit, Signal};

use super::events::{Event, FatalSignal, Outcome, Report, Request, Stop};
use super::facts::Facts;
use super::thread::{Forks, Thread};
use crate::sys::{Pid, ptrace};

/// How long all threads of a process may take to stop. Threads in an uninterruptible wait never do; they are left out.
pub(super) const STOP_LIMIT: Duration = Duration::from_millis(500);

/// How far a process is on the way to its death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    Held(FatalSignal),
    Stopping { fatal: FatalSignal, until: Duration },
    Still,
    Dying,
}

impl Life {
    fn keeps_stops(self) -> bool {
        matches!(self, Self::Held(_) | Self::Stopping { .. } | Self::Still)
    }
}

/// All processes and threads that are ours.
#[derive(Default)]
pub(super) struct Machine {
    processes: BTreeMap<Pid, Life>,
    threads: BTreeMap<Pid, Thread>,
    leaving: bool,
}

impl Machine {
    /// Takes in one event.
    pub(super) fn step(&mut self, event: Event, facts: &mut dyn Facts) -> Outcome {
        let mut outcome = Outcome::default();
        match event {
            Event::Seized { tid, pid } => self.add(tid, pid),
            Event::Stopped { tid, stop } => self.stopped(tid, stop, facts, &mut outcome),
            Event::Ended { tid, exit } => self.ended(tid, exit, facts, &mut outcome),
            Event::Capture { pid, until } => self.capture(pid, until, facts, &mut outcome),
            Event::PassOn { pid } | Event::Copied { pid } => self.let_die(pid, &mut outcome),
            Event::Tick { now } => self.give_up_stopping(now, &mut outcome),
            Event::Reconsider => self.reconsider(facts, &mut outcome),
            Event::Leave => self.leave(&mut outcome),
        }
        outcome
    }

    pub(super) fn has_process(&self, pid: Pid) -> bool {
        self.processes.contains_key(&pid)
    }

    /// The threads that standstills wait for, in the order in which they were asked.
    pub(super) fn awaited(&self) -> Vec<Pid> {
        let life = |thread: &Thread| self.processes.get(&thread.process);
        let is_awaited =
            |thread: &Thread| thread.stop.is_none() && matches!(life(thread), Some(Life::Stopping { .. }));
        self.threads.iter().filter(|(_, thread)| is_awaited(thread)).map(|(tid, _)| *tid).collect()
    }

    /// When a process has had its time to stop.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let until = |life: &Life| match life {
            Life::Stopping { until, .. } => Some(*until),
            _ => None,
        };
        self.processes.values().filter_map(until).min()
    }

    /// Everything is being let go, or was.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Threads that are to be let go and were not yet: not those of a process that dies.
    pub(super) fn has_to_let_go(&self) -> bool {
        let dies = |pid| self.processes.get(pid).is_none_or(|life| *life != Life::Running);
        self.leaving && self.threads.values().any(|thread| !dies(&thread.process))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    fn add(&mut self, tid: Pid, pid: Pid) {
        self.processes.entry(pid).or_insert(Life::Running);
        self.threads.insert(tid, Thread::new(pid));
    }

    fn stopped(&mut self, tid: Pid, stop: Stop, facts: &mut dyn Facts, out: &mut Outcome) {
        if !self.threads.contains_key(&tid) && !self.welcomes(tid, stop, facts) {
            out.requests.push(Request::LetGo { tid, stop });
            return;
        }
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let pid = thread.process;
        thread.stop = Some(stop);
        if stop.event == libc::PTRACE_EVENT_EXEC {
            // the other threads are gone, and the one that is left has the process's id
            thread.runs_anew();
            self.threads.retain(|other, thread| thread.process != pid || *other == tid);
            facts.runs_anew(pid);
        }
        match self.processes.get(&pid).copied().unwrap_or(Life::Running) {
            life if life.keeps_stops() => self.check_standstill(pid, out),
            Life::Running if self.leaving => self.let_thread_go(tid, out),
            Life::Running if stop.event == libc::PTRACE_EVENT_EXEC && is_helper(pid, facts) => {
                self.let_thread_go(tid, out);
                self.remove(pid, facts);
            }
            Life::Running => self.hold_or_resume(tid, stop, facts, out),
            _ => self.resume(tid, out),
        }
    }

    fn hold_or_resume(&mut self, tid: Pid, stop: Stop, facts: &mut dyn Facts, out: &mut Outcome) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let pid = thread.process;
        if let Some(fatal) = thread.fatal(tid, stop, facts) {
            self.processes.insert(pid, Life::Held(fatal));
            out.reports.push(Report::Fatal { pid, fatal });
            return;
        }
        if stop.pending_signal() == libc::SIGABRT && facts.is_from_parent(pid, tid) {
            out.reports.push(Report::Aborted { pid });
        }
        thread.choose_forks(stop, facts);
        self.resume(tid, out);
    }

    /// Is a thread that was not known until now to be ours?
    fn welcomes(&mut self, tid: Pid, stop: Stop, facts: &mut dyn Facts) -> bool {
        let Some((pid, parent)) = facts.process_of(tid) else { return false };
        if self.processes.contains_key(&pid) {
            self.add(tid, pid);
            return true;
        }
        // another first stop than a new process's: it was let go already, or has asked for a debugger by itself
        let is_new = tid == pid && stop.event == ptrace::EVENT_STOP;
        if !is_new || self.leaving || facts.starts_helpers(parent) {
            return false;
        }
        self.add(tid, pid);
        true
    }

    /// Options can be set of a stopped thread alone.
    fn reconsider(&mut self, facts: &mut dyn Facts, out: &mut Outcome) {
        let mut answers = BTreeMap::new();
        for (tid, thread) in self.threads.iter_mut().filter(|(_, thread)| thread.forks == Forks::Unseen) {
            let pid = thread.process;
            if !*answers.entry(pid).or_insert_with(|| facts.starts_helpers(pid)) {
                thread.forks = Forks::ToFollow;
                if thread.stop.is_none() {
                    out.requests.push(Request::Interrupt { tid: *tid });
                }
            }
        }
    }

    fn ended(&mut self, tid: Pid, exit: Exit, facts: &mut dyn Facts, out: &mut Outcome) {
        match self.threads.remove(&tid).map(|thread| thread.process) {
            Some(pid) if pid != tid => self.check_standstill(pid, out),
            _ => {
                self.remove(tid, facts);
                out.reports.push(Report::Ended { pid: tid, exit });
            }
        }
    }

    fn remove(&mut self, pid: Pid, facts: &mut dyn Facts) {
        self.processes.remove(&pid);
        self.threads.retain(|_, thread| thread.process != pid);
        facts.forget(pid);
    }

    fn capture(&mut self, pid: Pid, until: Duration, facts: &mut dyn Facts, out: &mut Outcome) {
        let Some(life) = self.processes.get_mut(&pid) else { return };
        let Life::Held(fatal) = *life else { return };
        *life = Life::Stopping { fatal, until };
        // a main thread that has ended is there until the others have, and never stops
        self.threads.retain(|thread, _| *thread != pid || *thread == fatal.tid || !facts.has_ended(pid));
        let running =
            self.threads.iter().filter(|(_, thread)| thread.process == pid && thread.stop.is_none());
        out.requests.extend(running.map(|(tid, _)| Request::Interrupt { tid: *tid }));
        self.check_standstill(pid, out);
    }

    fn check_standstill(&mut self, pid: Pid, out: &mut Outcome) {
        if matches!(self.processes.get(&pid), Some(Life::Stopping { .. }))
            && self.threads.values().all(|thread| thread.process != pid || thread.stop.is_some())
        {
            self.stand_still(pid, out);
        }
    }

    fn give_up_stopping(&mut self, now: Duration, out: &mut Outcome) {
        let is_over = |life: &Life| matches!(life, Life::Stopping { until, .. } if *until <= now);
        let late: Vec<Pid> =
            self.processes.iter().filter(|(_, life)| is_over(life)).map(|(pid, _)| *pid).collect();
        for pid in late {
            self.stand_still(pid, out);
        }
    }

    fn stand_still(&mut self, pid: Pid, out: &mut Outcome) {
        let Some(life) = self.processes.get_mut(&pid) else { return };
        let Life::Stopping { fatal, .. } = *life else { return };
        *life = Life::Still;
        let threads = self.stopped_of(pid);
        out.reports.push(Report::Still { pid, fatal, threads });
    }

    /// What is fatal in a second thread is not held again.
    fn let_die(&mut self, pid: Pid, out: &mut Outcome) {
        let Some(life) = self.processes.get_mut(&pid).filter(|life| life.keeps_stops()) else { return };
        *life = Life::Dying;
        let mut stopped = self.stopped_of(pid);
        // the one that gets the fatal signal first: it ends the others, before they go on with what they were doing
        let is_fatal = |tid: &Pid| {
            let stop = self.threads.get(tid).and_then(|thread| thread.stop);
            stop.is_some_and(|stop| Signal(stop.pending_signal()).dumps_core())
        };
        stopped.sort_by_key(|tid| !is_fatal(tid));
        for tid in stopped {
            self.resume(tid, out);
        }
    }

    /// A process that is on the way to its death is not let go, so that its end is known.
    fn leave(&mut self, out: &mut Outcome) {
        self.leaving = true;
        let all: Vec<(Pid, bool)> = self
            .threads
            .iter()
            .filter(|(_, thread)| self.processes.get(&thread.process) == Some(&Life::Running))
            .map(|(tid, thread)| (*tid, thread.stop.is_some()))
            .collect();
        for (tid, is_stopped) in all {
            if is_stopped {
                self.let_thread_go(tid, out);
            } else {
                out.requests.push(Request::Interrupt { tid });
            }
        }
    }

    fn let_thread_go(&mut self, tid: Pid, out: &mut Outcome) {
        let Some(thread) = self.threads.remove(&tid) else { return };
        if let Some(stop) = thread.stop {
            out.requests.push(Request::LetGo { tid, stop });
        }
        if self.threads.values().all(|other| other.process != thread.process) {
            self.processes.remove(&thread.process);
        }
    }

    fn resume(&mut self, tid: Pid, out: &mut Outcome) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        let Some(stop) = thread.stop.take() else { return };
        if let Some(stops) = thread.changed_stops() {
            out.requests.push(Request::SetStops { tid, stops });
        }
        out.requests.push(if stop.is_group_stop() {
            Request::Listen { tid }
        } else {
            Request::Resume { tid, signal: stop.pending_signal() }
        });
    }

    fn stopped_of(&self, pid: Pid) -> Vec<Pid> {
        let is_one = |thread: &Thread| thread.process == pid && thread.stop.is_some();
        self.threads.iter().filter(|(_, thread)| is_one(thread)).map(|(tid, _)| *tid).collect()
    }
}

/// What one that serves has started, as soon as it runs a program of its own.
fn is_helper(pid: Pid, facts: &mut dyn Facts) -> bool {
    let Some((_, parent)) = facts.process_of(pid) else { return false };
    facts.is_server(parent) && !facts.run_the_same(pid, parent)
}

#[cfg(test)]
mod tests;
