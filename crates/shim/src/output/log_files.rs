//! The rotated files of one instance: `<instance>-<start>-<number>.log`, oldest deleted. The names sort by age.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file is never smaller than this: a limit of 0 would make a file a byte.
const SMALLEST_LIMIT_BYTES: u64 = 1_024;

/// How much is kept on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of one file.
    pub(crate) file_bytes: u64,
    /// Files of one instance, the current one included.
    pub(crate) files: u32,
}

/// What could not be written since the last time it could.
#[derive(Debug, Default)]
struct Dropped {
    bytes: u64,
    lines: usize,
    why: Option<io::Error>,
}

/// Where lines are appended.
pub(crate) struct LogFiles {
    folder: PathBuf,
    /// What the names of this instance's files begin with, over all its workers.
    instance_prefix: String,
    /// What the names of this worker's files begin with.
    worker_prefix: String,
    limits: LogLimits,
    current: Option<(File, u64)>,
    number: u32,
    dropped: Dropped,
}

impl LogFiles {
    /// Nothing is opened before there is something to write.
    pub(crate) fn new(
        folder: PathBuf,
        instance_prefix: &str,
        worker_prefix: &str,
        limits: LogLimits,
    ) -> Self {
        let limits =
            LogLimits { file_bytes: limits.file_bytes.max(SMALLEST_LIMIT_BYTES), files: limits.files.max(1) };
        Self {
            folder,
            instance_prefix: instance_prefix.to_owned(),
            worker_prefix: worker_prefix.to_owned(),
            limits,
            current: None,
            number: 0,
            dropped: Dropped::default(),
        }
    }

    /// Appends whole lines. What cannot be written is counted and dropped.
    pub(crate) fn append(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let result = self.report_dropped().map_err(|error| (error, lines)).and_then(|()| self.write(lines));
        if let Err((error, lost)) = result {
            self.dropped.bytes += lost.len() as u64;
            self.dropped.lines += lost.split_inclusive(|byte| *byte == b'\n').count();
            self.dropped.why = Some(error);
        }
    }

    fn report_dropped(&mut self) -> io::Result<()> {
        let Dropped { bytes, lines, why: Some(why) } = &self.dropped else { return Ok(()) };
        // begins a line of its own: the last write may have ended within one
        let notice =
            format!("\n[medic] {lines} lines ({bytes} bytes) of output could not be written: {why}\n");
        self.write(notice.as_bytes()).map_err(|(error, _)| error)?;
        self.dropped = Dropped::default();
        Ok(())
    }

    /// On failure also what is left.
    fn write<'a>(&mut self, mut lines: &'a [u8]) -> Result<(), (io::Error, &'a [u8])> {
        while !lines.is_empty() {
            let limit = self.limits.file_bytes;
            let (file, size) = self.open().map_err(|error| (error, lines))?;
            let room = usize::try_from(limit.saturating_sub(*size)).unwrap_or(usize::MAX);
            let length = fitting(lines, room, *size == 0);
            if length == 0 {
                self.current = None;
                continue;
            }
            match file.write(&lines[..length]) {
                Ok(0) => return Err((io::ErrorKind::WriteZero.into(), lines)),
                Ok(written) => {
                    *size += written as u64;
                    lines = &lines[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((error, lines)),
            }
        }
        Ok(())
    }

    /// The current file and its size; the next one where there is none.
    fn open(&mut self) -> io::Result<&mut (File, u64)> {
        if self.current.is_none() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let path = self.folder.join(format!("{}-{:06}.log", self.worker_prefix, self.number + 1));
            let file = OpenOptions::new()
                .append(true)
                .create_new(true)
                .custom_flags(libc::O_NOFOLLOW)
                .mode(0o600)
                .open(path)?;
            self.number += 1;
            self.prune();
            self.current = Some((file, 0));
        }
        self.current.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Deletes the oldest files. One that cannot be deleted is tried again at the next rotation.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&self.instance_prefix))
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "log"))
            .collect();
        names.sort_unstable();
        let excess = names.len().saturating_sub(usize::try_from(self.limits.files).unwrap_or(usize::MAX));
        for name in &names[..excess] {
            let _ = fs::remove_file(self.folder.join(name));
        }
    }
}

/// How many bytes go into a file with this much room: all, or whole lines, or, into a file that is still empty, a part of a
/// line that fits into none; 0 means into the next file.
fn fitting(lines: &[u8], room: usize, empty: bool) -> usize {
    if lines.len() <= room {
        return lines.len();
    }
    match lines[..room].iter().rposition(|byte| *byte == b'\n') {
        Some(at) => at + 1,
        None if empty => room,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn sizes(folder: &std::path::Path) -> Vec<(String, u64)> {
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()))
            .collect();
        files.sort();
        files
    }

    #[test]
    fn files_rotate_at_the_limit_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logfiles");
        let limits = LogLimits { file_bytes: 1_024, files: 3 };
        let mut other = LogFiles::new(path.clone(), "10-", "10-a", limits);
        other.append(b"another instance\n");
        let mut files = LogFiles::new(path.clone(), "1-", "1-a", limits);
        for number in 0..100 {
            files.append(format!("{number:099}\n").repeat(3).as_bytes());
        }
        // the next worker of the same instance
        let mut files = LogFiles::new(path.clone(), "1-", "1-b", limits);
        files.append(&[b'x'; 2_000]);
        let found = sizes(&path);
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["1-a-000030.log", "1-b-000001.log", "1-b-000002.log", "10-a-000001.log"]);
        assert!(found.iter().all(|(_, size)| *size <= 1_024), "{found:?}");
        let mode = fs::metadata(path.join("1-b-000001.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let whole = fs::read_to_string(path.join("1-a-000030.log")).unwrap();
        assert!(whole.lines().all(|line| line.len() == 99));
    }

    #[test]
    fn what_could_not_be_written_is_counted_and_said_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logfiles");
        // a file stands where the folder should be
        fs::write(&path, "").unwrap();
        let mut files = LogFiles::new(path.clone(), "0-", "0-a", LogLimits { file_bytes: 1 << 20, files: 2 });
        files.append(b"lost\n");
        files.append(b"lost too\nand this\n");
        fs::remove_file(&path).unwrap();
        files.append(b"kept\n");
        files.append(b"kept too\n");
        let text = fs::read_to_string(path.join("0-a-000001.log")).unwrap();
        assert!(text.starts_with("\n[medic] 3 lines (23 bytes) of output could not be written: "), "{text}");
        assert!(text.ends_with("\nkept\nkept too\n"), "{text}");
    }
}
