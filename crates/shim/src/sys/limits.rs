//! Resource limits of this process and of others.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use super::{Pid, check};

/// How many files this process may have open: soft and hard.
pub(crate) fn open_files() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes into a structure that lives through the call.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets how many files this process may have open.
pub(crate) fn set_open_files(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: the kernel reads a structure that lives through the call.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }).map(drop)
}

/// How large a core of another process may become; `None` where the kernel does not tell.
pub(crate) fn core_bytes(pid: Pid) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: no new limit is given; the kernel writes the old one into a structure that lives through the call.
    check(unsafe { libc::prlimit(pid, libc::RLIMIT_CORE, ptr::null(), &raw mut limit) }).ok()?;
    Some(limit.rlim_cur)
}

/// Has the child that `command` starts call `set_open_files` of its own before its program runs.
pub(crate) fn limit_open_files_of(command: &mut Command, soft: u64) {
    let set = move || {
        let (_, hard) = open_files()?;
        set_open_files(soft.min(hard), hard)
    };
    // SAFETY: between fork and exec only getrlimit and setrlimit are called, which take no lock and allocate nothing.
    unsafe { command.pre_exec(set) };
}
