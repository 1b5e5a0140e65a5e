//! The processes of a worker's tree that serve: found while they live, and remembered until they end.
//!
//! Behind `npm start` or `sh -c` the main process only waits, and under gunicorn, puma or php-fpm it starts others that answer. So
//! the tree is looked at now and then, and [`rule`] says who serves. What one was found to serve it serves until it ends.
//!
//! ```text
//!            first seen      serves, and older than FORK_LIMIT
//!  (new) ──▶ unknown ──────────────────────────────────────────▶ serving ──▶ gone
//!               │ looked at again, less and less often
//!               └──▶ gone
//! ```
//!
//! A process that was just forked holds its parent's sockets until it runs a program of its own, so that a helper looks like one
//! that serves for a moment. Only what is older counts; a process that is stopped for the debugger is what it is.
//!
//! A look costs some ten microseconds where nothing has changed (who there is), and some hundred where somebody is new (sockets
//! and their holders). So it is done five times a second, less often where it costs more than a hundredth of a processor, and
//! once a second while there is nothing but a main process that serves.

mod rule;
pub(crate) mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use model::Clock;

use self::rule::{Executable, Process, Sockets};
use self::sockets::Listening;
use crate::SystemClock;
use crate::cgroup;
use crate::proc_status;
use crate::process_tree::{self, MEMBERS_LIMIT};
use crate::serving_rule::ServingRule;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::process::process_id;

/// How often the tree is looked at. Source: of 50 deaths, one each 0.4 s, a look a second saw 40, one each 0.2 s all 50.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The same for a main process that serves and has no children.
const ALONE_EVERY: Duration = Duration::from_secs(1);

/// A look is not worth more of a processor than this part of the time between two of them.
const COST_LIMIT: u32 = 100;

/// How old a process is when it has surely run the program that it was forked for.
const FORK_LIMIT: Duration = Duration::from_millis(100);

/// How soon a process that did not serve is looked at again: doubled each time, up to the second.
const AGAIN: [Duration; 2] = [LOOK_EVERY, Duration::from_secs(5)];

/// A child of the same program that is older is no helper.
const MASTER_AFTER: Duration = Duration::from_secs(1);

/// By this variable node's cluster tells a process that it makes what it is.
const CLUSTER_MARK: &[u8] = b"NODE_UNIQUE_ID=";

/// The kernel's `USER_HZ`: 100 a second on every machine that Medic runs on.
const TICK_MS: u64 = 10;

/// What is known of one process of the tree.
struct Known {
    process: Process,
    /// In ticks since the machine's start; with the number it names the process.
    started: u64,
    /// By the monotonic clock, zero where that was before it began.
    born: Duration,
    /// Sockets that are no connections of the port.
    strangers: BTreeSet<u64>,
    looks: u32,
    look_at: Duration,
}

/// Where the tree's processes are found.
pub(crate) enum Members {
    /// In the main process's own control group.
    Group(PathBuf),
    /// Below this process, which has adopted those whose parents are gone.
    Below(Pid),
}

impl Members {
    fn pids(&self) -> BTreeSet<Pid> {
        let all = match self {
            Self::Group(folder) => cgroup::processes(folder).unwrap_or_default(),
            Self::Below(root) => process_tree::descendants_of(*root).into_iter().collect(),
        };
        all.into_iter().filter(|pid| *pid != process_id()).take(MEMBERS_LIMIT).collect()
    }
}

/// All of them.
pub(crate) struct ServingProcesses {
    clock: SystemClock,
    main: Pid,
    port: u16,
    members: Members,
    known: BTreeMap<Pid, Known>,
    look_at: Duration,
}

impl ServingProcesses {
    /// Nothing is known yet of the tree below `main`, which is to listen on `port`.
    pub(crate) fn new(clock: SystemClock, main: Pid, port: u16, members: Members) -> Self {
        Self { clock, main, port, members, known: BTreeMap::new(), look_at: Duration::ZERO }
    }

    /// Another process has taken the main one's place.
    pub(crate) fn set_main(&mut self, main: Pid) {
        self.main = main;
    }

    /// When the tree is to be looked at, by the monotonic clock.
    pub(crate) fn deadline(&self) -> Duration {
        self.look_at
    }

    /// Looks at the tree if it is time to.
    pub(crate) fn look_if_due(&mut self) {
        if self.clock.monotonic() >= self.look_at {
            self.look();
        }
    }

    /// Looks who there is, and at those that are new or have not served yet.
    pub(crate) fn look(&mut self) {
        let began = self.clock.monotonic();
        let pids = self.members.pids();
        self.known.retain(|pid, _| pids.contains(pid));
        let due = |pid: &&Pid| self.known.get(pid).is_none_or(|known| known.look_at <= began);
        let due: Vec<Pid> = pids.iter().filter(due).copied().collect();
        self.examine(&due, began);
        let took = self.clock.monotonic().saturating_sub(began);
        let serves = |known: &Known| known.process.served.is_some();
        let is_alone = self.known.len() == 1 && self.known.values().all(serves);
        let pause = if is_alone { ALONE_EVERY } else { LOOK_EVERY };
        let next = began + pause.max(took * COST_LIMIT);
        let young = self.known.values().filter(|known| !serves(known)).map(|known| known.look_at);
        self.look_at = young.filter(|at| *at > began).min().map_or(next, |at| next.min(at));
    }

    /// The processes that serve while none above them does, which are to be asked to end before the rest is.
    pub(crate) fn topmost(&mut self) -> Vec<(Pid, HeldProcess)> {
        self.look();
        let now = self.clock.monotonic();
        let unsure = self.known.iter().filter(|(_, known)| known.process.served.is_none());
        let unsure: Vec<Pid> = unsure.map(|(pid, _)| *pid).collect();
        self.examine(&unsure, now);
        rule::topmost(&self.tree()).into_iter().filter_map(|pid| Some((pid, self.hold(pid)?))).collect()
    }

    /// Holds the very process that is known by this number.
    fn hold(&self, pid: Pid) -> Option<HeldProcess> {
        let started = self.known.get(&pid)?.started;
        let process = HeldProcess::open(pid).ok()?;
        let (_, now) = proc_status::parent_and_start(pid)?;
        (now == started).then_some(process)
    }

    fn tree(&self) -> BTreeMap<Pid, &Process> {
        self.known.iter().map(|(pid, known)| (*pid, &known.process)).collect()
    }

    /// Looks at these processes, and decides anew who serves.
    fn examine(&mut self, pids: &[Pid], now: Duration) {
        if pids.is_empty() {
            return;
        }
        // where the kernel does not say, nobody is found to serve
        let listening = Listening::now(self.port).unwrap_or_default();
        let mut examined = BTreeSet::new();
        for pid in pids {
            // who is above it decides, and what is known of those may be old
            let mut next = Some(*pid).filter(|pid| examined.insert(*pid));
            while let Some(pid) = next {
                self.examine_one(pid, &listening, now);
                let parent = self.known.get(&pid).map(|known| known.process.parent);
                let is_unsure =
                    |pid: &Pid| self.known.get(pid).is_some_and(|known| known.process.served.is_none());
                next = parent.filter(is_unsure).filter(|parent| examined.insert(*parent));
            }
        }
        let found = rule::serving(&self.tree());
        for (pid, serves) in found {
            if let Some(known) = self.known.get_mut(&pid).filter(|known| known.is_grown(now)) {
                known.process.served.get_or_insert(serves);
            }
        }
    }

    fn examine_one(&mut self, pid: Pid, listening: &Listening, now: Duration) {
        let executable = executable_of(pid);
        let Some((parent, started)) = proc_status::parent_and_start(pid) else {
            self.known.remove(&pid);
            return;
        };
        // what one has served it serves as long as it runs that program
        let is_same = |known: &Known| {
            known.started == started
                && (known.process.executable == executable || known.process.served.is_none())
        };
        let known = self.known.remove(&pid).filter(is_same);
        let mut known = known.unwrap_or_else(|| Known::new(parent, started, now));
        let changed = known.process.executable != executable;
        known.process.parent = parent;
        known.process.executable = executable;
        if changed {
            known.process.is_cluster_worker = is_cluster_worker(pid);
        }
        let held = sockets::held_by(pid);
        known.process.sockets = sockets::listening_of(&held, listening);
        let is_of_a_server = self.known.get(&parent).is_some_and(|above| {
            above.process.executable == executable && !above.process.sockets.port.is_empty()
        });
        if is_of_a_server && known.process.sockets.port.is_empty() {
            known.process.sockets.has_connection = HeldProcess::open(pid).is_ok_and(|process| {
                sockets::one_is_connection(&process, &held, listening, self.port, &mut known.strangers)
            });
        }
        known.plan_next_look(now);
        self.known.insert(pid, known);
    }
}

impl Known {
    fn new(parent: Pid, started: u64, now: Duration) -> Self {
        let process = Process {
            parent,
            executable: None,
            sockets: Sockets::default(),
            is_cluster_worker: false,
            served: None,
        };
        let born = now.saturating_sub(age(started));
        Self { process, started, born, strangers: BTreeSet::new(), looks: 0, look_at: now }
    }

    /// It has run the program that it was forked for.
    fn is_grown(&self, now: Duration) -> bool {
        now.saturating_sub(self.born) >= FORK_LIMIT
    }

    fn plan_next_look(&mut self, now: Duration) {
        let [first, longest] = AGAIN;
        let pause = if self.process.served.is_some() {
            longest
        } else {
            longest.min(first * 2_u32.saturating_pow(self.looks.min(16)))
        };
        self.looks += 1;
        self.look_at = now + pause;
        if !self.is_grown(now) {
            self.look_at = self.look_at.min(self.born + FORK_LIMIT + Duration::from_millis(TICK_MS));
        }
    }
}

impl ServingRule for ServingProcesses {
    fn watched(&mut self) -> Vec<Pid> {
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
        if pid == self.main {
            return true;
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
        serves.is_some()
    }

    fn is_server(&mut self, pid: Pid) -> bool {
        self.known.get(&pid).is_some_and(|known| known.process.served.is_some())
    }

    fn is_master(&mut self, pid: Pid) -> bool {
        let now = self.clock.monotonic();
        rule::is_master(&self.tree(), pid, |child| self.has_lived(child, now))
    }

    fn holds_connection(&mut self, pid: Pid) -> bool {
        let listening = Listening::now(self.port).unwrap_or_default();
        HeldProcess::open(pid).is_ok_and(|process| {
            let held = sockets::held_by(pid);
            sockets::one_is_connection(&process, &held, &listening, self.port, &mut BTreeSet::new())
        })
    }
}

impl ServingProcesses {
    fn has_lived(&self, pid: Pid, now: Duration) -> bool {
        self.known.get(&pid).is_some_and(|known| now.saturating_sub(known.born) >= MASTER_AFTER)
    }
}

fn executable_of(pid: Pid) -> Option<Executable> {
    let file = std::fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some(Executable { device: file.dev(), inode: file.ino() })
}

/// Only whether the mark is there is looked at, and nothing is kept.
fn is_cluster_worker(pid: Pid) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(CLUSTER_MARK))
}

/// How long ago a process was started that was at this tick.
fn age(started: u64) -> Duration {
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = uptime.split(' ').next().and_then(|uptime| uptime.parse::<f64>().ok()).unwrap_or(0.0);
    let started = Duration::from_millis(started.saturating_mul(TICK_MS));
    Duration::try_from_secs_f64(seconds).unwrap_or_default().saturating_sub(started)
}

#[cfg(test)]
mod tests;
