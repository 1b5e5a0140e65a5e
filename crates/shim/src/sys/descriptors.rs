//! Pipes, poll and file descriptor flags.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::check;

/// A pipe, both ends close-on-exec: reading end, writing end.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: the kernel writes two descriptors into an array of two.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    // SAFETY: both were just made by pipe2 and belong to nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

/// Lets reads and writes return `WouldBlock`.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fcntl with F_GETFL takes and returns integers alone.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: fcntl with F_SETFL takes integers alone.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) }).map(drop)
}

/// How many bytes a pipe holds.
pub(crate) fn pipe_capacity(fd: BorrowedFd<'_>) -> usize {
    // SAFETY: fcntl with F_GETPIPE_SZ takes and returns integers alone.
    let capacity = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETPIPE_SZ) };
    usize::try_from(capacity).unwrap_or(65_536)
}

/// Makes `target` another name of `fd`, as standard input, output and error are set up.
pub(crate) fn replace(fd: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup2 takes integers; `target` is one of the standard descriptors, which no Rust value owns.
    check(unsafe { libc::dup2(fd.as_raw_fd(), target) }).map(drop)
}

/// Closes everything but the standard descriptors, so that nothing of the starting process stays open.
///
/// Only for the start of a program, when no Rust value owns a descriptor yet.
pub(crate) fn close_all_but_standard() {
    // SAFETY: called before anything was opened, so nobody's descriptor is closed under their hands.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

/// Takes over a descriptor that this process was started with, such as 3; `None` where it is not open.
pub(crate) fn inherited(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: fcntl with F_GETFD takes and returns integers alone.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) }).ok()?;
    // SAFETY: the descriptor is open, and by this program's contract with its parent nobody else in it owns it.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same, close-on-exec from now on.
pub(crate) fn inherited_alone(fd: RawFd) -> Option<OwnedFd> {
    let fd = inherited(fd)?;
    rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(fd)
}

/// One descriptor to wait for.
#[derive(Clone, Copy)]
pub(crate) struct Interest<'fd> {
    pub(crate) fd: BorrowedFd<'fd>,
    /// Wait for space to write too.
    pub(crate) write: bool,
}

/// What happened to one descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// There is something to read, or the other side is gone.
    pub(crate) read: bool,
    /// There is space to write.
    pub(crate) write: bool,
}

/// Waits until one of them is ready, a signal came, or the time is over; no time means for ever.
pub(crate) fn poll(interests: &[Interest<'_>], timeout: Option<Duration>) -> Vec<Readiness> {
    let mut polled: Vec<libc::pollfd> = interests
        .iter()
        .map(|interest| libc::pollfd {
            fd: interest.fd.as_raw_fd(),
            events: if interest.write { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN },
            revents: 0,
        })
        .collect();
    // rounded up, so that a deadline has passed when poll returns
    let timeout_ms =
        timeout.map_or(-1, |timeout| i32::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX));
    let count = libc::nfds_t::try_from(polled.len()).unwrap_or(0);
    // SAFETY: the array lives through the call and has as many elements as said.
    if unsafe { libc::poll(polled.as_mut_ptr(), count, timeout_ms) } < 0 {
        // interrupted: nothing is ready as far as is known
        return vec![Readiness::default(); polled.len()];
    }
    polled
        .iter()
        .map(|polled| Readiness {
            read: polled.revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0,
            write: polled.revents & (libc::POLLOUT | libc::POLLERR) != 0,
        })
        .collect()
}
