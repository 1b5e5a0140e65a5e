//! What the debugger asks of the tree: whom to watch, and what a process is to it that stands still.

use std::collections::BTreeSet;
use std::time::Duration;

use model::Clock;

use super::ServingProcesses;
use super::rule::{self, Sockets};
use super::sockets::{self, Listening};
use crate::proc_status;
use crate::protocol::Watched;
use crate::serving_rule::ServingRule;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::process::process_id;

/// A child of the same program that is older is no helper.
const MASTER_AFTER: Duration = Duration::from_secs(1);

impl ServingRule for ServingProcesses {
    fn watched(&mut self) -> Vec<Pid> {
        if self.watched == Watched::Main {
            return vec![self.main];
        }
        self.look();
        let tree = self.tree();
        let now = self.clock.monotonic();
        let is_watched = |pid: &Pid| {
            *pid == self.main
                || tree.get(pid).is_some_and(|process| process.served.is_some())
                || rule::is_master(&tree, *pid, |child| self.has_lived(child, now))
        };
        // a parent's number is mostly the lower one, but not after the kernel began anew
        let mut watched: Vec<(Duration, Pid)> = self
            .known
            .iter()
            .filter(|(pid, _)| is_watched(pid))
            .map(|(pid, known)| (known.born, *pid))
            .collect();
        watched.sort_unstable();
        watched.into_iter().map(|(_, pid)| pid).collect()
    }

    fn serves(&mut self, pid: Pid) -> bool {
        // the main process's parent, this one, is none of the tree
        if pid == self.main || pid == process_id() || self.watched == Watched::Main {
            return pid == self.main;
        }
        let start = proc_status::parent_and_start(pid).map(|(_, started)| started);
        let known = self.known.get(&pid).filter(|known| Some(known.started) == start);
        if known.is_some_and(|known| known.process.served.is_some()) {
            return true;
        }
        self.look();
        self.examine(&[pid], self.clock.monotonic());
        // it is stopped, so that it is what it is, however young
        let serves = rule::serving(&self.tree()).get(&pid).copied();
        if let Some(known) = self.known.get_mut(&pid) {
            known.process.served = known.process.served.or(serves);
        }
        self.hold_serving();
        serves.is_some()
    }

    fn is_server(&mut self, pid: Pid) -> bool {
        self.known.get(&pid).is_some_and(|known| known.process.served.is_some())
    }

    fn is_master(&mut self, pid: Pid) -> bool {
        let now = self.clock.monotonic();
        self.watched == Watched::Serving
            && rule::is_master(&self.tree(), pid, |child| self.has_lived(child, now))
    }

    /// One that held one before and is no master has had a request in its hands: what it starts is a helper, as before.
    fn holds_connection(&mut self, pid: Pid) -> bool {
        if self.known.get(&pid).is_some_and(|known| known.process.sockets.has_connection) {
            return true;
        }
        let holds = HeldProcess::open(pid).is_ok_and(|process| {
            let (held, none) = (sockets::held_by(pid), Listening::default());
            sockets::one_is_connection(&process, &held, &none, self.port, &mut BTreeSet::new())
        });
        if let Some(known) = self.known.get_mut(&pid) {
            known.process.sockets.has_connection |= holds;
        }
        holds
    }

    fn starts_helpers(&mut self, pid: Pid) -> bool {
        // nothing that it starts is watched
        self.watched == Watched::Main || (self.holds_connection(pid) && !self.is_master(pid))
    }

    fn runs_anew(&mut self, pid: Pid) {
        if let Some(known) = self.known.get_mut(&pid) {
            known.process.served = None;
            known.is_likely = false;
            known.process.sockets = Sockets::default();
            known.look_at = self.clock.monotonic();
        }
    }
}

impl ServingProcesses {
    fn has_lived(&self, pid: Pid, now: Duration) -> bool {
        self.known.get(&pid).is_some_and(|known| now.saturating_sub(known.born) >= MASTER_AFTER)
    }
}
