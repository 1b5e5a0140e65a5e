//! The group that one worker has for itself, from before its first instruction until its shim ends.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A group that is removed when this is dropped, if nothing runs in it any more. What is left of one, because a process of it
/// outlived the worker or the shim was killed, [`super::Home::remove_leftovers`] removes.
pub(crate) struct OwnGroup(PathBuf);

impl OwnGroup {
    /// Makes the group and puts a process into it. What the process starts is in it too.
    pub(crate) fn enter(folder: &Path, pid: u32) -> io::Result<Self> {
        /// Another Medic that starts at this moment may take the group for a leftover, as long as it is empty.
        const TRIES: usize = 3;
        let mut result = Err(io::ErrorKind::NotFound.into());
        for _ in 0..TRIES {
            fs::create_dir(folder)?;
            let group = Self(folder.to_owned());
            result = put(pid, folder).map(|()| group);
            if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::NotFound) {
                break;
            }
        }
        result
    }
}

impl OwnGroup {
    /// Ends every process that is in it.
    pub(crate) fn end(&self) -> io::Result<()> {
        super::end_group(&self.0)
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        let _still_used = fs::remove_dir(&self.0);
    }
}

/// Moves a process, with all its threads.
pub(super) fn put(pid: u32, folder: &Path) -> io::Result<()> {
    write_existing(&folder.join("cgroup.procs"), &pid.to_string())
}

/// A file of the kernel's is there or it is not: one that this made would be a mistake.
pub(super) fn write_existing(file: &Path, text: &str) -> io::Result<()> {
    // at once: the kernel takes each write as a whole command
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}
