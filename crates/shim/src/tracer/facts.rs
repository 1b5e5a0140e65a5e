//! What the kernel says of processes that are stopped.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use model::Signal;

use super::machine::Facts;
use crate::proc_status::{self, Dispositions};
use crate::serving_rule::ServingRule;
use crate::sys::{Pid, ptrace};

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

    fn is_from_parent(&mut self, pid: Pid, tid: Pid) -> bool {
        let sender = ptrace::signal_info(tid).ok().and_then(|info| info.sender());
        sender.is_some() && sender == proc_status::parent_of(pid)
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
