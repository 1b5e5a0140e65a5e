//! The process that shims are forked from, as the server has it.
//!
//! Running the program anew for each shim took a millisecond and a half while an app waited for its next worker, and a megabyte
//! of memory, both for the program's relocations, which are the same in every shim. So the server runs it once, as
//! `medic fork-server`; what is forked from that shares with it whatever it does not change. So all shims have the same layout of
//! memory. What reads hostile input, the analyser, is run anew.
//!
//! ```text
//!  medic serve ──start request──▶ medic fork-server
//!       ▲                                │ fork
//!       │                          medic reaper
//!       │                                │ fork
//!       └───────────report───────── medic shim ──▶ worker
//! ```
//!
//! It has one thread and holds nothing of any worker: only the shim reads its specification. It ends with the server, and what it
//! started does not. If it is killed, the next launch runs another.

mod child;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

pub use child::fork_server_main;

use crate::program::Program;
use crate::start_request::{LONGEST_PATH, StartRequest};
use crate::sys::descriptors::{Interest, poll};

/// The word of the command line that makes one. What follows it is room for what its forks will be called.
const COMMAND: &str = "fork-server";

/// A fork server, from the first launch or [`ForkServer::start`] on.
pub struct ForkServer {
    program: Program,
    process: Mutex<Option<Arc<Process>>>,
}

impl ForkServer {
    /// The one that `program` becomes.
    pub fn new(program: impl Into<Program>) -> Self {
        Self { program: program.into(), process: Mutex::default() }
    }

    /// What it runs.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Starts the process, so that the first launch need not.
    pub fn start(&self) -> io::Result<()> {
        self.process().map(drop)
    }

    /// The process, which is started where there is none.
    pub(crate) fn process(&self) -> io::Result<Arc<Process>> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = process.as_ref().filter(|process| !process.has_ended()) {
            return Ok(Arc::clone(process));
        }
        let started = Arc::new(Process::start(&self.program)?);
        *process = Some(Arc::clone(&started));
        Ok(started)
    }
}

/// The process.
pub(crate) struct Process {
    socket: OwnedFd,
    child: Mutex<Child>,
}

impl Process {
    fn start(program: &Program) -> io::Result<Self> {
        let (socket, its) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let child = program
            .command()
            .arg(COMMAND)
            .arg("_".repeat(LONGEST_PATH))
            // the server's environment may hold secrets that no shim needs
            .env_clear()
            // what a terminal sends to the server's group is not meant for it
            .process_group(0)
            .stdin(its)
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { socket, child: Mutex::new(child) })
    }

    /// One that has ended takes nothing, and closes what was sent to it.
    pub(crate) fn send(&self, request: &StartRequest<BorrowedFd<'_>>) -> io::Result<()> {
        match request.send(self.socket.as_fd()) {
            Err(error) if !self.has_ended() => Err(error),
            _ => Ok(()),
        }
    }

    /// It says nothing over its socket, so what is ready there is the end.
    pub(crate) fn has_ended(&self) -> bool {
        let ready = poll(&[Interest { fd: self.socket.as_fd(), write: false }], Some(Duration::ZERO));
        ready.first().is_some_and(|ready| ready.read)
    }

    /// Ends it with all requests that it has not read yet.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ended_already = child.kill().and_then(|()| child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
