//! Who started whom.

use std::io;

use crate::proc_status;
use crate::sys::Pid;

/// How many processes of a tree are looked at: more than any server forks, and few enough that one that forks without end costs
/// little.
pub(crate) const MEMBERS_LIMIT: usize = 256;

/// The children of a process, adopted ones among them.
pub(crate) fn children_of(pid: Pid) -> Vec<Pid> {
    children_by_kernel(pid).unwrap_or_else(|_| children_by_parent(pid))
}

/// A process and all below it, parents before their children; those that live and are ours to look into.
pub(crate) fn descendants_of(pid: Pid) -> Vec<Pid> {
    let (mut found, mut asked) = (vec![pid], 0);
    while let Some(parent) = found.get(asked).copied().filter(|_| found.len() < MEMBERS_LIMIT) {
        asked += 1;
        found.extend(children_by_kernel(parent).unwrap_or_default());
    }
    found
}

/// Where the kernel lists them (`CONFIG_PROC_CHILDREN`), by thread.
fn children_by_kernel(pid: Pid) -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let list = std::fs::read_to_string(thread?.path().join("children"))?;
        children.extend(list.split_whitespace().filter_map(|child| child.parse::<Pid>().ok()));
    }
    Ok(children)
}

fn children_by_parent(parent: Pid) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<Pid>().ok());
    pids.filter(|pid| proc_status::parent_of(*pid) == Some(parent)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::sys::process::process_id;

    #[test]
    fn both_ways_to_find_children_find_the_same() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::try_from(child.id()).unwrap();
        let own = process_id();
        assert!(children_by_parent(own).contains(&pid));
        match children_by_kernel(own) {
            Ok(children) => {
                assert!(children.contains(&pid));
                let tree = descendants_of(own);
                assert!(tree[0] == own && tree.contains(&pid));
            }
            Err(error) => eprintln!("skipped: this kernel has no lists of children: {error}"),
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!children_by_parent(own).contains(&pid));
    }
}
