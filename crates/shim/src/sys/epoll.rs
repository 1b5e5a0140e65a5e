//! Many descriptors of which few have news.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::check;

/// How much news is taken at once.
const EVENTS: usize = 64;

/// A set of descriptors. One that is closed has left it.
pub(crate) struct Epoll(OwnedFd);

/// News of one descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct News {
    /// Who it was when it was added.
    pub(crate) token: u64,
    /// The other side is gone.
    pub(crate) hung_up: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: epoll_create1 takes an integer.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just made by epoll_create1 and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// From now on there is news whenever `fd` becomes readable or its other side is gone; once each.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let events = u32::try_from(libc::EPOLLIN | libc::EPOLLRDHUP).unwrap_or(0) | EDGE;
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: the event lives through the call; the kernel copies it.
        check(unsafe {
            libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, fd.as_raw_fd(), &raw mut event)
        })
        .map(drop)
    }

    /// What is new, without waiting.
    pub(crate) fn news(&self) -> Vec<News> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        let room = i32::try_from(EVENTS).unwrap_or(1);
        // SAFETY: the kernel writes at most as many events as the array has room for.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), room, 0) };
        let of = |event: &libc::epoll_event| News {
            token: event.u64,
            hung_up: event.events & u32::try_from(libc::EPOLLHUP).unwrap_or(0) != 0,
        };
        events.iter().take(usize::try_from(count).unwrap_or(0)).map(of).collect()
    }
}

/// `EPOLLET`, which is the highest bit.
const EDGE: u32 = 1 << 31;

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
