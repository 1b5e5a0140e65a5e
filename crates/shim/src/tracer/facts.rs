//! What the kernel says of processes that are stopped.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use model::Signal;

use crate::proc_status::{self, Dispositions};
use crate::serving_rule::ServingRule;
use crate::sys::ptrace::{self, SignalInfo};
use crate::sys::{Pid, limits};

/// What is asked about processes that are stopped.
pub(super) trait Facts {
    /// The process that a thread belongs to, and that process's parent; `None` where it is gone.
    fn process_of(&mut self, tid: Pid) -> Option<(Pid, Pid)>;
    /// Has this thread ended, though its process has not?
    fn has_ended(&mut self, tid: Pid) -> bool;
    /// Is this signal neither handled nor ignored?
    fn has_default_action(&mut self, pid: Pid, signal: Signal) -> bool;
    /// What the kernel says of the signal that this thread is stopped for; `None` where it was killed meanwhile.
    fn signal_info(&mut self, tid: Pid) -> Option<SignalInfo>;
    /// What the process of this thread, which is stopped at its exit, dies of, where that is a signal.
    fn exit_signal(&mut self, tid: Pid) -> Option<Signal>;
    /// May the kernel write a core of this process before its exit? That can take long.
    fn may_leave_core(&mut self, pid: Pid) -> bool;
    /// Has the process's parent sent the signal that this thread is stopped for?
    fn is_from_parent(&mut self, pid: Pid, tid: Pid) -> bool;
    /// Do both run the same file?
    fn run_the_same(&mut self, one: Pid, other: Pid) -> bool;
    /// Of `ServingRule`.
    fn serves(&mut self, pid: Pid) -> bool;
    /// Of `ServingRule`.
    fn is_server(&mut self, pid: Pid) -> bool;
    /// Of `ServingRule`.
    fn starts_helpers(&mut self, pid: Pid) -> bool;
    /// It runs another program from now on.
    fn runs_anew(&mut self, pid: Pid);
    /// It has ended, or is none of ours any more.
    fn forget(&mut self, pid: Pid);
}

/// Asked each time, but for the files that are kept open.
pub(super) struct Kernel<'a> {
    pub(super) rule: &'a mut dyn ServingRule,
    pub(super) dispositions: &'a mut BTreeMap<Pid, Dispositions>,
}

impl Facts for Kernel<'_> {
    fn process_of(&mut self, tid: Pid) -> Option<(Pid, Pid)> {
        proc_status::process_of(tid)
    }

    fn has_ended(&mut self, tid: Pid) -> bool {
        !proc_status::is_alive(tid, tid)
    }

    fn has_default_action(&mut self, pid: Pid, signal: Signal) -> bool {
        // opened with the first question: most processes never get such a signal
        if let std::collections::btree_map::Entry::Vacant(entry) = self.dispositions.entry(pid) {
            let Ok(dispositions) = Dispositions::of(pid) else { return false };
            entry.insert(dispositions);
        }
        self.dispositions.get(&pid).is_some_and(|dispositions| dispositions.are_default_for(signal))
    }

    fn signal_info(&mut self, tid: Pid) -> Option<SignalInfo> {
        ptrace::signal_info(tid).ok()
    }

    fn exit_signal(&mut self, tid: Pid) -> Option<Signal> {
        ptrace::exit_signal(tid)
    }

    fn may_leave_core(&mut self, pid: Pid) -> bool {
        limits::core_bytes(pid).is_none_or(|limit| limit > 1)
    }

    fn is_from_parent(&mut self, pid: Pid, tid: Pid) -> bool {
        self.signal_info(tid).is_some_and(|info| proc_status::is_from_parent(&info, pid))
    }

    fn run_the_same(&mut self, one: Pid, other: Pid) -> bool {
        let file =
            |pid| std::fs::metadata(format!("/proc/{pid}/exe")).map(|file| (file.dev(), file.ino())).ok();
        file(one).is_some_and(|program| file(other) == Some(program))
    }

    fn serves(&mut self, pid: Pid) -> bool {
        self.rule.serves(pid)
    }

    fn is_server(&mut self, pid: Pid) -> bool {
        self.rule.is_server(pid)
    }

    fn starts_helpers(&mut self, pid: Pid) -> bool {
        self.rule.starts_helpers(pid)
    }

    fn runs_anew(&mut self, pid: Pid) {
        self.rule.runs_anew(pid);
    }

    fn forget(&mut self, pid: Pid) {
        self.dispositions.remove(&pid);
    }
}
