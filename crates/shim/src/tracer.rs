//! The debugger on one worker: follows all its threads, passes its signals on, and holds the thread that is about to die.
//!
//! A thread's state, as its tracer sees it:
//!
//! ```text
//!              signal-delivery-stop, handled or harmless: passed on at once
//!            ┌───────────────────────────────────────────┐
//!            ▼                                           │
//!  seize ─► running ──────────────────────────────────► stopped ── fatal signal ─► held ── resume ─► ended
//!            ▲   group stop (job control): left in it    │          (all others are interrupted,
//!            └───────────────────────────────────────────┘           dumped, and resumed with it)
//! ```
//!
//! A core signal about to be delivered that the worker neither handles nor ignores is the crash. The kernel resets a blocked or
//! ignored synchronous fault to its default action before the delivery stop, so asking for the disposition there is enough.
//!
//! Everything must be called from the thread that attached. `PTRACE_O_EXITKILL` is not set: a shim that dies must not be what
//! kills a worker by this way too.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use model::{Clock, Exit, Signal};

use crate::proc_status::{self, Dispositions};
use crate::sys::process::{Change, next_change, next_change_of, own_thread};
use crate::sys::{Pid, ptrace, signals};

/// How long all threads may take to stop. Threads in an uninterruptible wait never do; they are left out.
const STOP_LIMIT: Duration = Duration::from_millis(500);

/// How many passes over the thread list attaching takes at most: a pass that finds no new thread is the last.
const ATTACH_PASSES: usize = 1_000;

/// How often the kernel is asked for the next change when a signal was just passed on, before the caller may go to sleep. A
/// runtime that handles one often handles thousands, and a wake-up for each would cost more than the signal. Ours: a handler
/// takes a few microseconds, and so do these calls.
const TRIES_AFTER_SIGNAL: usize = 20;

/// Why the debugger could not be attached.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AttachError {
    /// Another debugger is.
    #[error(
        "process {pid} is being debugged by `{name}` (process {tracer}); end that debugger, then attaching works"
    )]
    Traced {
        /// The worker.
        pid: Pid,
        /// Who traces it.
        tracer: Pid,
        /// Its name.
        name: String,
    },
    /// The kernel forbids it.
    #[error(
        "the kernel does not let process {pid} be debugged: {source}; it may run as another user, its file may have \
         capabilities or a set-user-id bit, or a sandbox forbids ptrace"
    )]
    Forbidden {
        /// The worker.
        pid: Pid,
        /// The kernel's word.
        source: io::Error,
    },
    /// It is gone.
    #[error("process {pid} has ended")]
    Gone {
        /// The worker.
        pid: Pid,
    },
}

/// What a change of a thread's state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Dealt with.
    Nothing,
    /// This thread is held: the signal is about to kill the process.
    Fatal {
        /// The thread.
        tid: Pid,
        /// The signal.
        signal: Signal,
    },
    /// The process is gone.
    Ended(Exit),
}

/// How a thread is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stop {
    signal: i32,
    event: i32,
}

impl Stop {
    /// What the thread was about to get.
    fn pending_signal(self) -> i32 {
        if self.event == 0 { self.signal } else { 0 }
    }

    fn is_group_stop(self) -> bool {
        self.event == ptrace::EVENT_STOP
            && matches!(self.signal, libc::SIGSTOP | libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU)
    }
}

/// The debugger, attached.
pub(crate) struct Tracer<'c> {
    pid: Pid,
    clock: &'c dyn Clock,
    dispositions: Dispositions,
    /// Every thread that is ours, and how it is stopped where it is.
    threads: BTreeMap<Pid, Option<Stop>>,
    /// Changes that came up while waiting for others.
    pending: VecDeque<(Pid, Change)>,
    /// Threads that stop are let go for good.
    leaving: bool,
    /// The last change was a signal that the worker deals with.
    passed_on: bool,
}

impl<'c> Tracer<'c> {
    /// Attaches to every thread, none of which stops for it.
    pub(crate) fn attach(pid: Pid, clock: &'c dyn Clock) -> Result<Self, AttachError> {
        let mut tracer = Self {
            pid,
            clock,
            dispositions: Dispositions::of(pid).map_err(|_| AttachError::Gone { pid })?,
            threads: BTreeMap::new(),
            pending: VecDeque::new(),
            leaving: false,
            passed_on: false,
        };
        for _ in 0..ATTACH_PASSES {
            match tracer.attach_to_new_threads() {
                // threads made by a thread that is ours are ours from the start, so a pass without a new one is the last
                Ok(false) => break,
                Ok(true) => {}
                Err(error) => {
                    tracer.detach();
                    return Err(error);
                }
            }
        }
        if tracer.threads.is_empty() { Err(AttachError::Gone { pid }) } else { Ok(tracer) }
    }

    fn attach_to_new_threads(&mut self) -> Result<bool, AttachError> {
        let pid = self.pid;
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|_| AttachError::Gone { pid })?;
        let mut found = false;
        for tid in tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()) {
            if self.threads.contains_key(&tid) {
                continue;
            }
            match ptrace::seize(tid) {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => continue,
                // the kernel refuses a thread on its way out as if it were forbidden
                Err(_) if !proc_status::is_alive(pid, tid) => continue,
                // already ours: made by a thread that was seized before
                Err(_) if proc_status::tracer_of(tid) == Some(own_thread()) => {}
                Err(source) => return Err(refusal(pid, tid, source)),
            }
            self.threads.insert(tid, None);
            found = true;
        }
        Ok(found)
    }

    /// Changes that were put aside, oldest first, then what the kernel has.
    pub(crate) fn next_change(&mut self) -> Option<(Pid, Change)> {
        let tries = if std::mem::take(&mut self.passed_on) { TRIES_AFTER_SIGNAL } else { 1 };
        self.pending.pop_front().or_else(|| {
            (0..tries).find_map(|number| {
                if number > 0 {
                    // the worker may need this processor to get there
                    std::thread::yield_now();
                }
                next_change()
            })
        })
    }

    /// Deals with one change of one of the worker's threads.
    pub(crate) fn take(&mut self, tid: Pid, change: Change) -> Meaning {
        match change {
            Change::Ended(exit) => {
                self.threads.remove(&tid);
                if tid == self.pid { Meaning::Ended(exit) } else { Meaning::Nothing }
            }
            Change::Stopped { signal, event } => self.take_stop(tid, Stop { signal, event }),
        }
    }

    fn take_stop(&mut self, tid: Pid, stop: Stop) -> Meaning {
        let known = self.threads.contains_key(&tid);
        if self.leaving || (!known && !self.is_own_thread(tid)) {
            // a process that the worker made by an unusual clone: none of ours
            let_go(tid, stop.signal, stop.event);
            self.threads.remove(&tid);
            return Meaning::Nothing;
        }
        self.threads.insert(tid, Some(stop));
        if stop.event == libc::PTRACE_EVENT_EXEC {
            // the other threads are gone, and the one that is left has the process's id
            self.threads.retain(|thread, _| *thread == tid);
        }
        let signal = Signal(stop.signal);
        if stop.event == 0 && signal.dumps_core() && self.dispositions.are_default_for(signal) {
            return Meaning::Fatal { tid, signal };
        }
        self.passed_on = stop.event == 0;
        self.resume(tid, stop);
        Meaning::Nothing
    }

    fn is_own_thread(&self, tid: Pid) -> bool {
        std::path::Path::new(&format!("/proc/{}/task/{tid}", self.pid)).exists()
    }

    fn resume(&mut self, tid: Pid, stop: Stop) {
        // a thread that is gone meanwhile is reported by wait
        let _ = if stop.is_group_stop() {
            ptrace::listen(tid)
        } else {
            ptrace::resume(tid, stop.pending_signal())
        };
        if let Some(state) = self.threads.get_mut(&tid) {
            *state = None;
        }
    }

    /// Stops every thread, within [`STOP_LIMIT`]. Returns those that are.
    pub(crate) fn stop_all(&mut self) -> Vec<Pid> {
        let running: Vec<Pid> =
            self.threads.iter().filter(|(_, stop)| stop.is_none()).map(|(tid, _)| *tid).collect();
        for tid in running {
            if ptrace::interrupt(tid).is_err() {
                self.threads.remove(&tid);
            }
        }
        // one by one, in the order in which they were asked: to look for whatever changed first takes the kernel a pass over all
        // threads, each time
        let deadline = self.clock.monotonic() + STOP_LIMIT;
        let asked: Vec<Pid> =
            self.threads.iter().filter(|(_, stop)| stop.is_none()).map(|(tid, _)| *tid).collect();
        for tid in asked {
            self.wait_for_stop(tid, deadline);
        }
        // the process's end, and threads that were just made
        while let Some((tid, change)) = next_change() {
            self.note(tid, change);
        }
        self.stopped_threads()
    }

    /// One that ended, or does not stop by the deadline, is left as it is.
    fn wait_for_stop(&mut self, tid: Pid, deadline: Duration) {
        while self.threads.get(&tid).is_some_and(Option::is_none) {
            if let Some(change) = next_change_of(tid) {
                self.note(tid, change);
                continue;
            }
            let left = deadline.saturating_sub(self.clock.monotonic());
            if left.is_zero() {
                return;
            }
            signals::wait_for_child(left);
        }
    }

    /// Keeps a change for later where it cannot be dealt with while everything is being stopped.
    fn note(&mut self, tid: Pid, change: Change) {
        match change {
            // a thread counts from its own first stop on: one that a clone event names may be gone already
            Change::Stopped { signal, event }
                if self.threads.contains_key(&tid) || self.is_own_thread(tid) =>
            {
                self.threads.insert(tid, Some(Stop { signal, event }));
            }
            Change::Stopped { .. } => self.pending.push_back((tid, change)),
            Change::Ended(_) => {
                self.threads.remove(&tid);
                if tid == self.pid {
                    // the process is gone as a whole: nothing else will stop
                    self.threads.retain(|_, stop| stop.is_some());
                }
                self.pending.push_back((tid, change));
            }
        }
    }

    /// The threads that are stopped.
    fn stopped_threads(&self) -> Vec<Pid> {
        self.threads.iter().filter(|(_, stop)| stop.is_some()).map(|(tid, _)| *tid).collect()
    }

    /// Lets every stopped thread run on with what it was stopped for, so that the process dies of its own signal. What is
    /// fatal in a second thread is not held again: the process is dying.
    pub(crate) fn resume_all(&mut self) {
        let stopped: Vec<(Pid, Stop)> =
            self.threads.iter().filter_map(|(tid, stop)| stop.map(|stop| (*tid, stop))).collect();
        for (tid, stop) in stopped {
            self.resume(tid, stop);
        }
    }

    /// Passes a fatal signal on without a capture.
    pub(crate) fn pass_on(&mut self, tid: Pid, signal: Signal) {
        self.resume(tid, Stop { signal: signal.0, event: 0 });
    }

    /// Lets go of every thread. One that does not stop in time is let go of when it does.
    pub(crate) fn detach(&mut self) {
        self.leaving = true;
        self.stop_all();
        for tid in self.stopped_threads() {
            let stop = self.threads.remove(&tid).flatten();
            let _ = ptrace::detach(tid, stop.map_or(0, Stop::pending_signal));
        }
    }

    /// Nothing is traced and nothing was put aside any more.
    pub(crate) fn is_done(&self) -> bool {
        self.threads.is_empty() && self.pending.is_empty()
    }

    /// It is being detached, or was.
    pub(crate) fn is_leaving(&self) -> bool {
        self.leaving
    }
}

/// Lets a thread that nobody debugs run on, as if it had not been stopped.
pub(crate) fn let_go(tid: Pid, signal: i32, event: i32) {
    // to a process that asked for a debugger, the kernel tells each program that it runs by a signal of its own
    let tells_exec = event == 0
        && signal == libc::SIGTRAP
        && ptrace::signal_info(tid).is_ok_and(|info| info.code == libc::SI_USER);
    let pending = if tells_exec { 0 } else { Stop { signal, event }.pending_signal() };
    let _gone_meanwhile = ptrace::detach(tid, pending);
}

fn refusal(pid: Pid, tid: Pid, source: io::Error) -> AttachError {
    match proc_status::tracer_of(tid) {
        Some(tracer) if tracer != 0 => {
            let name = std::fs::read_to_string(format!("/proc/{tracer}/comm")).unwrap_or_default();
            AttachError::Traced { pid, tracer, name: name.trim_end().to_owned() }
        }
        _ => AttachError::Forbidden { pid, source },
    }
}
