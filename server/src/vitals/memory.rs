//! How much of a process tree's memory is counted more than once.
//!
//! After a fork, parent and child have the same pages, and each one's `RssAnon` counts them: for gunicorn, node's cluster or
//! php-fpm the sum is many times the truth. Only `smaps_rollup` knows who shares what, and reading it makes the process wait at
//! its next mmap: 45 ms for 4 GB. So it is read rarely, and what it told is kept as the number of bytes by which the sum is too
//! much; between two readings that number is taken from the sum, which follows every leak at once.
//!
//! ```text
//!  sum = Σ RssAnon + VmSwap      shared = sum − Σ Pss_Anon + SwapPss, when last confirmed      private = sum − shared
//! ```
//!
//! A process that came after the last confirmation may share everything or nothing. It counts from the next one on, some seconds
//! later: a restart for memory that was counted twice is worse than one that comes 10 s later.

use std::collections::BTreeSet;
use std::time::Duration;

use super::process::{Process, Usage};
use super::{kilobytes, read};

/// How often at most, when it matters: near the limit, and when processes came or went.
const SOON: Duration = Duration::from_secs(10);
/// How often otherwise: a page that is written to is shared no more, which no sum shows.
const SELDOM: Duration = Duration::from_mins(1);
/// What counts as near the limit: it is broken at 90 %.
const NEAR_PERCENT: u64 = 80;
/// A thousandth of the time may be spent: 45 ms for 4 GiB, so 45 s of pause.
const PAUSE_S_PER_4_GIB: u64 = 45;

/// What is known of a process tree's shared pages.
#[derive(Default)]
pub(super) struct Sharing(Option<Confirmed>);

struct Confirmed {
    at: Duration,
    /// By how much the members' sum was too much.
    shared_bytes: u64,
    members: BTreeSet<Process>,
}

impl Sharing {
    /// The tree's memory with each page counted once, as far as it is known.
    pub(super) fn private_bytes(
        &mut self,
        now: Duration,
        limit_bytes: u64,
        usages: &[(Process, Usage)],
    ) -> u64 {
        self.private_bytes_by(now, limit_bytes, usages, confirm)
    }

    fn private_bytes_by(
        &mut self,
        now: Duration,
        limit_bytes: u64,
        usages: &[(Process, Usage)],
        confirm: impl FnOnce(&[(Process, Usage)]) -> u64,
    ) -> u64 {
        if let [(_, alone)] = usages {
            self.0 = None;
            return alone.memory_bytes.unwrap_or(0);
        }
        if self.is_due(now, limit_bytes, usages) {
            let members: BTreeSet<_> = usages.iter().map(|(process, _)| *process).collect();
            let shared_bytes = sum(usages, &members).saturating_sub(confirm(usages));
            self.0 = Some(Confirmed { at: now, shared_bytes, members });
        }
        self.estimate(usages)
    }

    fn estimate(&self, usages: &[(Process, Usage)]) -> u64 {
        // no page of a single process is counted twice
        let least = usages.iter().filter_map(|(_, usage)| usage.memory_bytes).max().unwrap_or(0);
        let known = self.0.as_ref();
        known.map_or(0, |known| sum(usages, &known.members).saturating_sub(known.shared_bytes)).max(least)
    }

    fn is_due(&self, now: Duration, limit_bytes: u64, usages: &[(Process, Usage)]) -> bool {
        let Some(known) = &self.0 else { return true };
        let came_or_went = usages.len() != known.members.len()
            || usages.iter().any(|(process, _)| !known.members.contains(process));
        let near =
            u128::from(self.estimate(usages)) * 100 >= u128::from(limit_bytes) * u128::from(NEAR_PERCENT);
        let pause = if came_or_went || near { SOON } else { SELDOM };
        let all: u64 = usages.iter().filter_map(|(_, usage)| usage.memory_bytes).sum();
        let affordable = Duration::from_secs((all >> 20) * PAUSE_S_PER_4_GIB / 4_096);
        now.saturating_sub(known.at) >= pause.max(affordable)
    }
}

fn sum(usages: &[(Process, Usage)], members: &BTreeSet<Process>) -> u64 {
    let known = usages.iter().filter(|(process, _)| members.contains(process));
    known.filter_map(|(_, usage)| usage.memory_bytes).sum()
}

/// Each page once: of a page that n processes share, each has an n-th.
fn confirm(usages: &[(Process, Usage)]) -> u64 {
    let of = |(process, usage): &(Process, Usage)| {
        let rollup = read(&format!("/proc/{}/smaps_rollup", process.pid));
        let share =
            rollup.and_then(|text| Some(kilobytes(&text, "Pss_Anon")? + kilobytes(&text, "SwapPss")?));
        // what may not be read, as that of a process with another user's rights, counts in full
        share.or(usage.memory_bytes).unwrap_or(0)
    };
    usages.iter().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn usages(megabytes: &[u64]) -> Vec<(Process, Usage)> {
        let usage = |(pid, megabytes): (u32, &u64)| {
            let process = Process { pid, started: 1 };
            (process, Usage { memory_bytes: Some(megabytes * MB), processor_us: 0 })
        };
        (1..).zip(megabytes).map(usage).collect()
    }

    struct Case {
        sharing: Sharing,
    }

    impl Case {
        /// 100 MB shared by three, confirmed at second 0.
        fn prefork() -> Self {
            let mut case = Self { sharing: Sharing::default() };
            assert_eq!(case.at(0, 1_000, &[100, 100, 100], Some(110)), 110);
            case
        }

        /// The answer in MB; `confirmed` is what the confirmation says, if one is expected.
        fn at(&mut self, s: u64, limit: u64, megabytes: &[u64], confirmed: Option<u64>) -> u64 {
            let mut asked = false;
            let now = Duration::from_secs(s);
            let bytes = self.sharing.private_bytes_by(now, limit * MB, &usages(megabytes), |_| {
                asked = true;
                confirmed.expect("no confirmation was due") * MB
            });
            assert_eq!(asked, confirmed.is_some(), "confirmed at {s} s");
            bytes / MB
        }
    }

    #[test]
    fn a_leak_shows_at_once_and_sharing_is_confirmed_once_a_minute() {
        let mut case = Case::prefork();
        assert_eq!(case.at(1, 1_000, &[100, 150, 100], None), 160);
        assert_eq!(case.at(59, 1_000, &[100, 300, 100], None), 310);
        assert_eq!(case.at(60, 1_000, &[100, 300, 100], Some(400)), 400, "pages that were written to");
        assert_eq!(case.at(61, 1_000, &[100, 301, 100], None), 401);
    }

    #[test]
    fn near_the_limit_it_is_confirmed_every_ten_seconds() {
        let mut case = Case::prefork();
        assert_eq!(case.at(9, 400, &[100, 310, 100], None), 320);
        assert_eq!(case.at(10, 400, &[100, 309, 100], None), 319, "below 80 %");
        assert_eq!(case.at(10, 400, &[100, 310, 100], Some(320)), 320);
    }

    #[test]
    fn a_newcomer_counts_when_it_was_confirmed() {
        let mut case = Case::prefork();
        assert_eq!(case.at(5, 1_000, &[100, 100, 100, 100], None), 110);
        assert_eq!(case.at(10, 1_000, &[100, 100, 100, 100], Some(115)), 115);
        assert_eq!(case.at(11, 1_000, &[100, 100, 100], None), 100, "never less than one of them has");
        assert_eq!(case.at(20, 1_000, &[100, 100, 100], Some(110)), 110);
        assert_eq!(case.at(21, 1_000, &[100], None), 100, "alone there is nothing to confirm");
    }

    #[test]
    fn large_families_are_confirmed_less_often() {
        let mut case = Case { sharing: Sharing::default() };
        assert_eq!(case.at(0, 100, &[8_192, 8_192], Some(8_192)), 8_192);
        assert_eq!(case.at(179, 100, &[8_192, 8_192], None), 8_192);
        assert_eq!(case.at(180, 100, &[8_192, 8_192], Some(8_192)), 8_192);
    }
}
