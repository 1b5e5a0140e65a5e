//! A copy while it is written: under a name of its own, so that nobody takes it for a whole one, and locked for as long as its process
//! lives, so that what a killed process left is told from what another one is writing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::aside::with;

/// What is added to the name of the file that it becomes.
const END: &str = ".medic-partial";
/// What SQLite may leave beside it.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

/// A copy that is being written. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
}

/// Whose a file is that is called like one.
enum Owner {
    /// A process that is gone left it.
    Nobody,
    /// It is being written, or it is something else.
    Other,
    /// The file system knows no locks.
    Unknown,
}

impl Partial {
    /// An empty file for its owner alone. `None` where another process is writing the same.
    pub(crate) fn begin(becomes: &Path) -> io::Result<Option<Self>> {
        let path = with(becomes, END);
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
                // who took it for a left one in between has it, or has removed it
                Ok(file) => {
                    if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) && has_name(&file, &path) {
                        return Ok(Some(Self { path, file }));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match owner(&path)? {
                    // without locks only one at a time can be written
                    Owner::Nobody | Owner::Unknown => remove(&path)?,
                    Owner::Other => return Ok(None),
                },
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is written to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// On the disk, and only then under its name, which must not exist.
    pub(crate) fn keep(self, becomes: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::hard_link(&self.path, becomes)?;
        fs::remove_file(&self.path)?;
        File::open(folder_of(becomes))?.sync_all()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        let _kept_by_now = remove(&self.path);
    }
}

/// Removes from a folder what processes left that are gone: what was removed, and what could not be.
pub(crate) fn remove_left(folder: &Path) -> (Vec<PathBuf>, Vec<(PathBuf, io::Error)>) {
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return (removed, vec![(folder.to_owned(), error)]),
    };
    let is_called_so = |path: &PathBuf| path.as_os_str().as_encoded_bytes().ends_with(END.as_bytes());
    for path in entries.flatten().map(|entry| entry.path()).filter(is_called_so) {
        match owner(&path).and_then(|owner| match owner {
            Owner::Nobody => remove(&path).map(|()| true),
            Owner::Other | Owner::Unknown => Ok(false),
        }) {
            Ok(true) => removed.push(path),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed.push((path, error)),
        }
    }
    (removed, failed)
}

/// The folder that a file is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn has_name(file: &File, path: &Path) -> bool {
    let named = fs::symlink_metadata(path);
    matches!((named, file.metadata()), (Ok(named), Ok(own)) if (named.dev(), named.ino()) == (own.dev(), own.ino()))
}

/// The file at this path, which no link leads to.
fn owner(path: &Path) -> io::Result<Owner> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Ok(Owner::Other);
    }
    match File::open(path)?.try_lock() {
        Ok(()) => Ok(Owner::Nobody),
        Err(TryLockError::WouldBlock) => Ok(Owner::Other),
        Err(TryLockError::Error(_)) => Ok(Owner::Unknown),
    }
}

/// What is beside it first, which would be taken for that of the next file of this name.
fn remove(path: &Path) -> io::Result<()> {
    for end in BESIDE {
        match fs::remove_file(with(path, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aside::tests::names;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let writing = Partial::begin(&at("monday")).unwrap().unwrap();
        for name in ["sunday.medic-partial", "sunday.medic-partial-journal", "download.partial"] {
            fs::write(at(name), "half").unwrap();
        }
        fs::create_dir(at("folder.medic-partial")).unwrap();
        std::os::unix::fs::symlink(at("download.partial"), at("link.medic-partial")).unwrap();
        let (removed, failed) = remove_left(folder.path());
        assert!(removed == [at("sunday.medic-partial")] && failed.is_empty(), "{removed:?} {failed:?}");
        let left = ["download.partial", "folder.medic-partial", "link.medic-partial", "monday.medic-partial"];
        assert_eq!(names(folder.path()), left);
        assert!(Partial::begin(&at("monday")).unwrap().is_none(), "another one is writing it");
        writing.keep(&at("monday")).unwrap();
        assert!(at("monday").exists() && !at("monday.medic-partial").exists());
    }

    #[test]
    fn one_that_was_left_is_begun_anew_and_one_that_fails_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sunday");
        fs::write(with(&path, END), "half").unwrap();
        let begun = Partial::begin(&path).unwrap().unwrap();
        assert_eq!(fs::read(begun.path()).unwrap(), b"");
        fs::write(&path, "another came first").unwrap();
        assert!(begun.keep(&path).is_err());
        assert_eq!(names(folder.path()), ["sunday"]);
    }
}
