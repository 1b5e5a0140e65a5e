//! The tree of processes that a test makes up.

use std::collections::{BTreeMap, BTreeSet};

use model::Signal;

use crate::sys::Pid;
use crate::sys::ptrace::SignalInfo;
use crate::tracer::facts::Facts;

/// What the kernel says of a thread's fault.
pub(super) fn info(tid: Pid) -> SignalInfo {
    SignalInfo { signal: libc::SIGSEGV, code: 1, errno: 0, address: u64::from(tid.unsigned_abs()) }
}

/// A tree as a test wants it: thread → process and its parent; who serves, who starts helpers, who handles what, who runs what.
#[derive(Default)]
pub(super) struct Tree {
    pub(super) processes: BTreeMap<Pid, (Pid, Pid)>,
    pub(super) serving: BTreeSet<Pid>,
    /// The process whose death is the worker's, serving or not.
    pub(super) main: Option<Pid>,
    pub(super) starting_helpers: BTreeSet<Pid>,
    pub(super) handling: BTreeSet<(Pid, i32)>,
    /// Whom their parents send signals.
    pub(super) signaled_by_parent: BTreeSet<Pid>,
    pub(super) programs: BTreeMap<Pid, &'static str>,
    pub(super) ended: BTreeSet<Pid>,
    /// What processes die of whose threads are stopped at their exit.
    pub(super) dying_of: BTreeMap<Pid, i32>,
    pub(super) leaving_cores: BTreeSet<Pid>,
    /// How often it was asked what a process does with a signal.
    pub(super) asked: usize,
    pub(super) ran_anew: Vec<Pid>,
    pub(super) forgotten: Vec<Pid>,
}

impl Tree {
    /// A process with one thread.
    pub(super) fn with(mut self, pid: Pid, parent: Pid, program: &'static str) -> Self {
        self.processes.insert(pid, (pid, parent));
        self.programs.insert(pid, program);
        self
    }

    pub(super) fn thread(mut self, tid: Pid, pid: Pid) -> Self {
        let parent = self.processes[&pid].1;
        self.processes.insert(tid, (pid, parent));
        self
    }

    pub(super) fn serving(mut self, pids: &[Pid]) -> Self {
        self.serving.extend(pids);
        self
    }

    pub(super) fn starting_helpers(mut self, pid: Pid) -> Self {
        self.starting_helpers.insert(pid);
        self
    }

    pub(super) fn handling(mut self, pid: Pid, signal: i32) -> Self {
        self.handling.insert((pid, signal));
        self
    }
}

impl Facts for Tree {
    fn process_of(&mut self, tid: Pid) -> Option<(Pid, Pid)> {
        self.processes.get(&tid).copied()
    }

    fn has_ended(&mut self, tid: Pid) -> bool {
        self.ended.contains(&tid)
    }

    fn has_default_action(&mut self, pid: Pid, signal: Signal) -> bool {
        self.asked += 1;
        !self.handling.contains(&(pid, signal.0))
    }

    fn signal_info(&mut self, tid: Pid) -> Option<SignalInfo> {
        Some(info(tid))
    }

    fn exit_signal(&mut self, tid: Pid) -> Option<Signal> {
        self.dying_of.get(&tid).copied().map(Signal)
    }

    fn may_leave_core(&mut self, pid: Pid) -> bool {
        self.leaving_cores.contains(&pid)
    }

    fn is_from_parent(&mut self, pid: Pid, _tid: Pid) -> bool {
        self.signaled_by_parent.contains(&pid)
    }

    fn run_the_same(&mut self, one: Pid, other: Pid) -> bool {
        self.programs.get(&one) == self.programs.get(&other)
    }

    fn serves(&mut self, pid: Pid) -> bool {
        self.main == Some(pid) || self.serving.contains(&pid)
    }

    fn is_server(&mut self, pid: Pid) -> bool {
        self.serving.contains(&pid)
    }

    fn starts_helpers(&mut self, pid: Pid) -> bool {
        self.starting_helpers.contains(&pid)
    }

    fn runs_anew(&mut self, pid: Pid) {
        self.ran_anew.push(pid);
    }

    fn forget(&mut self, pid: Pid) {
        self.forgotten.push(pid);
    }
}
