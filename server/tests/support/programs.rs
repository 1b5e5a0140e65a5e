//! Programs that tests put into folders and run.

use std::path::Path;
use std::process::Command;

/// Copies a program that is to be run. Not by this process: what it forks at that moment for another test would hold the copy open
/// for writing, and the kernel runs no such file (ETXTBSY).
pub(crate) fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// Writes a script that is to be run, for the same reason in a process of its own.
pub(crate) fn write_script(path: &Path, text: &str) {
    let write = "printf %s \"$2\" > \"$1\" && chmod 755 \"$1\"";
    let mut writer = Command::new("sh");
    assert!(writer.args(["-c", write, "sh"]).arg(path).arg(text).status().unwrap().success());
}
