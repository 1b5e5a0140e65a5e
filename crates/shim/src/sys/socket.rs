//! Who is at the other end of a unix socket, and whether that process still lives.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::descriptors::{Interest, poll};
use super::{Pid, check};

/// The process that made the connection, as the kernel noted it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its id.
    pub(crate) pid: Pid,
    /// Its effective user.
    pub(crate) uid: u32,
}

/// Who connected.
pub(crate) fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes into the structure, which outlives the call.
    check(unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    })?;
    Ok(Peer { pid: credentials.pid, uid: credentials.uid })
}

/// This process's effective user.
pub fn own_user() -> u32 {
    // SAFETY: geteuid takes nothing.
    unsafe { libc::geteuid() }
}

/// A process that stays the one that was meant, even when its id is given to another.
pub(crate) struct Process(OwnedFd);

impl Process {
    /// `None` where no such process is left, or the kernel has no such descriptors (before 5.3).
    pub(crate) fn open(pid: Pid) -> Option<Self> {
        // SAFETY: pidfd_open takes integers.
        let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).ok()?;
        let fd = i32::try_from(fd).ok()?;
        // SAFETY: the descriptor was just made by pidfd_open and belongs to nobody else.
        Some(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Has it ended?
    pub(crate) fn is_dead(&self) -> bool {
        let ready = poll(&[Interest { fd: self.0.as_fd(), write: false }], Some(Duration::ZERO));
        ready.first().is_some_and(|ready| ready.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let pid = Pid::try_from(std::process::id()).unwrap();
        assert_eq!(peer(&one).unwrap(), Peer { pid, uid: own_user() });
    }

    #[test]
    fn a_process_is_alive_until_it_has_ended() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::open(Pid::try_from(child.id()).unwrap()).expect("Linux 5.3 or newer");
        assert!(!process.is_dead());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(process.is_dead());
        assert!(Process::open(0).is_none());
    }
}
