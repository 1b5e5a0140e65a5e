//! The group that one worker has for itself, from before its first instruction until its shim ends.
//!
//! A process that runs already is moved at the price of a wait for every processor (some 10 ms, `synchronize_rcu` in the kernel).
//! So the worker gets there by itself, as its process is made: see [`Entry`]. The move is what is left where that is refused.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::control_file::put;
use super::end_group;
use crate::sys::spawn::Entry;

/// A group that is removed when this is dropped, if nothing runs in it any more. What is left of one, because a process of it
/// outlived the worker or the shim was killed, [`super::Home::remove_leftovers`] removes.
pub(crate) struct OwnGroup(PathBuf);

impl OwnGroup {
    /// Makes the group.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        fs::create_dir(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// How a process that is being made gets into it. Another Medic that starts at this moment may take the group for a
    /// leftover, as long as it is empty.
    pub(crate) fn entry(&self) -> io::Result<Entry> {
        // version 1 alone has it
        match OpenOptions::new().write(true).open(self.0.join("tasks")) {
            Ok(tasks) => Ok(Entry::Tasks(tasks.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Entry::Folder(File::open(&self.0)?.into()))
            }
            Err(error) => Err(error),
        }
    }

    /// Moves a process into it that was made elsewhere. What the process starts from then on is in it too.
    pub(crate) fn adopt(&self, pid: u32) -> io::Result<()> {
        const TRIES: usize = 3;
        let mut result = put(pid, &self.0);
        for _ in 1..TRIES {
            if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::NotFound) {
                break;
            }
            fs::create_dir(&self.0)?;
            result = put(pid, &self.0);
        }
        result
    }

    /// Ends every process that is in it.
    pub(crate) fn end(&self) -> io::Result<()> {
        end_group(&self.0)
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        let _still_used = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::super::candidates;
    use super::*;
    use crate::sys::signals;
    use crate::sys::spawn::{Child, spawn};

    /// A process of it is in the group when its program runs.
    fn is_born_in(group: &OwnGroup, path: &str) {
        let entry = group.entry().unwrap();
        let text = |text: &str| CString::new(text).unwrap();
        let child = Child {
            program: text("/bin/sleep"),
            arguments: vec![text("sleep"), text("60")],
            environment: Vec::new(),
            directory: text("/"),
            descriptors: Vec::new(),
            niceness: 0,
            identity: None,
            umask: None,
            limits: Vec::new(),
            group: Some(&entry),
        };
        let pid = spawn(&child, |_| {}).unwrap();
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
        signals::send(pid, libc::SIGKILL).unwrap();
        crate::sys::process::reap(pid);
        assert!(groups.lines().any(|line| line.ends_with(path)), "{groups}");
    }

    #[test]
    fn a_process_is_made_in_a_group_of_either_version() {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let name = format!("medic-test-born-{}", std::process::id());
        let mut tried = 0;
        for controller in ["memory", ""] {
            let groups = if controller.is_empty() { "0::/" } else { &own };
            let Some(parent) = candidates(groups, &mounts, controller).into_iter().next() else { continue };
            match OwnGroup::make(&parent.folder().join(&name)) {
                Ok(group) => is_born_in(&group, &format!("/{name}")),
                Err(error) => {
                    eprintln!("skipped: no group can be made in {}: {error}", parent.folder().display());
                    continue;
                }
            }
            tried += 1;
        }
        if tried == 0 {
            eprintln!("skipped: no control group can be made (root)");
        }
    }

    #[test]
    fn a_group_that_is_gone_is_made_again_for_whom_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let group = OwnGroup::make(&folder.path().join("worker.shop.0.1")).unwrap();
        fs::remove_dir(group.folder()).unwrap();
        assert!(group.entry().is_err());
        // a folder of no group takes nobody, but it is there again
        assert!(group.adopt(1).is_err());
        assert!(group.folder().exists());
    }
}
