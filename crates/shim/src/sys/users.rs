//! The machine's users and groups, as its name service has them: `/etc/passwd`, or whatever is configured beside it.
#![expect(unsafe_code, reason = "calls of the C library; see the SAFETY comments")]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use super::{check, spawn};
use crate::protocol::Identity;

/// How long an entry may be, which a directory service fills with what it likes.
const ENTRY_LIMIT_BYTES: usize = 1 << 20;
/// More groups than the kernel lets a process have.
const GROUPS_LIMIT: usize = 1 << 16;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub user: u32,
    /// The primary one.
    pub group: u32,
    pub home: String,
    pub shell: String,
}

/// The user of that name, or of that number where no name is so.
pub fn account(name: &str) -> io::Result<Option<Account>> {
    let Ok(c_name) = CString::new(name) else { return Ok(None) };
    let by_name = find(|entry, buffer, length, found| {
        // SAFETY: see `find`; the name lives through the call.
        unsafe { libc::getpwnam_r(c_name.as_ptr(), entry, buffer, length, found) }
    })?;
    match (by_name, name.parse()) {
        (None, Ok(user)) => find(|entry, buffer, length, found| {
            // SAFETY: see `find`.
            unsafe { libc::getpwuid_r(user, entry, buffer, length, found) }
        }),
        (found, _) => Ok(found),
    }
}

/// The number of the group of that name, or the number itself.
pub fn group(name: &str) -> io::Result<Option<u32>> {
    let Ok(c_name) = CString::new(name) else { return Ok(None) };
    let mut buffer = vec![0; 1_024];
    loop {
        let mut entry = MaybeUninit::<libc::group>::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: entry, buffer and found live through the call, and the length is the buffer's.
        let error = unsafe {
            libc::getgrnam_r(
                c_name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match error {
            0 if found.is_null() => return Ok(name.parse().ok()),
            // SAFETY: the call has filled the entry that it found.
            0 => return Ok(Some(unsafe { entry.assume_init() }.gr_gid)),
            libc::ERANGE if buffer.len() < ENTRY_LIMIT_BYTES => buffer.resize(buffer.len() * 2, 0),
            error if is_absent(error) => return Ok(name.parse().ok()),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// All groups of a user, `first` among them.
pub fn groups_of(account: &Account, first: u32) -> io::Result<Vec<u32>> {
    let name = CString::new(account.name.as_str())?;
    let mut groups = vec![0; 64];
    loop {
        let mut count = i32::try_from(groups.len()).unwrap_or(i32::MAX);
        // SAFETY: name and groups live through the call, and no more than `count` groups are written.
        let result = unsafe { libc::getgrouplist(name.as_ptr(), first, groups.as_mut_ptr(), &raw mut count) };
        let count = usize::try_from(count).unwrap_or_default();
        if result >= 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        if groups.len() >= GROUPS_LIMIT {
            return Err(io::Error::other("the user is in more groups than a process can have"));
        }
        groups.resize(count.max(groups.len() * 2), 0);
    }
}

/// Has the program that `command` starts run as this user, with this mask for new files.
pub fn run_as(command: &mut Command, identity: Option<Identity>, umask: u32) {
    let become_user = move || {
        // SAFETY: an integer.
        unsafe { libc::umask(umask) };
        match &identity {
            // SAFETY: between fork and exec; only system calls are made, of structures that were made before.
            Some(identity) => unsafe { spawn::change_identity(identity) },
            None => Ok(()),
        }
    };
    // SAFETY: between fork and exec only system calls are made, which take no lock and allocate nothing.
    unsafe { command.pre_exec(become_user) };
}

/// May this process start programs as another user? It needs `CAP_SETUID` and `CAP_SETGID`, and `CAP_KILL` to end
/// them.
pub fn may_change_user() -> bool {
    /// `linux/capability.h`: `CAP_KILL`, `CAP_SETGID`, `CAP_SETUID`.
    const NEEDED: u64 = 1 << 5 | 1 << 6 | 1 << 7;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    effective & NEEDED == NEEDED
}

/// The primary group of this process.
pub fn own_group() -> u32 {
    // SAFETY: getegid takes nothing.
    unsafe { libc::getegid() }
}

type Entry = *mut libc::passwd;

/// `ask` is called with an entry, a buffer of that length, and where to say whether it was found; all live through the call.
fn find(ask: impl Fn(Entry, *mut libc::c_char, usize, *mut Entry) -> i32) -> io::Result<Option<Account>> {
    let mut buffer = vec![0; 1_024];
    loop {
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut found = ptr::null_mut();
        match ask(entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &raw mut found) {
            0 if found.is_null() => return Ok(None),
            0 => {
                // SAFETY: the call has filled the entry that it found; its texts end with null and are in the buffer.
                return Ok(Some(unsafe {
                    let entry = entry.assume_init();
                    let text =
                        |text: *const libc::c_char| CStr::from_ptr(text).to_string_lossy().into_owned();
                    Account {
                        name: text(entry.pw_name),
                        user: entry.pw_uid,
                        group: entry.pw_gid,
                        home: text(entry.pw_dir),
                        shell: text(entry.pw_shell),
                    }
                }));
            }
            libc::ERANGE if buffer.len() < ENTRY_LIMIT_BYTES => buffer.resize(buffer.len() * 2, 0),
            error if is_absent(error) => return Ok(None),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

/// By getpwnam(3) some name services say so in place of "not found".
fn is_absent(error: i32) -> bool {
    matches!(error, libc::ENOENT | libc::ESRCH | libc::EBADF | libc::EPERM)
}

/// Gives a pipe to the user who writes into it: programs open `/dev/stdout` anew.
pub(crate) fn give_to(fd: std::os::fd::BorrowedFd<'_>, identity: &Identity) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: fchown takes integers.
    check(unsafe { libc::fchown(fd.as_raw_fd(), identity.user, identity.group) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_name_and_by_number() {
        let root = account("root").unwrap().unwrap();
        assert_eq!((root.user, root.group, root.name.as_str()), (0, 0, "root"));
        assert_eq!(account("0").unwrap(), Some(root.clone()));
        assert!(groups_of(&root, root.group).unwrap().contains(&0));
        assert_eq!((group("root").unwrap(), group("4711").unwrap()), (Some(0), Some(4_711)));
        for unknown in ["no-such-user-4711", "", "a\0b", "4294967295"] {
            assert_eq!(account(unknown).unwrap(), None, "{unknown:?}");
        }
        assert_eq!(group("no-such-group-4711").unwrap(), None);
    }

    #[test]
    fn a_command_runs_as_its_user_where_that_is_allowed() {
        if !may_change_user() {
            eprintln!("skipped: this process may not change its user");
            return;
        }
        let nobody = account("nobody").unwrap().unwrap();
        let groups = vec![nobody.group, 4_711];
        let identity = Identity { user: nobody.user, group: nobody.group, groups };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "id -u; id -g; id -G; umask; grep CapEff /proc/self/status"]);
        run_as(&mut command, Some(identity), 0o027);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let (user, group) = (nobody.user, nobody.group);
        assert_eq!(said, format!("{user}\n{group}\n{group} 4711\n0027\nCapEff:\t0000000000000000\n"));
    }
}
