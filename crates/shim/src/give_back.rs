//! Having no more memory than is used: few heaps, and giving back what is free.

use std::io;

use crate::memory_map::{self, MemoryMap};
use crate::sys::memory::{drop_code, limit_arenas, map_large_pieces, trim_heaps};
use crate::sys::process::process_id;

/// What is larger stands in no heap. Left to itself the allocator raises the number to the largest piece that was ever freed (19 MiB, for
/// the hash of a password), and heaps of such pieces grow with each that is made beside others.
const LARGE_BYTES: i32 = 1024 * 1024;

/// Lets the allocator have a heap a core, and two at least. It would have eight, and each keeps what a page needed that was made in
/// it. Before threads are started.
pub fn limit_heaps() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    limit_arenas(i32::try_from(cores).unwrap_or(i32::MAX).max(2));
    map_large_pieces(LARGE_BYTES);
}

/// Gives back what was freed, and the program's own code: most of what is run at the start, or for one page, is not run again for a
/// long time. The rest is mapped again as it is called, from the system's cache of files.
pub fn give_back_memory() -> io::Result<()> {
    trim_heaps();
    let map = MemoryMap::parse(&memory_map::read(process_id())?);
    let here = give_back_memory as *const () as u64;
    match map.area_of(here).filter(|area| area.executable && !area.writable && area.is_named) {
        Some(code) => drop_code(code.start, code.end),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident_kib() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn code_is_given_back_and_runs_on() {
        // other tests run meanwhile, and need more of it again
        loop {
            let before = resident_kib();
            give_back_memory().unwrap();
            if resident_kib() < before {
                break;
            }
        }
        assert_eq!("4711".parse::<u64>().map_err(|error| error.to_string()), Ok(4_711));
    }
}
