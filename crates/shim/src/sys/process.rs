//! Waiting for processes, leaving the starting one, limits.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;

use engine::{Exit, Signal};

use super::{Pid, check};

/// A change of a child's or a traced thread's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is gone.
    Ended(Exit),
    /// It is stopped for its tracer: by this signal, for this event (0 is a signal about to be delivered).
    Stopped { signal: i32, event: i32 },
}

impl Change {
    fn from_status(status: i32) -> Option<Self> {
        if libc::WIFEXITED(status) {
            Some(Self::Ended(Exit::Code(libc::WEXITSTATUS(status))))
        } else if libc::WIFSIGNALED(status) {
            Some(Self::Ended(Exit::Signal(Signal(libc::WTERMSIG(status)))))
        } else if libc::WIFSTOPPED(status) {
            Some(Self::Stopped { signal: libc::WSTOPSIG(status), event: status >> 16 })
        } else {
            None
        }
    }
}

/// The next change of any child or traced thread, if there is one already.
pub(crate) fn next_change() -> Option<(Pid, Change)> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::WNOHANG) };
        match pid {
            1.. => {
                if let Some(change) = Change::from_status(status) {
                    return Some((pid, change));
                }
            }
            0 => return None,
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

/// Waits until one child is gone, whatever stops are reported before.
pub(crate) fn reap(pid: Pid) -> Option<Exit> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } < 0 {
            if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return None;
        }
        match Change::from_status(status) {
            Some(Change::Ended(exit)) => return Some(exit),
            Some(Change::Stopped { .. }) => {
                let _ = super::ptrace::resume(pid, 0);
            }
            None => {}
        }
    }
}

/// Which side of a fork this is.
pub(crate) enum Fork {
    /// The old process, with the new one's id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Forks a process that has a single thread, so that the child may go on with any code.
fn fork() -> io::Result<Fork> {
    // SAFETY: the callers are at the start of the program, before any thread was made, so no lock is held by another thread.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Leaves the starting process behind: own session, no controlling terminal, adopted by init. Returns `Parent` in the old
/// process, which must end at once, and `Child` in the new one.
///
/// Only for the start of a program, before any thread exists.
pub(crate) fn leave_parent() -> io::Result<Fork> {
    if let Fork::Parent(pid) = fork()? {
        reap(pid);
        return Ok(Fork::Parent(pid));
    }
    // SAFETY: setsid takes nothing.
    check(unsafe { libc::setsid() })?;
    if let Fork::Parent(_) = fork()? {
        exit_now(0);
    }
    Ok(Fork::Child)
}

/// Ends this process without running anything that was registered for its end.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes an integer and does not return.
    unsafe { libc::_exit(code) }
}

/// Files made from now on are readable by their owner alone.
pub(crate) fn make_files_private() {
    // SAFETY: umask takes an integer.
    unsafe { libc::umask(0o077) };
}

/// This thread's id.
pub(crate) fn own_thread() -> Pid {
    // SAFETY: gettid takes nothing.
    unsafe { libc::gettid() }
}
