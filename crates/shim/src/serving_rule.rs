//! Which processes of a worker's tree serve: the question, apart from how it is answered.
//!
//! The debugger asks it of every process that it meets: what is made by one that has a request in its hands is a helper and let
//! go, what serves is captured at its fatal signal, and the death of anything else is its parent's business. The children of a
//! master are workers of its own, whatever the master holds for a moment (node's primary holds each connection until it has
//! handed it over).
//!
//! An answer is about the process that has the id at this moment, and is asked for while that process cannot end unseen: it is
//! traced and stopped. What one process was found to be it stays, until it ends or runs another program.

use crate::sys::Pid;

/// Tells the serving processes from the rest.
pub(crate) trait ServingRule {
    /// All processes that serve now, and the masters, parents before their children.
    fn watched(&mut self) -> Vec<Pid>;

    /// Is its death the worker's crash: does it serve the port, or what stands behind a proxy of the same tree, or is it the main
    /// process?
    fn serves(&mut self, pid: Pid) -> bool;

    /// Is it known to serve by itself? A main process that only waits for what it has started is not, and what a launcher starts is
    /// no helper of its.
    fn is_server(&mut self, pid: Pid) -> bool;

    /// Do its children serve beside it or for it?
    fn is_master(&mut self, pid: Pid) -> bool;

    /// Does it hold a connection of the port?
    fn holds_connection(&mut self, pid: Pid) -> bool;

    /// Is what it starts now a helper?
    fn starts_helpers(&mut self, pid: Pid) -> bool {
        self.holds_connection(pid) && !self.is_master(pid)
    }

    /// It runs another program from now on: what it was found to be may have changed.
    fn runs_anew(&mut self, _pid: Pid) {}
}

/// The main process serves, and nothing else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MainProcess(pub(crate) Pid);

impl ServingRule for MainProcess {
    fn watched(&mut self) -> Vec<Pid> {
        vec![self.0]
    }

    fn serves(&mut self, pid: Pid) -> bool {
        pid == self.0
    }

    fn is_server(&mut self, pid: Pid) -> bool {
        pid == self.0
    }

    fn is_master(&mut self, _pid: Pid) -> bool {
        false
    }

    fn holds_connection(&mut self, _pid: Pid) -> bool {
        false
    }

    /// Nothing that it starts is watched.
    fn starts_helpers(&mut self, _pid: Pid) -> bool {
        true
    }
}
