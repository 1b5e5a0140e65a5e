//! Signals as events of a loop, and sending them.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use super::{Pid, check};

fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: sigemptyset initialises the whole set; sigaddset with a valid number changes only it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// Signals that are blocked and read from a descriptor.
pub(crate) struct SignalFd(std::fs::File);

impl SignalFd {
    /// Blocks the signals for this thread and those it makes, and opens a descriptor for them.
    pub(crate) fn new(signals: &[i32]) -> io::Result<Self> {
        let set = set_of(signals);
        // SAFETY: the set is initialised and outlives the calls; no old mask is asked for.
        let fd = check(unsafe {
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
            libc::signalfd(-1, &raw const set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC)
        })?;
        // SAFETY: the descriptor was just made by signalfd and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }.into()))
    }

    /// The signals that came since the last call.
    pub(crate) fn take(&mut self) -> Vec<i32> {
        let mut signals = Vec::new();
        let mut record = [0_u8; size_of::<libc::signalfd_siginfo>()];
        while let Ok(length) = self.0.read(&mut record) {
            if length != record.len() {
                break;
            }
            // `ssi_signo` is the first field
            signals.push(i32::from_ne_bytes([record[0], record[1], record[2], record[3]]));
        }
        signals
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until a child changes its state, or the time is over. SIGCHLD must be blocked.
pub(crate) fn wait_for_child(timeout: Duration) {
    let set = set_of(&[libc::SIGCHLD]);
    let timeout = libc::timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    };
    // SAFETY: set and time are initialised and outlive the call; no signal information is asked for.
    unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const timeout) };
}

/// Gives every signal that this process was started with as ignored its default action again, and blocks none. But SIGPIPE, which
/// Rust's runtime ignores by itself, stays as it is.
pub(crate) fn reset_inherited() {
    // the kernel's struct sigaction: handler, flags, restorer, mask
    let (default_action, mut current) = ([0_u64; 4], [0_u64; 4]);
    for signal in (1..=64_i32).filter(|signal| *signal != libc::SIGPIPE) {
        // SAFETY: both arrays are as large as the kernel's structure and live through the calls. By the system call, since the C
        // library keeps two signals to itself.
        unsafe {
            let size = size_of::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, signal, ptr::null::<u64>(), current.as_mut_ptr(), size);
            if current[0] == libc::SIG_IGN as u64 {
                let none = ptr::null_mut::<u64>();
                libc::syscall(libc::SYS_rt_sigaction, signal, default_action.as_ptr(), none, size);
            }
        }
    }
    let none = set_of(&[]);
    // SAFETY: the set is initialised and outlives the call; no old mask is asked for.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) };
}

/// Blocks signals for this thread and those that it makes.
pub(crate) fn block(signals: &[i32]) {
    let set = set_of(signals);
    // SAFETY: the set is initialised and outlives the call; no old mask is asked for.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
}

/// Ignores a signal from now on.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Gives a signal its default action.
pub(crate) fn give_default_action(signal: i32) {
    // SAFETY: SIG_DFL runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
}

/// Sends a signal to a process.
pub(crate) fn send(pid: Pid, signal: i32) -> io::Result<()> {
    if pid <= 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: kill takes integers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Ends every process of a group.
pub(crate) fn kill_group(group: Pid) {
    if group > 1 {
        // SAFETY: kill takes integers; a negative number names the group, and it is neither 0 nor everybody (-1).
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}
