//! Keeps what a worker had in its memory out of the kernel's core dumps.
//!
//! The limit of core files alone does not: a core that the kernel writes into a socket (`@` in `core_pattern`, as systemd has it
//! from 262 on) is not held to it. What a core holds is chosen by a mask of kinds of memory, which every process hands down to what
//! it starts and runs. With none chosen a core has the registers and a few bytes of the command line.

use std::fs;

use crate::sys::Pid;

const OWN_FILTER: &str = "/proc/self/coredump_filter";

/// What a core of this process held before, as the kernel writes it.
pub(crate) struct CoreFilter(Option<String>);

/// Chooses no memory for cores of this process and of all that it starts from now on.
pub(crate) fn keep_memory_out() -> CoreFilter {
    // a kernel without core dumps has no such file
    let before = fs::read_to_string(OWN_FILTER).ok();
    if before.is_some()
        && let Err(error) = fs::write(OWN_FILTER, "0")
    {
        eprintln!("a core dump of the worker may hold its memory: {OWN_FILTER} cannot be written: {error}");
    }
    CoreFilter(before)
}

impl CoreFilter {
    /// Lets a core of a child hold what it would have held.
    pub(crate) fn give_back(&self, pid: Pid) {
        // read in hexadecimal digits, written with their mark
        if let Some(before) = &self.0
            && let Err(error) =
                fs::write(format!("/proc/{pid}/coredump_filter"), format!("0x{}", before.trim()))
        {
            eprintln!("a core dump of the worker will lack its memory: {error}");
        }
    }
}
