//! What a running worker uses: private bytes and processors, its children's included, read once a second for every worker.
//!
//! So it must cost little: two files of `/proc` a process, and nothing that makes the worker wait. What costs more is looked at
//! less often: who the children are, every 5 s; which of their pages are shared, as [`memory`] has it.
//!
//! | processor time (µs) | each second | more, every 5 s |
//! |---|---|---|
//! | a worker alone | 20 | 40 |
//! | one with 200 threads | 27 | 1,100 |
//! | one with 4 children | 120 | 500 |
//! | one with 4 children and 100 MB that they share, confirmed | | 10,000, at most every 10 s |
//!
//! So 300 workers take a hundredth of a processor. (Optimised; the test `cost` prints it.)
//!
//! A process's id may be given to another as soon as the process is gone. So a process is its id and the moment of its start,
//! and everything read of the id counts only if a file read afterwards still says that start.

mod memory;
mod process;
pub mod process_list;
mod process_tree;
mod processors;

use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

use model::auto_heal::limit::Bitness;
use shim::cgroup::Group;

use self::memory::Sharing;
use self::process::Process;
use self::process_tree::ProcessTree;
use self::processors::{Load, Processors};

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Memory that would be free again if the worker and its children ended, in bytes: anonymous memory and swap, a page that
    /// several of them share counted once.
    pub private_bytes: Option<u64>,
    /// Their share of the processors that the worker may use, since the last reading, in whole hundredths rounded down. Nothing
    /// in the first reading.
    pub cpu_percent: Option<u8>,
}

/// Reads one worker, from its start to its end.
pub struct Meter {
    /// Absent when there was no such process.
    worker: Option<Process>,
    /// Its control group, where that is its alone.
    group: Option<Group>,
    /// What bounds its use of processors.
    processor_group: Option<Group>,
    tree: ProcessTree,
    sharing: Sharing,
    processors: Processors,
    load: Load,
    /// When tree and processors were looked at.
    looked: Option<Duration>,
}

impl Meter {
    /// How often it is looked who the children are and what the worker may use.
    const LOOK_EVERY: Duration = Duration::from_secs(5);

    /// For the process that has this id now.
    pub fn new(pid: u32) -> Self {
        Self {
            worker: Process::now(pid),
            group: Group::of_memory(pid).filter(Group::is_a_workers_own),
            processor_group: Group::of_processors(pid),
            tree: ProcessTree::default(),
            sharing: Sharing::default(),
            processors: Processors::default(),
            load: Load::default(),
            looked: None,
        }
    }

    /// It reads nothing, because the process was not to be found; so it seems, too, when no file can be opened.
    pub fn is_blind(&self) -> bool {
        self.worker.is_none()
    }

    /// Reads everything. `now` is the monotonic clock's; `limit_bytes` is what the worker may have: the nearer it is, the more
    /// is done to be right. A worker that is gone has no values.
    pub fn read(&mut self, now: Duration, limit_bytes: u64) -> Reading {
        let Some(worker) = self.worker else { return Reading::default() };
        let Some(own) = worker.usage() else { return Reading::default() };
        let is_due = self.looked.is_none_or(|at| now.saturating_sub(at) >= Self::LOOK_EVERY);
        if is_due {
            self.looked = Some(now);
            self.tree.find(worker, self.group.as_ref());
            self.processors = Processors::of(worker.pid, self.processor_group.as_ref());
        }
        let mut usages = vec![(worker, own)];
        self.tree.usages(&mut usages);
        let private_bytes = own.memory_bytes.map(|_| {
            let exact = self.group.as_ref().filter(|_| usages.len() > 1).and_then(Group::anonymous_bytes);
            exact.unwrap_or_else(|| self.sharing.private_bytes(now, limit_bytes, &usages))
        });
        let used_us = self.group.as_ref().and_then(Group::processor_us);
        let cpu_percent = match used_us {
            Some(used) => self.load.of_group(now, used, self.processors),
            None => self.load.of_processes(now, &usages, self.processors),
        };
        Reading { private_bytes, cpu_percent }
    }
}

/// The processor time that a process and all that it has started used so far, in microseconds.
pub fn processor_us(pid: u32) -> Option<u64> {
    let group = Group::of_memory(pid).filter(Group::is_a_workers_own);
    if let Some(used) = group.as_ref().and_then(Group::processor_us) {
        return Some(used);
    }
    let worker = Process::now(pid)?;
    let (mut tree, mut usages) = (ProcessTree::default(), vec![(worker, worker.usage()?)]);
    tree.find(worker, group.as_ref());
    tree.usages(&mut usages);
    Some(usages.iter().map(|(_, usage)| usage.processor_us).sum())
}

/// What a process's executable was built for; a script's is its interpreter's.
pub fn bitness(pid: u32) -> Option<Bitness> {
    let mut start = [0; 5];
    File::open(format!("/proc/{pid}/exe")).ok()?.read_exact(&mut start).ok()?;
    match start {
        [0x7f, b'E', b'L', b'F', 1] => Some(Bitness::Bits32),
        [0x7f, b'E', b'L', b'F', 2] => Some(Bitness::Bits64),
        _ => None,
    }
}

/// The lowest memory limit of the control groups that a process is in, in bytes.
pub fn cgroup_limit(pid: u32) -> Option<u64> {
    Group::of_memory(pid)?.memory_limit_bytes()
}

/// A file of `/proc`, which may be as long as its process likes, up to a limit.
fn read(path: &str) -> Option<String> {
    const LIMIT_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::with_capacity(2_048);
    File::open(path).ok()?.take(LIMIT_BYTES).read_to_end(&mut bytes).ok()?;
    // a process's name may be any bytes
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

/// A number of kB of a file with `name: number kB` in each line.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1_024)
}

/// The entries of a folder of `/proc` that are numbers.
fn numbers_in(folder: &str) -> impl Iterator<Item = u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests;
