//! A worker's processes for people: names, and what each uses now. Neither command lines nor environments are read, which hold
//! secrets; and nothing that makes a process wait.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use model::Timestamp;
use model::text::seen;
use shim::cgroup::Group;

use super::process::{Process, Stat};
use super::process_tree::ProcessTree;
use super::{kilobytes, numbers_in, read};

/// How long apart two [`ProcessList`]s should be: processor time is counted in hundredths of a second.
pub const APART: Duration = Duration::from_millis(500);

/// The processes of one worker at one moment, the worker first.
#[derive(Default)]
pub struct ProcessList(Vec<Listed>);

struct Listed {
    process: Process,
    stat: Stat,
    status: String,
}

impl ProcessList {
    /// Nothing where there is no such process.
    pub fn at(worker: u32) -> Self {
        let Some(worker) = Process::now(worker) else { return Self(Vec::new()) };
        let group = Group::of_memory(worker.pid).filter(Group::is_a_workers_own);
        let mut tree = ProcessTree::default();
        tree.find(worker, group.as_ref());
        let all = std::iter::once(worker).chain(tree.processes().iter().copied());
        Self(all.filter_map(Listed::now).collect())
    }

    /// The processes that are there now, with the processor time that each used since `self`.
    pub fn then(&self, now: &Self, elapsed: Duration) -> Vec<model::process::Process> {
        let boot = boot_time();
        let before: BTreeMap<Process, u64> =
            self.0.iter().map(|seen| (seen.process, seen.stat.own_us)).collect();
        now.0
            .iter()
            .map(|seen| {
                let used_us =
                    before.get(&seen.process).map(|before| seen.stat.own_us.saturating_sub(*before));
                seen.told(used_us, elapsed, boot)
            })
            .collect()
    }
}

impl Listed {
    fn now(process: Process) -> Option<Self> {
        let status = read(&format!("/proc/{}/status", process.pid))?;
        // read last: what still has the same start was there all the time
        let stat = Stat::read(process.pid).filter(|stat| stat.started == process.started)?;
        Some(Self { process, stat, status })
    }

    fn told(&self, used_us: Option<u64>, elapsed: Duration, boot: Timestamp) -> model::process::Process {
        let pid = self.process.pid;
        let name = read(&format!("/proc/{pid}/comm")).unwrap_or_default();
        let cpu_percent = used_us.and_then(|used| {
            let percent = (u128::from(used) * 100).checked_div(elapsed.as_micros())?;
            u32::try_from(percent).ok()
        });
        let swap = kilobytes(&self.status, "VmSwap").unwrap_or(0);
        model::process::Process {
            pid,
            parent: self.stat.parent,
            name: seen(name.trim_end_matches('\n')).into_owned(),
            cpu_percent,
            private_bytes: kilobytes(&self.status, "RssAnon").map(|resident| resident + swap),
            threads: field(&self.status, "Threads:").and_then(|number| number.parse().ok()),
            open_files: open_files(pid),
            open_files_limit: open_files_limit(pid),
            started_at: boot + Duration::from_millis(self.stat.started.saturating_mul(10)),
        }
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

/// When the machine was started, to the second.
fn boot_time() -> Timestamp {
    let stat = read("/proc/stat").unwrap_or_default();
    let seconds: i64 = field(&stat, "btime ").and_then(|text| text.parse().ok()).unwrap_or(0);
    Timestamp::from_ms(seconds.saturating_mul(1_000))
}

/// Linux from 6.2 on says the number as the folder's size.
fn open_files(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    match fs::metadata(&folder).ok()?.len() {
        0 => fs::read_dir(&folder).is_ok().then(|| numbers_in(&folder).count() as u64),
        count => Some(count),
    }
}

/// The soft one, which counts.
fn open_files_limit(pid: u32) -> Option<u64> {
    let limits = read(&format!("/proc/{pid}/limits"))?;
    field(&limits, "Max open files")?.split_ascii_whitespace().next()?.parse().ok()
}
