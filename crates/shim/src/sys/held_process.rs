//! A process that stays the one that was meant, even when its number is given to another.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

use model::Exit;

use super::descriptors::{Interest, poll};
use super::wait_status::exit_of_status;
use super::{Pid, check};

/// A process held by a descriptor.
pub(crate) struct HeldProcess(OwnedFd);

impl HeldProcess {
    /// Holds the process that has this number now. An error where there is none, or the kernel has no such descriptors (before
    /// 5.3).
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        // SAFETY: pidfd_open takes integers.
        let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
        // SAFETY: the descriptor was just made by pidfd_open and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor(fd)?) }))
    }

    /// Has it ended?
    pub(crate) fn has_ended(&self) -> bool {
        let ready = poll(&[Interest { fd: self.as_fd(), write: false }], Some(Duration::ZERO));
        ready.first().is_some_and(|ready| ready.read)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let none = ptr::null_mut::<libc::siginfo_t>();
        // SAFETY: pidfd_send_signal takes integers and, here, no signal information.
        check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, none, 0) })
            .map(drop)
    }

    /// A copy of one of its descriptors, which keeps what that leads to open (Linux 5.6).
    pub(crate) fn copy_of(&self, fd: RawFd) -> io::Result<OwnedFd> {
        // SAFETY: pidfd_getfd takes integers.
        let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_getfd, self.0.as_raw_fd(), fd, 0) })?;
        // SAFETY: the descriptor was just made by pidfd_getfd and belongs to nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor(fd)?) })
    }

    /// How it ended, once its parent has asked for that, whoever that is (Linux 6.15).
    pub(crate) fn exit(&self) -> Option<Exit> {
        /// `struct pidfd_info` of the kernel, as long as it was when it got the exit status.
        #[derive(Default)]
        #[repr(C)]
        struct Information {
            mask: u64,
            group: u64,
            identity: [u32; 11],
            status: i32,
        }
        /// `PIDFD_INFO_EXIT`
        const EXIT: u64 = 1 << 3;
        /// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`
        const GET_INFORMATION: libc::Ioctl =
            (3 << 30) | ((size_of::<Information>() as libc::Ioctl) << 16) | 0xFF0B;
        let mut information = Information { mask: EXIT, ..Information::default() };
        // SAFETY: the kernel writes at most the structure whose size the request's number carries, which lives through the call.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), GET_INFORMATION, &raw mut information) }).ok()?;
        (information.mask & EXIT != 0).then(|| exit_of_status(information.status)).flatten()
    }
}

impl AsFd for HeldProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn descriptor(fd: libc::c_long) -> io::Result<RawFd> {
    RawFd::try_from(fd).map_err(|_| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::process::{Command, Stdio};

    use model::Signal;

    use super::*;

    #[test]
    fn a_process_is_alive_until_it_has_ended() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = HeldProcess::open(Pid::try_from(child.id()).unwrap()).expect("Linux 5.3 or newer");
        assert!(!process.has_ended() && process.exit().is_none());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(process.has_ended());
        assert!(process.signal(libc::SIGKILL).is_err(), "nobody else is hit");
        assert!(HeldProcess::open(0).is_err());
    }

    /// Of somebody else's child: `sh` asks for its end at once.
    #[test]
    fn how_it_ended_is_known_although_another_has_asked_for_it() {
        for (way, expected) in [("kill -SEGV $$", Exit::Signal(Signal(11))), ("exit 7", Exit::Code(7))] {
            let script = format!("sh -c 'echo $$; read go; {way}'; read end");
            let mut parent = Command::new("sh")
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(parent.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
            let child = HeldProcess::open(line.trim_end().parse().unwrap()).unwrap();
            std::io::Write::write_all(parent.stdin.as_mut().unwrap(), b"go\n").unwrap();
            while !child.has_ended() {
                std::thread::yield_now();
            }
            // the parent asks in its own time
            let told = std::iter::repeat_with(|| child.exit()).take(1_000_000).find_map(|exit| exit);
            if told.is_none() {
                eprintln!("skipped: this kernel tells nobody but the parent (before Linux 6.15)");
            } else {
                assert_eq!(told, Some(expected));
            }
            drop(parent.stdin.take());
            parent.wait().unwrap();
        }
    }

    #[test]
    fn a_descriptor_of_another_process_is_copied() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let process = HeldProcess::open(Pid::try_from(child.id()).unwrap()).unwrap();
        let output = process.copy_of(1).unwrap();
        std::io::Write::write_all(&mut std::fs::File::from(output), b"through the copy").unwrap();
        drop(child.stdin.take());
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        assert_eq!(text, "through the copy");
        assert!(process.copy_of(1).is_err());
    }
}
