//! The ends of serving processes that this process has not started: nobody but their parents is told by `wait`.
//!
//! Each is held by a descriptor, which says that it has ended, and how. Where the debugger follows it, or its parent was gone,
//! the kernel tells this process, too, and sooner.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use model::crash::{Executable, ProcessRole};
use model::{Clock, Exit, ProcessId};

use super::known::{Held, Known, role};
use super::rule::Serves;
use super::{CLOSELY_FOR, ServingProcesses};
use crate::sys::Pid;
use crate::sys::epoll::{Epoll, News};

/// The end of a serving process other than the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Death {
    pub(crate) pid: Pid,
    pub(crate) process: ProcessId,
    pub(crate) role: ProcessRole,
    /// The file's name of the program that it ran, where that could be seen.
    pub(crate) program: Option<String>,
    /// That file with its build.
    pub(crate) file: Option<Executable>,
    /// `None` where this kernel has told nobody but its parent.
    pub(crate) exit: Option<Exit>,
    /// How long it had run.
    pub(crate) age: Duration,
    /// Another process accepts its connections and hands them to it.
    pub(crate) is_receiver: bool,
}

impl ServingProcesses {
    /// Readable when [`ServingProcesses::take_deaths`] has something.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.deaths.as_ref().map(Epoll::as_fd)
    }

    /// Who of the serving processes has ended since the last time.
    pub(crate) fn take_deaths(&mut self) -> Vec<Death> {
        let news = self.deaths.as_ref().map(Epoll::news).unwrap_or_default();
        if !news.is_empty() {
            self.closely_until = self.clock.monotonic() + CLOSELY_FOR;
        }
        news.into_iter().filter_map(|news| self.hear(news)).collect()
    }

    /// The kernel has told that this process has ended, and how, as it tells parents and debuggers.
    pub(crate) fn ended(&mut self, pid: Pid, exit: Exit) -> Option<Death> {
        self.known.get(&pid)?.held.as_ref()?;
        self.bury(pid, Some(exit))
    }

    /// Which process this is, and what it is to the worker.
    pub(crate) fn identity(&self, pid: Pid) -> Option<(ProcessId, ProcessRole)> {
        let known = self.known.get(&pid)?;
        Some((known.id(pid), self.role(known)))
    }

    /// What the main process was last seen to run.
    pub(crate) fn main_file(&self) -> Option<Executable> {
        self.main_file.clone()
    }

    fn role(&self, known: &Known) -> ProcessRole {
        role(&known.process, self.known.get(&known.process.parent).map(|parent| &parent.process))
    }

    fn hear(&mut self, News { token, hung_up }: News) -> Option<Death> {
        let pid = Pid::try_from(token).ok()?;
        let held = self.known.get(&pid)?.held.as_ref().filter(|held| held.process().has_ended())?;
        // its parent will ask for its end, which is news again
        let exit = held.exit();
        if exit.is_none() && !hung_up {
            return None;
        }
        self.bury(pid, exit)
    }

    fn bury(&mut self, pid: Pid, exit: Option<Exit>) -> Option<Death> {
        let known = self.known.remove(&pid)?;
        let is_fault = matches!(exit, Some(Exit::Signal(signal)) if signal.dumps_core());
        if known.process.served.is_none() && !(known.is_likely && is_fault) {
            return None;
        }
        Some(Death {
            pid,
            process: known.id(pid),
            role: self.role(&known),
            program: known.program,
            file: known.file,
            exit,
            age: self.clock.monotonic().saturating_sub(known.born),
            is_receiver: known.process.is_cluster_worker || known.process.served == Some(Serves::Connections),
        })
    }

    /// Waits for the ends of those that serve, or seem to.
    pub(super) fn hold_serving(&mut self) {
        let serves =
            |known: &Known| (known.process.served.is_some() || known.is_likely) && known.held.is_none();
        let pids: Vec<Pid> = self
            .known
            .iter()
            .filter(|(pid, known)| **pid != self.main && serves(known))
            .map(|(pid, _)| *pid)
            .collect();
        for pid in pids {
            let held = self.hold(pid).map(|process| Held::of(pid, process));
            let (Some(deaths), Some(held)) = (&self.deaths, held) else { continue };
            let token = u64::from(pid.unsigned_abs());
            if deaths.add(held.process().as_fd(), token).is_ok()
                && let Some(known) = self.known.get_mut(&pid)
            {
                known.held = Some(held);
                known.read_file(pid);
            }
        }
    }
}
