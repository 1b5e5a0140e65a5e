//! Safe wrappers of the system calls that a worker's parent needs, and the only unsafe code of Medic.
//!
//! Each wrapper takes and gives owned or borrowed Rust values, checks the result and is as narrow as its one use. Everything
//! else in this crate is safe code.

pub(crate) mod descriptors;
pub(crate) mod epoll;
pub(crate) mod foreign_memory;
pub(crate) mod held_process;
pub(crate) mod limits;
pub(crate) mod memory;
pub(crate) mod process;
pub(crate) mod ptrace;
pub(crate) mod signals;
pub(crate) mod sock_diag;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod users;
pub(crate) mod wait_status;

use std::io;

/// A process or thread id.
pub(crate) type Pid = libc::pid_t;

/// Turns the usual -1 into the error that `errno` names.
fn check<T: PartialOrd + Default>(result: T) -> io::Result<T> {
    if result < T::default() { Err(io::Error::last_os_error()) } else { Ok(result) }
}
