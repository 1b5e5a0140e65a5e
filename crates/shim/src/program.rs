//! Which program is started as a fork server or an analyser: this process's own, whatever became of its file.
//!
//! A program's file may be deleted or replaced while it runs: by an upgrade, or by mistake. What started by its path would then
//! be missing, or be another version that speaks another way. The kernel keeps the file of a running program, and names it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file of the program that runs here; in a child, until it runs another, that of its parent.
pub(crate) const OWN_PROGRAM: &str = "/proc/self/exe";

/// A program to be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    file: PathBuf,
    /// What it is called, in lists of processes too.
    name: OsString,
}

impl Program {
    /// The one that runs here. `name` is where it was found.
    pub fn own(name: impl Into<OsString>) -> Self {
        Self { file: OWN_PROGRAM.into(), name: name.into() }
    }

    /// What it is called.
    pub fn name(&self) -> &Path {
        Path::new(&self.name)
    }

    /// How it is started.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command.arg0(&self.name);
        command
    }
}

/// The program at a path.
impl From<&Path> for Program {
    fn from(path: &Path) -> Self {
        Self { file: path.to_owned(), name: path.as_os_str().to_owned() }
    }
}
