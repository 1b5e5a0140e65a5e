//! Where a worker's code comes from, asked while it still exists: its root directory and its files.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::sys::Pid;

/// How many files are told at most; the analyser opens no more.
const FILES_KEPT: usize = 512;

/// The root directory of a worker that sees another file system than this process (a container's), held past its end.
pub(super) struct ForeignRoot {
    directory: File,
    /// Without it the mounts below the root would come apart with the worker's end.
    _mounts: File,
}

impl ForeignRoot {
    /// `None` where the worker sees what this process sees.
    pub(super) fn of(pid: Pid) -> Option<Self> {
        let (root, mounts) = (format!("/proc/{pid}/root"), format!("/proc/{pid}/ns/mnt"));
        let place = |path: &str| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
        let is_ours = place(&root)? == place("/")? && place(&mounts)? == place("/proc/self/ns/mnt")?;
        if is_ours {
            return None;
        }
        Some(Self { directory: File::open(root).ok()?, _mounts: File::open(mounts).ok()? })
    }

    /// The directory itself.
    pub(super) fn directory(&self) -> &File {
        &self.directory
    }
}

/// The files that a process has mapped as code, as it names them, by its memory map's text:
/// `555…-555… r-xp 00001000 fe:00 1234   /srv/app/shop`
pub(super) fn files_of_code(maps: &[u8]) -> Vec<PathBuf> {
    let files: BTreeSet<&[u8]> = maps
        .split(|byte| *byte == b'\n')
        .filter(|line| line.split(|byte| *byte == b' ').nth(1).is_some_and(|rights| rights.contains(&b'x')))
        .filter_map(|line| line.get(line.iter().position(|byte| *byte == b'/')?..))
        .filter(|path| !path.ends_with(b" (deleted)"))
        .take(FILES_KEPT)
        .collect();
    files.into_iter().map(|path| Path::new(OsStr::from_bytes(path)).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_code_are_told_once_and_no_others() {
        let maps = b"5500-5600 r--p 00000000 fe:00 12   /srv/app/shop\n\
            5600-5700 r-xp 00001000 fe:00 12   /srv/app/shop\n\
            5700-5800 r-xp 00002000 fe:00 12   /srv/app/shop\n\
            7000-7100 rw-s 00000000 fe:00 13   /srv/data/secrets.db\n\
            7100-7200 r-xp 00000000 fe:00 14   /srv/app/gone.so (deleted)\n\
            7200-7300 r-xp 00000000 fe:00 15   /srv/with space.so\n\
            7300-7400 r-xp 00000000 00:00 0    [vdso]\n\
            7400-7500 rwxp 00000000 00:00 0 \n";
        assert_eq!(files_of_code(maps), ["/srv/app/shop", "/srv/with space.so"].map(PathBuf::from));
        let own = crate::memory_map::read(Pid::try_from(std::process::id()).unwrap()).unwrap();
        assert!(files_of_code(&own).len() > 1);
    }
}
