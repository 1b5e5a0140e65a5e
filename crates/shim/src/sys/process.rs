//! Waiting for processes, forking this one, limits.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use model::Exit;

use super::wait_status::exit_of_status;
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
        if let Some(exit) = exit_of_status(status) {
            Some(Self::Ended(exit))
        } else if libc::WIFSTOPPED(status) {
            Some(Self::Stopped { signal: libc::WSTOPSIG(status), event: status >> 16 })
        } else {
            None
        }
    }
}

/// The next change of any child or traced thread, if there is one already.
pub(crate) fn next_change() -> Option<(Pid, Change)> {
    change_among(-1)
}

/// The next change of this child or traced thread, if there is one already.
pub(crate) fn next_change_of(pid: Pid) -> Option<Change> {
    change_among(pid).map(|(_, change)| change)
}

fn change_among(whom: Pid) -> Option<(Pid, Change)> {
    loop {
        let mut status = 0;
        // SAFETY: the kernel writes one integer.
        let pid = unsafe { libc::waitpid(whom, &raw mut status, libc::__WALL | libc::WNOHANG) };
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
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: the callers' programs have made no thread, so no lock is held by another thread.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Leaves session, process group and controlling terminal of the process that this was forked from.
pub(crate) fn new_session() -> io::Result<()> {
    // SAFETY: setsid takes nothing.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Descendants whose parents end become children of this process instead of init's.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    // SAFETY: prctl with PR_SET_CHILD_SUBREAPER takes integers alone.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// How this process is called in lists of threads; cut off after 15 bytes.
pub(crate) fn set_name(name: &[u8]) {
    let Ok(name) = CString::new(name) else { return };
    // SAFETY: the name ends with NUL and lives through the call; the kernel copies at most 16 bytes of it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// The kernel names a process after the file that was run, which here may be `/proc/self/exe`.
pub(crate) fn name_as_called() {
    if let Some(called) = std::env::args_os().next() {
        let name = Path::new(&called).file_name().unwrap_or_default();
        set_name(name.as_bytes());
    }
}

/// Files made from now on are readable by their owner alone.
pub(crate) fn make_files_private() {
    // SAFETY: umask takes an integer.
    unsafe { libc::umask(0o077) };
}

/// This process's id.
pub(crate) fn process_id() -> Pid {
    // SAFETY: getpid takes nothing.
    unsafe { libc::getpid() }
}

/// Keeps other processes of the same user from looking into this one's memory, and the kernel from writing it into a core.
pub(crate) fn be_undumpable() -> io::Result<()> {
    // SAFETY: prctl with PR_SET_DUMPABLE takes integers alone.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(drop)
}

/// This thread's id.
pub(crate) fn own_thread() -> Pid {
    // SAFETY: gettid takes nothing.
    unsafe { libc::gettid() }
}
