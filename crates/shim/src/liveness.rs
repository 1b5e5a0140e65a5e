//! Whether a shim lives, for certain. A socket that does not answer proves nothing: descriptors may be used up, the shim may be
//! stopped, its socket's name may be gone. A worker whose living shim is given up would run on unseen beside its replacement.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use crate::start_request::COMMAND;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::socket::own_user;

/// Has the shim of this run directory ended? `Ok(true)` is a proof: nobody holds the directory's lock, which a shim has for as
/// long as it lives, and no process of this user was started for the directory. The latter alone tells of shims of the first
/// release, which take no lock, and of one that is just being started. An error proves nothing.
///
/// `shim` is the process that was heard: it alone is looked at. Without it every process is, which takes milliseconds.
pub fn has_ended(run_dir: &Path, shim: Option<u32>) -> io::Result<bool> {
    if is_locked(run_dir)? {
        return Ok(false);
    }
    match shim.and_then(|shim| Pid::try_from(shim).ok()) {
        Some(shim) => Ok(!is_living_shim(shim, run_dir)?),
        None => Ok(!has_process(run_dir)?),
    }
}

fn is_locked(run_dir: &Path) -> io::Result<bool> {
    let directory = match File::open(run_dir) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match directory.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Ok(true),
        // a file system without locks: the command line must do
        Ok(()) | Err(TryLockError::Error(_)) => Ok(false),
    }
}

fn has_process(run_dir: &Path) -> io::Result<bool> {
    for entry in std::fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse::<Pid>().ok());
        if let Some(pid) = pid
            && is_living_shim(pid, run_dir)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_living_shim(pid: Pid, run_dir: &Path) -> io::Result<bool> {
    let process = Path::new("/proc").join(pid.to_string());
    if !process.metadata().is_ok_and(|process| process.uid() == own_user()) {
        return Ok(false);
    }
    match std::fs::read(process.join("cmdline")) {
        // the command line was its own: if it lives, it is a shim, and not another process that has been given its id since
        Ok(line) if is_shim_of(run_dir, &line) => {
            Ok(HeldProcess::open(pid).map_or(true, |process| !process.has_ended()))
        }
        Ok(_) => Ok(false),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// The last two parts of the path, app and worker, must do: it may have been given from another directory.
fn is_shim_of(run_dir: &Path, command_line: &[u8]) -> bool {
    let words: Vec<&[u8]> = command_line.split(|byte| *byte == 0).collect();
    let directory = |words: &&[&[u8]]| words.first() == Some(&COMMAND.as_bytes());
    let named = words.windows(2).find(directory).and_then(|words| words.get(1));
    let end = |path: &Path| -> Vec<std::ffi::OsString> {
        let last_two = path.components().rev().take(2);
        let is_name = |name: &Component<'_>| matches!(name, Component::Normal(_));
        last_two.filter(is_name).map(|name| name.as_os_str().to_owned()).collect()
    };
    named.is_some_and(|named| end(Path::new(std::ffi::OsStr::from_bytes(named))) == end(run_dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shim_is_known_by_its_command_line() {
        let run_dir = Path::new("/srv/data/run/shop/0-17");
        for (line, expected) in [
            (&b"medic\0shim\0/srv/data/run/shop/0-17\0"[..], true),
            (b"./medic\0shim\0data/run/shop/0-17\0", true),
            (b"medic\0shim\0/srv/data/run/shop/0-18\0", false),
            (b"medic\0shim\0/srv/data/run/shop2/0-17\0", false),
            (b"ls\0/srv/data/run/shop/0-17\0", false),
            (b"medic\0shim\0", false),
            (b"medic\0shim", false),
            (b"", false),
        ] {
            assert_eq!(is_shim_of(run_dir, line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_held_lock_and_nothing_less_is_a_life() {
        let folder = tempfile::tempdir().unwrap();
        assert!(has_ended(folder.path(), None).unwrap());
        let held = File::open(folder.path()).unwrap();
        held.lock().unwrap();
        assert!(!has_ended(folder.path(), None).unwrap());
        drop(held);
        assert!(has_ended(folder.path(), None).unwrap());
        assert!(has_ended(&folder.path().join("gone"), None).unwrap());
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(has_ended(&file, None).unwrap());
    }
}
