//! The crash log: type and full message of an app's last crashes, in files that only their owner can read.
//!
//! The message may hold personal data. This is the one place where it is written; it is never sent to the server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use model::Timestamp;

use crate::log_name::MessageName;

/// How many files are kept. Source: App Service keeps the last 10.
const KEPT: usize = 10;

/// The longest message that is written, in bytes.
const MESSAGE_LIMIT_BYTES: usize = 256 << 10;

/// One crash.
pub(crate) struct MessageFile<'a> {
    /// When it crashed.
    pub(crate) at: Timestamp,
    /// On which instance.
    pub(crate) instance: u16,
    /// Which process.
    pub(crate) pid: u32,
    /// The exception's type.
    pub(crate) exception_type: &'a str,
    /// Its full message.
    pub(crate) message: Option<&'a str>,
}

impl MessageFile<'_> {
    /// Writes `<time>-<instance>-<pid>.log` and deletes the oldest files beyond ten. Several shims share the folder: each
    /// deletes by name and does not mind when another was faster.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let name = MessageName { at: self.at, instance: self.instance, pid: self.pid };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW)
            .mode(0o600)
            .open(folder.join(name.to_string()))?;
        let message = self.message.unwrap_or("(the runtime printed no message)");
        let message = &message[..message.floor_char_boundary(MESSAGE_LIMIT_BYTES)];
        writeln!(file, "{}\n{message}", self.exception_type)?;
        prune(folder)
    }
}

fn prune(folder: &Path) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?
        .filter_map(|entry| MessageName::read(entry.ok()?.file_name().to_str()?))
        .collect();
    names.sort_unstable();
    let excess = names.len().saturating_sub(KEPT);
    for name in &names[..excess] {
        match fs::remove_file(folder.join(name.to_string())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_last_ten_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("crashdumps");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("0-notes.log"), "not Medic's").unwrap();
        for second in 0..13 {
            let file = MessageFile {
                at: Timestamp::from_ms(1_769_847_300_000 + second * 1_000),
                instance: u16::try_from(second % 2).unwrap(),
                pid: 99,
                exception_type: "TypeError",
                message: Some("a is null"),
            };
            file.write(&path).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(&path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names.len(), 11);
        assert_eq!(names[..2], ["0-notes.log", "20260131T081503.000Z-1-99.log"]);
        let newest = path.join(&names[10]);
        assert_eq!(fs::read_to_string(&newest).unwrap(), "TypeError\na is null\n");
        assert_eq!(fs::metadata(&newest).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
