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
//! that serves for a moment. Only what is older counts, or what dies of a fault, which helpers that have not begun do not do; a
//! process that is stopped for the debugger is what it is.
//!
//! A look costs some ten microseconds where nothing has changed (who there is), and some hundred where somebody is new (sockets
//! and their holders). One that has not served is looked at again when somebody on the machine has begun to listen, and less and
//! less often besides. So it is done five times a second, more often at the start and after an end, less often where it costs more than a hundredth of a processor, and
//! once a second while there is nothing but a main process that serves.

mod answers;
mod deaths;
mod handed_on;
mod known;
mod rule;
pub(crate) mod sockets;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use model::crash::Executable;
use model::{Clock, ProcessId};

pub(crate) use self::deaths::Death;
use self::known::{Known, executable_of};
use self::rule::Process;
use self::sockets::Listening;
use crate::SystemClock;
use crate::cgroup;
use crate::proc_status;
use crate::process_tree::{self, MEMBERS_LIMIT};
use crate::protocol::Watched;
use crate::sys::Pid;
use crate::sys::epoll::Epoll;
use crate::sys::held_process::HeldProcess;
use crate::sys::process::process_id;

/// How often the tree is looked at. Source: of 50 deaths, one each 0.4 s, a look a second saw 40, one each 0.2 s all 50.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The same for a main process that serves and has no children.
const ALONE_EVERY: Duration = Duration::from_secs(1);

/// The same while nobody serves yet, and for a while after one that serves was found or has ended: what else serves, or replaces
/// it, may end as soon as it does.
const CLOSELY_EVERY: Duration = Duration::from_millis(20);

/// How long. Ours: gunicorn and puma start a child again within a tenth of a second, and it takes as long to serve.
const CLOSELY_FOR: Duration = Duration::from_millis(500);

/// One that starts for longer is not looked at so closely.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A look is not worth more of a processor than this part of the time between two of them.
const COST_LIMIT: u32 = 100;

/// The same while it is looked closely.
const CLOSELY_COST_LIMIT: u32 = 5;

/// How old a process is when it has surely run the program that it was forked for.
const FORK_LIMIT: Duration = Duration::from_millis(100);

/// How soon a process that did not serve is looked at again: doubled each time, up to the second.
const AGAIN: [Duration; 2] = [LOOK_EVERY, Duration::from_secs(5)];

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
    watched: Watched,
    known: BTreeMap<Pid, Known>,
    one_has_served: bool,
    main_has_served: bool,
    /// As it was when the tree was last looked at.
    listening: Listening,
    /// What the main process was last seen to run.
    main_file: Option<Executable>,
    /// Where the ends of those that serve are heard of.
    deaths: Option<Epoll>,
    look_at: Duration,
    closely_until: Duration,
}

impl ServingProcesses {
    /// Nothing is known yet of the tree below `main`, which is to listen on `port`.
    pub(crate) fn new(clock: SystemClock, main: Pid, port: u16, members: Members) -> Self {
        Self {
            clock,
            main,
            port,
            members,
            watched: Watched::Serving,
            known: BTreeMap::new(),
            one_has_served: false,
            main_has_served: false,
            listening: Listening::default(),
            main_file: None,
            deaths: Epoll::new().ok(),
            look_at: Duration::ZERO,
            closely_until: clock.monotonic() + START_LIMIT,
        }
    }

    /// Whose crashes count from now on.
    pub(crate) fn watch(&mut self, watched: Watched) {
        self.watched = watched;
    }

    pub(crate) fn watched_processes(&self) -> Watched {
        self.watched
    }

    /// Another process has taken the main one's place.
    pub(crate) fn set_main(&mut self, main: Pid) {
        self.main = main;
        if let Some(known) = self.known.get_mut(&main) {
            // its end is told by the kernel now, as a child's
            known.held = None;
            self.main_has_served |= known.process.served.is_some();
        }
        // a successor serves by what its predecessor has left it
        self.known.values_mut().for_each(|known| known.process.inherited.clear());
    }

    /// When the tree is to be looked at, by the monotonic clock.
    pub(crate) fn deadline(&self) -> Duration {
        self.look_at
    }

    /// Looks at the tree if it is time to. Says whether somebody was found to serve who was not known to.
    pub(crate) fn look_if_due(&mut self) -> bool {
        let count = |serving: &Self| serving.known.values().filter(|known| known.held.is_some()).count();
        let before = count(self);
        if self.clock.monotonic() >= self.look_at {
            self.look();
        }
        count(self) > before
    }

    /// Looks who there is, and at those that are new or have not served yet: at these at once where somebody has begun to listen.
    pub(crate) fn look(&mut self) {
        let began = self.clock.monotonic();
        let pids = self.members.pids();
        // where the kernel does not say, nobody is found to serve
        let listening = Listening::now(self.port).unwrap_or_default();
        let has_new = !listening.is_part_of(&self.listening);
        self.listening = listening;
        // the end of one that served is still to be heard of
        self.known.retain(|pid, known| pids.contains(pid) || known.held.is_some());
        let is_due = |known: &Known| known.look_at <= began || (has_new && known.process.served.is_none());
        let due = |pid: &&Pid| self.known.get(pid).is_none_or(is_due);
        let due: Vec<Pid> = pids.iter().filter(due).copied().collect();
        self.examine(&due, began);
        let took = self.clock.monotonic().saturating_sub(began);
        let serves = |known: &Known| known.process.served.is_some();
        let is_alone = self.known.len() == 1 && self.known.values().all(serves);
        let next = began
            + match is_alone {
                _ if began < self.closely_until => CLOSELY_EVERY.max(took * CLOSELY_COST_LIMIT),
                true => ALONE_EVERY.max(took * COST_LIMIT),
                false => LOOK_EVERY.max(took * COST_LIMIT),
            };
        let young = self.known.values().filter(|known| !serves(known)).map(|known| known.look_at);
        self.look_at = young.filter(|at| *at > began).min().map_or(next, |at| next.min(at));
    }

    /// The same, and at all that are not known to serve, whenever their turn were.
    pub(crate) fn look_at_all(&mut self) {
        self.look();
        let unsure = self.known.iter().filter(|(_, known)| known.process.served.is_none());
        let unsure: Vec<Pid> = unsure.map(|(pid, _)| *pid).collect();
        self.examine(&unsure, self.clock.monotonic());
    }

    /// The main process serves, or did as long as it was there.
    pub(crate) fn main_has_served(&self) -> bool {
        self.main_has_served
    }

    /// Another process serves.
    pub(crate) fn others_serve(&self) -> bool {
        !self.others().is_empty()
    }

    /// Who serves beside the main process.
    pub(crate) fn others(&self) -> Vec<ProcessId> {
        let serves = |(pid, known): &(&Pid, &Known)| **pid != self.main && known.process.served.is_some();
        self.known.iter().filter(serves).map(|(pid, known)| known.id(*pid)).collect()
    }

    /// The processes that serve while none above them does, which are to be asked to end before the rest is.
    pub(crate) fn topmost(&mut self) -> Vec<(Pid, HeldProcess)> {
        self.look_at_all();
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
        let listening = std::mem::take(&mut self.listening);
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
        self.listening = listening;
        let found = rule::serving(&self.tree());
        for (pid, sockets) in rule::inherited(&self.tree(), &found) {
            if let Some(known) = self.known.get_mut(&pid) {
                known.process.inherited.extend(sockets);
            }
        }
        for (pid, known) in &mut self.known {
            let serves = found.get(pid).copied();
            known.is_likely = serves.is_some();
            if known.is_grown(now) {
                known.process.served = known.process.served.or(serves);
            }
            if !known.is_likely {
                // it has run a program of its own since
                known.held = None;
            }
        }
        let one_serves = self.known.values().any(|known| known.process.served.is_some());
        if one_serves && !std::mem::replace(&mut self.one_has_served, true) {
            self.closely_until = now + CLOSELY_FOR;
        }
        self.main_has_served |=
            self.known.get(&self.main).is_some_and(|known| known.process.served.is_some());
        self.hold_serving();
    }

    fn examine_one(&mut self, pid: Pid, listening: &Listening, now: Duration) {
        let is_over = |known: &Known| known.held.as_ref().is_some_and(|held| held.process().has_ended());
        if self.known.get(&pid).is_some_and(is_over) {
            return;
        }
        let Some((parent, started)) = proc_status::parent_and_start(pid) else {
            self.known.remove(&pid);
            return;
        };
        let held = sockets::held_by(pid);
        // a process that ends gives up its program before its sockets, and both before it is known to have ended
        let executable = executable_of(pid);
        let is_ending = |known: &Known| {
            known.started == started
                && known.held.is_some()
                && known.process.executable.is_some()
                && executable.is_none()
        };
        if self.known.get(&pid).is_some_and(is_ending) {
            return;
        }
        // what one has served it serves as long as it runs that program
        let is_same = |known: &Known| {
            known.started == started
                && (known.process.executable == executable || known.process.served.is_none())
        };
        let known = self.known.remove(&pid).filter(is_same);
        let mut known = known.unwrap_or_else(|| Known::new(parent, started, now, self.clock.wall()));
        known.process.parent = parent;
        known.set_executable(pid, executable);
        if pid == self.main {
            known.read_file(pid);
            self.main_file = known.file.clone().or(self.main_file.take());
        }
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

#[cfg(test)]
mod tests;
