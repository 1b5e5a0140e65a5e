//! Ends everything that runs in a worker's own group.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::control_file::write_existing;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;

/// How often what runs there is counted again where the kernel cannot end a group as a whole.
const PASSES: usize = 100;

/// Sends SIGKILL to every process of a group and of those below it, where nobody is left who could: a group that was made for a
/// worker alone holds nothing else. They end a moment later. An error names what could not be reached.
pub fn end_group(folder: &Path) -> io::Result<()> {
    // as a whole, so that none is born meanwhile: version 2, from Linux 5.14 on
    if write_existing(&folder.join("cgroup.kill"), "1").is_ok() {
        return Ok(());
    }
    let mut ended = BTreeSet::new();
    for _ in 0..PASSES {
        let held: Vec<(Pid, HeldProcess)> = processes(folder)?
            .into_iter()
            .filter(|pid| !ended.contains(pid))
            .filter_map(|pid| Some((pid, HeldProcess::open(pid).ok()?)))
            .collect();
        if held.is_empty() {
            break;
        }
        // a number that is still listed now is that of the process that is held, or of one that is gone
        let still = processes(folder)?;
        for (pid, process) in held.iter().filter(|(pid, _)| still.contains(pid)) {
            process.signal(libc::SIGKILL)?;
            ended.insert(*pid);
        }
    }
    Ok(())
}

/// The numbers of the processes of a group and of those below it.
pub(crate) fn processes(folder: &Path) -> io::Result<BTreeSet<Pid>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs"))?;
        found.extend(text.lines().filter_map(|line| line.parse::<Pid>().ok()).filter(|pid| *pid > 0));
        // by what the listing itself says: asking for each of a group's files takes longer than all the rest
        let below = fs::read_dir(&folder)?.flatten();
        let below = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.extend(below.map(|entry| entry.path()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::super::{Version, candidates};
    use super::*;

    /// A group of this test's own below the topmost one of a hierarchy, with a process in it and one in a group below.
    struct Given {
        folder: std::path::PathBuf,
        children: Vec<Child>,
    }

    impl Given {
        fn new(version: Version) -> Option<Self> {
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let groups = if version == Version::Two { "0::/" } else { "1:memory:/" };
            let top = candidates(groups, &mounts, "memory").into_iter().next()?;
            let folder = top.folder().join(format!("medic-test-end-{version:?}-{}", std::process::id()));
            let below = folder.join("below");
            fs::create_dir(&folder).and_then(|()| fs::create_dir(&below)).ok()?;
            let mut given = Self { folder: folder.clone(), children: Vec::new() };
            for group in [folder, below] {
                let child = Command::new("sleep").arg("1000").spawn().unwrap();
                let put = super::super::control_file::put(child.id(), &group);
                given.children.push(child);
                put.ok()?;
            }
            Some(given)
        }
    }

    impl Drop for Given {
        fn drop(&mut self) {
            for child in &mut self.children {
                let _already_ended = child.kill();
                let _ended = child.wait();
            }
            for folder in [self.folder.join("below"), self.folder.clone()] {
                let _ = fs::remove_dir(folder);
            }
        }
    }

    #[test]
    fn all_that_runs_in_a_group_and_below_is_ended() {
        for version in [Version::One, Version::Two] {
            let Some(mut given) = Given::new(version) else {
                eprintln!("skipped: no group of {version:?} can be made (root, and the hierarchy mounted)");
                continue;
            };
            let mut neighbour = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
            end_group(&given.folder).unwrap();
            for child in &mut given.children {
                let status = child.wait().unwrap();
                assert_eq!(
                    std::os::unix::process::ExitStatusExt::signal(&status),
                    Some(libc::SIGKILL),
                    "{version:?}"
                );
            }
            assert!(processes(&given.folder).unwrap().is_empty());
            assert!(neighbour.try_wait().unwrap().is_none(), "another's");
            drop(neighbour.stdin.take());
            neighbour.wait().unwrap();
        }
    }
}
