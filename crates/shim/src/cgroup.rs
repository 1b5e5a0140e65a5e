//! Was it the kernel that killed the worker for want of memory? The cgroup's `oom_kill` counter tells, when it grew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sys::Pid;

/// A counter of kills for want of memory, and what it said when the worker was started.
pub(crate) struct OomCounter {
    file: PathBuf,
    at_start: u64,
}

impl OomCounter {
    /// Finds the worker's counter: its cgroup's in version 1 or 2, else the machine's.
    pub(crate) fn find(pid: Pid) -> Option<Self> {
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        candidates(&groups, &mounts)
            .into_iter()
            .chain([PathBuf::from("/proc/vmstat")])
            .find_map(|file| Some(Self { at_start: read(&file)?, file }))
    }

    /// Did it count a kill since the start?
    pub(crate) fn grew(&self) -> bool {
        read(&self.file).is_some_and(|now| now > self.at_start)
    }
}

fn read(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

/// The files that may hold the counter, from `/proc/PID/cgroup` and `/proc/self/mountinfo`.
fn candidates(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (file_system, option, file) = match controllers {
            "" => ("cgroup2", None, "memory.events"),
            list if list.split(',').any(|controller| controller == "memory") => {
                ("cgroup", Some("memory"), "memory.oom_control")
            }
            _ => continue,
        };
        for (root, mount_point) in mounts_of(mounts, file_system, option) {
            // a container sees its own group as the root of the mount
            if let Ok(below) = Path::new(path).strip_prefix(root) {
                files.push(Path::new(mount_point).join(below).join(file));
            }
        }
    }
    files
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
    fn the_counter_is_found_in_both_versions() {
        let mounts = "30 25 0:26 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n\
             31 25 0:27 /docker/1f /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
             32 25 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        let groups = "4:memory:/docker/1f/app\n3:cpu,cpuacct:/x\n0::/system.slice/medic.service\n";
        assert_eq!(
            candidates(groups, mounts),
            [
                Path::new("/sys/fs/cgroup/memory/app/memory.oom_control"),
                Path::new("/sys/fs/cgroup/unified/system.slice/medic.service/memory.events")
            ]
        );
        assert!(candidates("garbage", "more garbage - ").is_empty());
    }

    #[test]
    fn the_counter_is_read_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("memory.events");
        fs::write(&file, "low 0\noom 3\noom_kill 2\noom_group_kill 0\n").unwrap();
        let counter = OomCounter { at_start: read(&file).unwrap(), file: file.clone() };
        assert_eq!(counter.at_start, 2);
        assert!(!counter.grew());
        fs::write(&file, "oom_kill 3\n").unwrap();
        assert!(counter.grew());
    }
}
