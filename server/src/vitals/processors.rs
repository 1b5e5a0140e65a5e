//! How much of the processors that it may use a worker has used.

use std::time::Duration;

use shim::cgroup::Group;

use super::process::{Process, Usage};
use super::read;

/// Time is told in hundredths of a second, so a shorter stretch would be told too roughly.
const SHORTEST: Duration = Duration::from_millis(500);

/// What a worker may use, in microseconds of processor time a second; zero where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Processors(u64);

impl Processors {
    /// The processors that it is allowed and that are there, or its control group's limit where that is less.
    pub(super) fn of(pid: u32, group: Option<&Group>) -> Self {
        let count = || {
            let status = read(&format!("/proc/{pid}/status"))?;
            let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
            // the list may name processors that could be there one day
            let online = read("/sys/devices/system/cpu/online");
            Some(in_both(allowed, online.as_deref().unwrap_or(allowed)))
        };
        let allowed = count().unwrap_or(0).saturating_mul(1_000_000);
        let limit = group.and_then(Group::processor_limit_us_per_s);
        Self(limit.map_or(allowed, |limit| limit.min(allowed)))
    }
}

/// How many numbers two lists such as `0-3,8` have in common.
fn in_both(one: &str, other: &str) -> u64 {
    let ranges = |list: &str| -> Vec<(u64, u64)> {
        let range = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        list.trim().split(',').filter_map(range).collect()
    };
    let other = ranges(other);
    let common = |(first, last): (u64, u64)| {
        let overlap = |(from, to): &(u64, u64)| (last.min(*to) + 1).saturating_sub(first.max(*from));
        other.iter().map(overlap).sum::<u64>()
    };
    ranges(one).into_iter().map(common).sum()
}

/// What was used, from one reading to the next.
#[derive(Default)]
pub(super) struct Load {
    last: Option<Last>,
    percent: Option<u8>,
}

struct Last {
    at: Duration,
    used_us: u64,
    processes: Vec<Process>,
}

impl Load {
    /// From the group's own account, which nothing escapes.
    pub(super) fn of_group(&mut self, now: Duration, used_us: u64, processors: Processors) -> Option<u8> {
        self.step(now, used_us, 0, Vec::new(), processors)
    }

    /// From the processes' accounts. One that ends moves its time into its parent's account when that waits for it; where
    /// nobody waits for it, that time is lost, and the sum may fall: then nothing was used, as far as is known.
    pub(super) fn of_processes(
        &mut self,
        now: Duration,
        usages: &[(Process, Usage)],
        processors: Processors,
    ) -> Option<u8> {
        let used = usages.iter().map(|(_, usage)| usage.processor_us).sum();
        // what one used before it was found was not used since the last reading
        let known = self.last.as_ref().map_or(&[][..], |last| &last.processes);
        let new = usages.iter().filter(|(process, _)| !known.contains(process));
        let before = new.map(|(_, usage)| usage.processor_us).sum();
        let processes = usages.iter().map(|(process, _)| *process).collect();
        self.step(now, used, before, processes, processors)
    }

    fn step(
        &mut self,
        now: Duration,
        used_us: u64,
        before_us: u64,
        processes: Vec<Process>,
        Processors(us_per_s): Processors,
    ) -> Option<u8> {
        if let Some(last) = &self.last {
            let elapsed = now.saturating_sub(last.at);
            if elapsed < SHORTEST {
                return self.percent;
            }
            let used = used_us.saturating_sub(last.used_us).saturating_sub(before_us);
            let possible = elapsed.as_micros() * u128::from(us_per_s);
            self.percent = (u128::from(used) * 100 * 1_000_000)
                .checked_div(possible)
                .map(|percent| u8::try_from(percent).unwrap_or(100).min(100));
        }
        self.last = Some(Last { at: now, used_us, processes });
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Processors = Processors(2_000_000);

    #[test]
    fn lists_have_in_common_what_is_in_both() {
        for (one, other, expected) in [
            ("0-1", "0-1", 2),
            ("0-3,8", "2-8", 3),
            ("0-127", "0-1\n", 2),
            ("0", "1", 0),
            ("\t7\n", "0-7", 1),
        ] {
            assert_eq!(in_both(one, other), expected, "{one} and {other}");
        }
        assert_eq!(in_both("", "0"), 0);
    }

    #[test]
    fn percent_is_of_what_may_be_used_and_rounded_down() {
        let ms = Duration::from_millis;
        let mut load = Load::default();
        assert_eq!(load.of_group(ms(0), 5_000_000, TWO), None);
        assert_eq!(load.of_group(ms(1_000), 6_519_999, TWO), Some(75));
        assert_eq!(load.of_group(ms(1_001), 6_999_999, TWO), Some(75), "too short to tell");
        assert_eq!(load.of_group(ms(2_000), 6_519_999, TWO), Some(0));
        assert_eq!(load.of_group(ms(3_000), 16_519_999, TWO), Some(100), "never more than all");
        assert_eq!(load.of_group(ms(4_000), 16_519_999, Processors(0)), None, "not known");
        assert_eq!(load.of_group(ms(6_000), 17_019_999, Processors(500_000)), Some(50), "half a processor");
    }

    #[test]
    fn what_a_child_used_counts_once_before_and_after_its_end() {
        let s = Duration::from_secs;
        let usage =
            |pid, processor_us| (Process { pid, started: 1 }, Usage { memory_bytes: None, processor_us });
        let mut load = Load::default();
        assert_eq!(load.of_processes(s(0), &[usage(1, 0)], TWO), None);
        assert_eq!(load.of_processes(s(1), &[usage(1, 0), usage(2, 9_000_000)], TWO), Some(0), "used before");
        assert_eq!(load.of_processes(s(2), &[usage(1, 0), usage(2, 10_000_000)], TWO), Some(50));
        assert_eq!(load.of_processes(s(3), &[usage(1, 10_400_000)], TWO), Some(20), "waited for");
        assert_eq!(load.of_processes(s(4), &[usage(1, 10_400_000)], TWO), Some(0));
    }
}
