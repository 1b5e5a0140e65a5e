//! One process, and what `/proc` says of it in two files.

use super::{kilobytes, read};

/// A process that no other can be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// In ticks since the machine's start.
    pub(super) started: u64,
}

/// What a process used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Anonymous memory and swap, in bytes, with what it shares with its parent or children since a fork. A process that has
    /// ended and waits for its parent has none.
    pub(super) memory_bytes: Option<u64>,
    /// Processor time in microseconds, that of the ended children it has waited for included.
    pub(super) processor_us: u64,
}

impl Process {
    /// The one that has this id now.
    pub(super) fn now(pid: u32) -> Option<Self> {
        let started = Stat::read(pid)?.started;
        Some(Self { pid, started })
    }

    /// `None` when it is gone, even if another has its id.
    pub(super) fn usage(self) -> Option<Usage> {
        let status = read(&format!("/proc/{}/status", self.pid))?;
        // read last: what still has the same start was there all the time
        let stat = Stat::read(self.pid).filter(|stat| stat.started == self.started)?;
        let swap = kilobytes(&status, "VmSwap").unwrap_or(0);
        let memory_bytes = kilobytes(&status, "RssAnon").map(|resident| resident + swap);
        Some(Usage { memory_bytes, processor_us: stat.processor_us })
    }
}

/// The fields of `/proc/PID/stat` that are of use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) parent: u32,
    pub(super) started: u64,
    /// With what the ended children used that it has waited for.
    processor_us: u64,
    pub(super) own_us: u64,
}

impl Stat {
    pub(super) fn read(pid: u32) -> Option<Self> {
        Self::of(&read(&format!("/proc/{pid}/stat"))?)
    }

    /// Field 4 is the parent; 14 to 17 are the user and system time, its own and its ended children's; 22 is the start.
    fn of(stat: &str) -> Option<Self> {
        /// What the kernel calls `USER_HZ`: 100 a second on every machine that Medic runs on.
        const TICK_US: u64 = 10_000;
        // the name before the third field holds whatever the program wants
        let (_, from_third) = stat.rsplit_once(')')?;
        let mut fields = from_third.split_ascii_whitespace().skip(4 - 3);
        let parent = fields.next()?.parse().ok()?;
        let mut fields = fields.skip(14 - 5);
        let mut number = || fields.next()?.parse::<i64>().ok().map(i64::unsigned_abs);
        let own = number()? + number()?;
        let ticks = own + number()? + number()?;
        let started = fields.nth(22 - 18)?.parse().ok()?;
        let us = |ticks: u64| ticks.saturating_mul(TICK_US);
        Some(Self { parent, started, processor_us: us(ticks), own_us: us(own) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_pretend_to_be_fields() {
        let stat = "7 (a) R 1 2 (b\n) S 1 7 7 0 -1 4194560 85 0 0 0 3 4 50 60 20 0 1 0 187 2 3 4";
        assert_eq!(
            Stat::of(stat),
            Some(Stat { parent: 1, started: 187, processor_us: 1_170_000, own_us: 70_000 })
        );
        assert_eq!(Stat::of("7 (a) S 1"), None);
        assert_eq!(Stat::of(""), None);
    }

    #[test]
    fn another_process_with_the_same_id_is_another() {
        let own = Process::now(std::process::id()).unwrap();
        assert!(own.usage().unwrap().memory_bytes.unwrap() > 0);
        let earlier = Process { started: own.started - 1, ..own };
        assert_eq!(earlier.usage(), None);
    }

    #[test]
    fn one_that_has_ended_has_no_memory_and_then_is_gone() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let process = Process::now(child.id()).unwrap();
        drop(child.stdin.take());
        // not waited for yet, so its entry stays
        while process.usage().unwrap().memory_bytes.is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(process.usage(), None);
    }
}
