//! The rotated files of one instance, named by [`OutputName`]: by size, and by age, so that a worker that writes little has no file
//! that reaches back for ever. Beyond a number the oldest are deleted, except for what another worker of the instance still
//! writes.
//!
//! Whoever writes a file has it locked, which is how others know: the worker that is being replaced writes on for as long as it
//! drains, while its successor begins files.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::log_name::OutputName;

/// A file is never smaller than this: a limit of 0 would make a file a byte.
const SMALLEST_LIMIT_BYTES: u64 = 1_024;

/// How many names that are taken are passed over at a time. No other worker has this one's names, so somebody else made the files.
const TAKEN_NAMES: u32 = 1_000;

/// How much is kept on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of one file.
    pub(crate) file_bytes: u64,
    /// Files of one instance, the current one included.
    pub(crate) files: u32,
    /// How long one file is written to, where that is bounded.
    pub(crate) age: Option<Duration>,
}

/// What could not be written since the last time it could.
#[derive(Debug, Default)]
struct Dropped {
    bytes: u64,
    lines: usize,
    why: Option<io::Error>,
}

/// The file that is being written.
struct Current {
    file: File,
    size: u64,
    /// By the monotonic clock.
    begun: Duration,
}

/// Where lines are appended.
pub(crate) struct LogFiles {
    folder: PathBuf,
    /// What the latest file is called; number 0 before the first.
    latest: OutputName,
    limits: LogLimits,
    current: Option<Current>,
    dropped: Dropped,
}

impl LogFiles {
    /// Those of a worker, whose first file comes after `before`. Nothing is opened before there is something to write.
    pub(crate) fn new(folder: PathBuf, before: OutputName, limits: LogLimits) -> Self {
        let limits = LogLimits {
            file_bytes: limits.file_bytes.max(SMALLEST_LIMIT_BYTES),
            files: limits.files.max(1),
            ..limits
        };
        Self { folder, latest: before, limits, current: None, dropped: Dropped::default() }
    }

    /// Appends whole lines. What cannot be written is counted and dropped.
    pub(crate) fn append(&mut self, now: Duration, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.current.take_if(|current| current.is_over(now, self.limits.age));
        let result =
            self.report_dropped(now).map_err(|error| (error, lines)).and_then(|()| self.write(now, lines));
        if let Err((error, lost)) = result {
            self.dropped.bytes += lost.len() as u64;
            self.dropped.lines += lost.split_inclusive(|byte| *byte == b'\n').count();
            self.dropped.why = Some(error);
        }
    }

    fn report_dropped(&mut self, now: Duration) -> io::Result<()> {
        let Dropped { bytes, lines, why: Some(why) } = &self.dropped else { return Ok(()) };
        // begins a line of its own: the last write may have ended within one
        let notice =
            format!("\n[medic] {lines} lines ({bytes} bytes) of output could not be written: {why}\n");
        self.write(now, notice.as_bytes()).map_err(|(error, _)| error)?;
        self.dropped = Dropped::default();
        Ok(())
    }

    /// On failure also what is left.
    fn write<'a>(&mut self, now: Duration, mut lines: &'a [u8]) -> Result<(), (io::Error, &'a [u8])> {
        while !lines.is_empty() {
            let limit = self.limits.file_bytes;
            let Current { file, size, .. } = self.open(now).map_err(|error| (error, lines))?;
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

    /// The current file; the next one where there is none.
    fn open(&mut self, now: Duration) -> io::Result<&mut Current> {
        if self.current.is_none() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            let file = self.begin_file()?;
            // a file system without locks gives none
            let _without_locks = file.try_lock();
            self.prune();
            self.current = Some(Current { file, size: 0, begun: now });
        }
        self.current.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Nothing that is there is written to.
    fn begin_file(&mut self) -> io::Result<File> {
        let first = self.latest.number.saturating_add(1);
        for number in first..first.saturating_add(TAKEN_NAMES) {
            let name = OutputName { number, ..self.latest };
            let opened = OpenOptions::new()
                .append(true)
                .create_new(true)
                .custom_flags(libc::O_NOFOLLOW)
                .mode(0o600)
                .open(self.folder.join(name.to_string()));
            match opened {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.latest = name,
                Err(error) => return Err(error),
                Ok(file) => {
                    self.latest = name;
                    return Ok(file);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Deletes the oldest files. One that cannot be deleted is tried again at the next rotation.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut names: Vec<_> = entries
            .filter_map(|entry| OutputName::read(entry.ok()?.file_name().to_str()?))
            .filter(|name| name.instance == self.latest.instance)
            .collect();
        names.sort_unstable();
        let excess = names.len().saturating_sub(usize::try_from(self.limits.files).unwrap_or(usize::MAX));
        let paths = names.iter().map(|name| self.folder.join(name.to_string()));
        for path in paths.filter(|path| !is_written(path)).take(excess) {
            let _ = fs::remove_file(path);
        }
    }
}

impl Current {
    /// It was written to for long enough, or somebody has deleted it.
    fn is_over(&self, now: Duration, age: Option<Duration>) -> bool {
        let is_old = age.is_some_and(|age| now.saturating_sub(self.begun) >= age);
        is_old || self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }
}

/// Somebody has it locked.
fn is_written(path: &Path) -> bool {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path);
    file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
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
mod tests;
