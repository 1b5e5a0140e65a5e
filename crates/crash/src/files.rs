//! The files that explain a crash: opened where the worker saw them, and never outside of its root.
//!
//! Their paths come from the worker, and below the root of a container everything is the container's: a symbolic link there may
//! name any file of the machine. So the kernel resolves the whole path as if that root were the topmost folder
//! (`RESOLVE_IN_ROOT`), and what it finds is opened only when it is a regular file: a pipe or a device would be waited for.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// How often a path is resolved again whose folders were moved meanwhile.
const TRIES: usize = 8;

/// Where a worker's paths begin.
#[derive(Debug)]
enum Root {
    /// This machine's own files.
    Machine,
    /// A folder, such as the root of a container.
    Folder(OwnedFd),
}

/// The files that a worker saw, and the kernel's own code in its process.
#[derive(Debug)]
pub struct Files {
    root: Root,
    vdso: Option<Vec<u8>>,
}

impl Files {
    /// Those of this machine.
    pub fn of_machine() -> Self {
        Self { root: Root::Machine, vdso: own_vdso() }
    }

    /// Those below a folder, which is the topmost one for every path in it.
    pub fn below(folder: impl Into<OwnedFd>) -> Self {
        Self { root: Root::Folder(folder.into()), vdso: own_vdso() }
    }

    /// The same for the folder at a path.
    pub fn below_path(folder: &Path) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self::below(rustix::fs::open(folder, flags, Mode::empty())?))
    }

    /// What a path names, without the right to read it; `None` where it names nothing below the root.
    pub fn find(&self, path: &Path) -> Option<OwnedFd> {
        if !path.is_absolute() {
            return None;
        }
        let mut found = self.resolve(path);
        for _ in 1..TRIES {
            if !matches!(found, Err(Errno::AGAIN)) {
                break;
            }
            found = self.resolve(path);
        }
        found.ok()
    }

    /// A regular file, to be read.
    pub(crate) fn open(&self, path: &Path) -> Option<File> {
        let found = self.find(path)?;
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&found).ok()?.st_mode);
        // the very file that was looked at, whatever the path names by now
        (kind == FileType::RegularFile)
            .then(|| File::open(format!("/proc/self/fd/{}", found.as_raw_fd())).ok())?
    }

    /// The kernel's own code in every process.
    pub(crate) fn vdso(&self) -> Option<&[u8]> {
        self.vdso.as_deref()
    }

    fn resolve(&self, path: &Path) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        match &self.root {
            Root::Folder(folder) => rustix::fs::openat2(
                folder,
                path,
                flags,
                Mode::empty(),
                ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS,
            ),
            Root::Machine => {
                let result =
                    rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS);
                match result {
                    // before Linux 5.6, and in sandboxes that do not know the call: nothing is to be kept in here
                    Err(Errno::NOSYS | Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
                    result => result,
                }
            }
        }
    }
}

/// This process has the same as the one that crashed.
fn own_vdso() -> Option<Vec<u8>> {
    use std::io::{Read, Seek, SeekFrom};
    /// It has a few pages.
    const MAX_BYTES: u64 = 1 << 20;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let mut memory = File::open("/proc/self/mem").ok()?;
    memory.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    memory.take(end.checked_sub(start)?.min(MAX_BYTES)).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    fn text(files: &Files, path: &str) -> Option<String> {
        let mut text = String::new();
        files.open(Path::new(path))?.read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "the machine's").unwrap();
        let root = outside.path().join("root");
        std::fs::create_dir_all(root.join("srv")).unwrap();
        std::fs::write(root.join("srv/app"), "the worker's").unwrap();
        symlink("../../secret", root.join("srv/up")).unwrap();
        symlink(outside.path().join("secret"), root.join("srv/absolute")).unwrap();
        symlink("/srv", root.join("linked")).unwrap();
        symlink("/proc/self/root", root.join("srv/magic")).unwrap();
        let files = Files::below_path(&root).unwrap();
        assert_eq!(text(&files, "/srv/app").unwrap(), "the worker's");
        assert_eq!(text(&files, "/linked/app").unwrap(), "the worker's", "a link within the root");
        for path in ["/srv/up", "/../secret", "/srv/../../secret", "/srv/absolute", "/srv/magic", "srv/app"] {
            assert_eq!(text(&files, path), None, "{path}");
        }
    }

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let files = Files::of_machine();
        assert!(files.open(&pipe).is_none(), "it would be waited for");
        assert!(files.open(Path::new("/dev/zero")).is_none());
        assert!(files.open(folder.path()).is_none());
        assert!(files.open(Path::new("/proc/self/exe")).is_none(), "a link of the kernel's own");
        assert!(files.vdso().is_some_and(|code| code.starts_with(b"\x7fELF")));
    }
}
