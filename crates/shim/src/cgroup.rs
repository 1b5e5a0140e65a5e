//! Control groups, read-only here: which one accounts for a process, how much it may use, and whether the kernel killed one of
//! its processes for want of memory. [`Home`] is where workers get groups of their own.
//!
//! Both versions are met in the wild, version 1 above all on older machines and in hybrid set-ups, where the memory controller
//! is bound to it though version 2 is mounted too. So a group is looked for controller by controller.

mod control_file;
mod end;
mod home;
mod own;

use std::fs;
use std::path::{Path, PathBuf};

pub use end::end_group;
pub(crate) use end::processes;
pub use home::{Home, NoHome};
pub(crate) use own::OwnGroup;

/// What the names of the groups begin with that workers get for themselves.
const WORKER_PREFIX: &str = "worker.";

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    One,
    /// One hierarchy for all.
    Two,
}

/// A group as this process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    version: Version,
    mount_point: PathBuf,
    folder: PathBuf,
}

impl Group {
    /// The group that accounts for a process's memory; none where the kernel keeps no such account, as in the topmost group.
    pub fn of_memory(pid: u32) -> Option<Self> {
        Self::find(pid, "memory", |group| match group.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        })
    }

    /// The group that accounts for a process's use of processors.
    pub fn of_processors(pid: u32) -> Option<Self> {
        Self::find(pid, "cpu", |group| match group.version {
            Version::One => "cpu.cfs_quota_us",
            Version::Two => "cpu.stat",
        })
    }

    fn find(pid: u32, controller: &str, file: impl Fn(&Self) -> &'static str) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        candidates(&groups, &mounts, controller)
            .into_iter()
            .find(|group| group.folder.join(file(group)).exists())
    }

    /// Was it made for one worker alone?
    pub fn is_a_workers_own(&self) -> bool {
        self.folder
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(WORKER_PREFIX))
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Of which version it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The ids of the processes that are in it, not those of groups below it.
    pub fn processes(&self) -> Vec<u32> {
        let text = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The lowest memory limit of it and all groups above it, in bytes.
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        match self.version {
            // the kernel has looked upwards itself, past what a container sees; no limit is the largest number of whole pages
            Version::One => field(&self.folder.join("memory.stat"), "hierarchical_memory_limit")
                .filter(|limit| *limit < 1 << 62),
            Version::Two => self
                .upwards()
                .filter_map(|folder| fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse().ok())
                .min(),
        }
    }

    /// Anonymous memory and swap of its processes, in bytes, each page once. Without what groups below it have, in version 1.
    pub fn anonymous_bytes(&self) -> Option<u64> {
        let stat = self.folder.join("memory.stat");
        match self.version {
            Version::One => Some(field(&stat, "rss")? + field(&stat, "swap").unwrap_or(0)),
            Version::Two => {
                let swap = fs::read_to_string(self.folder.join("memory.swap.current")).ok();
                let swap = swap.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
                Some(field(&stat, "anon")? + swap)
            }
        }
    }

    /// How much processor time it has used since it was made, in microseconds. `None` in version 1.
    pub fn processor_us(&self) -> Option<u64> {
        (self.version == Version::Two).then(|| field(&self.folder.join("cpu.stat"), "usage_usec"))?
    }

    /// The lowest limit of processor time of it and all groups above it, in microseconds a second: 1,500,000 is one and a half
    /// processors.
    pub fn processor_limit_us_per_s(&self) -> Option<u64> {
        self.upwards().filter_map(|folder| quota(self.version, folder)).min()
    }

    /// It and the groups above it as far as they are mounted.
    fn upwards(&self) -> impl Iterator<Item = &Path> {
        self.folder.ancestors().take_while(|folder| folder.starts_with(&self.mount_point))
    }
}

fn quota(version: Version, folder: &Path) -> Option<u64> {
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let read = |file| fs::read_to_string(folder.join(file)).ok();
    let (quota, period) = match version {
        // without a limit the quota is -1
        Version::One => (number(&read("cpu.cfs_quota_us")?)?, number(&read("cpu.cfs_period_us")?)?),
        Version::Two => {
            let text = read("cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            (number(quota)?, number(period)?)
        }
    };
    quota.checked_mul(1_000_000)?.checked_div(period)
}

/// A number of a file with a name and a number in each line.
fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// A counter of kills for want of memory, and what it said when the worker was started.
pub(crate) struct OomCounter {
    file: PathBuf,
    /// As far as it was asked for.
    seen: u64,
}

impl OomCounter {
    /// The counter of a worker that is about to be started in a group of its own, or else in this process's: the group's in
    /// version 1 or 2, else the machine's.
    pub(crate) fn of(own: Option<&OwnGroup>) -> Option<Self> {
        let in_folder = |folder: &Path| ["memory.oom_control", "memory.events"].map(|file| folder.join(file));
        if let Some(counter) = own.and_then(|group| Self::first(in_folder(group.folder()))) {
            return Some(counter);
        }
        let of_group = Group::of_memory(std::process::id()).map(|group| {
            group.folder.join(match group.version {
                Version::One => "memory.oom_control",
                Version::Two => "memory.events",
            })
        });
        Self::first(of_group.into_iter().chain([PathBuf::from("/proc/vmstat")]))
    }

    fn first(files: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        files.into_iter().find_map(|file| Some(Self { seen: field(&file, "oom_kill")?, file }))
    }

    /// Did it count a kill since the start, or the last call?
    pub(crate) fn take_growth(&mut self) -> bool {
        let now = field(&self.file, "oom_kill").unwrap_or(self.seen);
        now > std::mem::replace(&mut self.seen, now)
    }
}

/// The groups that may have the controller, version 1's first, from `/proc/PID/cgroup` and `/proc/self/mountinfo`.
fn candidates(groups: &str, mounts: &str, controller: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (version, file_system, option) = match controllers {
            "" => (Version::Two, "cgroup2", None),
            list if list.split(',').any(|one| one == controller) => {
                (Version::One, "cgroup", Some(controller))
            }
            _ => continue,
        };
        for (root, mount_point) in mounts_of(mounts, file_system, option) {
            // a container sees its own group as the root of the mount
            if let Ok(below) = Path::new(path).strip_prefix(root) {
                let mount_point = PathBuf::from(mount_point);
                found.push(Group { version, folder: mount_point.join(below), mount_point });
            }
        }
    }
    found.sort_by_key(|group| group.version == Version::Two);
    found
}

/// Root and mount point of each mount of a file system. mountinfo(5): `id parent device root point options … - type source super`.
fn mounts_of<'a>(
    mounts: &'a str,
    file_system: &'a str,
    option: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    mounts.lines().filter_map(move |line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let fits = kind.next() == Some(file_system)
            && option
                .is_none_or(|option| kind.nth(1).is_some_and(|all| all.split(',').any(|one| one == option)));
        let mut mount = mount.split(' ').skip(3);
        fits.then_some((mount.next()?, mount.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_in_both_versions() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n\
             31 25 0:27 /docker/1f /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             32 25 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        let groups = "0::/system.slice/medic.service\n4:memory:/docker/1f/app\n3:cpu,cpuacct:/x\n";
        let folders = |controller| {
            let found = candidates(groups, mounts, controller);
            found.into_iter().map(|group| (group.version, group.folder)).collect::<Vec<_>>()
        };
        let unified = "/sys/fs/cgroup/unified/system.slice/medic.service";
        assert_eq!(
            folders("memory"),
            [(Version::One, "/sys/fs/cgroup/memory/app".into()), (Version::Two, unified.into())]
        );
        assert_eq!(
            folders("cpu"),
            [(Version::One, "/sys/fs/cgroup/cpu/x".into()), (Version::Two, unified.into())]
        );
        assert!(candidates("garbage", "more garbage - ", "memory").is_empty());
    }

    /// A hierarchy of plain files: what the kernel writes into them, without the kernel.
    fn on_paper(version: Version, files: &[(&str, &str)]) -> (tempfile::TempDir, Group) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("apps/worker.shop.0.1");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(root.path().join("apps").join(name), text).unwrap();
        }
        let group = Group { version, mount_point: root.path().to_owned(), folder };
        (root, group)
    }

    #[test]
    fn the_lowest_limit_on_the_way_up_counts() {
        let (_root, group) = on_paper(
            Version::Two,
            &[
                ("memory.max", "1048576\n"),
                ("worker.shop.0.1/memory.max", "max\n"),
                ("cpu.max", "150000 100000\n"),
                ("worker.shop.0.1/cpu.max", "max 100000\n"),
                ("worker.shop.0.1/memory.stat", "anon 4096\nfile 9\n"),
                ("worker.shop.0.1/memory.swap.current", "8192\n"),
                ("worker.shop.0.1/cpu.stat", "usage_usec 77\nuser_usec 70\n"),
            ],
        );
        assert_eq!(group.memory_limit_bytes(), Some(1 << 20));
        assert_eq!(group.processor_limit_us_per_s(), Some(1_500_000));
        assert_eq!(group.anonymous_bytes(), Some(12_288));
        assert_eq!(group.processor_us(), Some(77));
        assert!(group.is_a_workers_own());
        fs::write(group.folder.join("memory.max"), "4096\n").unwrap();
        assert_eq!(group.memory_limit_bytes(), Some(4_096));
    }

    #[test]
    fn version_1_says_it_in_other_files() {
        let (_root, group) = on_paper(
            Version::One,
            &[
                (
                    "worker.shop.0.1/memory.stat",
                    "rss 4096\nrss_huge 1\nswap 0\nhierarchical_memory_limit 9223372036854771712\n",
                ),
                ("worker.shop.0.1/cpu.cfs_quota_us", "-1\n"),
                ("worker.shop.0.1/cpu.cfs_period_us", "100000\n"),
                ("cpu.cfs_quota_us", "50000\n"),
                ("cpu.cfs_period_us", "100000\n"),
            ],
        );
        assert_eq!(group.memory_limit_bytes(), None, "the largest number means none");
        assert_eq!(group.processor_limit_us_per_s(), Some(500_000));
        assert_eq!(group.anonymous_bytes(), Some(4_096));
        assert_eq!(group.processor_us(), None);
    }

    #[test]
    fn the_counter_is_read_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        fs::write(&file, "low 0\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        let mut counter = OomCounter { seen: field(&file, "oom_kill").unwrap(), file: file.clone() };
        assert_eq!(counter.seen, 2);
        assert!(!counter.take_growth());
        fs::write(&file, "oom_kill 3\n").unwrap();
        assert!(counter.take_growth());
        assert!(!counter.take_growth(), "told once");
    }
}
