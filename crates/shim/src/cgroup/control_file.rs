//! The files by which the kernel takes commands about a group.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Moves a process, with all its threads.
pub(super) fn put(pid: u32, folder: &Path) -> io::Result<()> {
    write_existing(&folder.join("cgroup.procs"), &pid.to_string())
}

/// A file of the kernel's is there or it is not: one that this made would be a mistake.
pub(super) fn write_existing(file: &Path, text: &str) -> io::Result<()> {
    // at once: the kernel takes each write as a whole command
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}
