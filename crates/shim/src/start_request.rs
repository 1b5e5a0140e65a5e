//! What a shim is started with: one message to the fork server, with descriptors.
//!
//! What takes time or can be refused is done before: the run directory is made and locked, the socket listens, the log is open.
//! The lock is on the open directory, which all who have it share. So somebody holds it from the moment in which the directory
//! is made until the shim's end.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::cmsg_space;
use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// The word of a shim's command line before its run directory.
pub(crate) const COMMAND: &str = "shim";

/// What a shim reports when its worker runs.
pub(crate) const STARTED: &str = "started";

/// The longest path that the kernel takes.
pub(crate) const LONGEST_PATH: usize = 4_096;

const DESCRIPTORS: usize = 5;

/// Borrowed where it is sent, owned where it is received.
pub(crate) struct StartRequest<Fd> {
    /// An absolute path.
    pub(crate) run_dir: PathBuf,
    /// The specification as JSON, to be read from where it stands.
    pub(crate) spec: Fd,
    /// The run directory, locked.
    pub(crate) lock: Fd,
    /// The shim's socket, listening, not blocking.
    pub(crate) listener: Fd,
    /// For what the shim has to say of itself.
    pub(crate) log: Fd,
    /// A pipe: how the start went.
    pub(crate) report: Fd,
}

impl StartRequest<BorrowedFd<'_>> {
    pub(crate) fn send(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let descriptors = [self.spec, self.lock, self.listener, self.log, self.report];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let path = [IoSlice::new(self.run_dir.as_os_str().as_bytes())];
        retry_on_intr(|| sendmsg(socket, &path, &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }
}

impl StartRequest<OwnedFd> {
    /// Waits for the next; `None` when nobody is left who could send one.
    pub(crate) fn receive(socket: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let mut path = vec![0; LONGEST_PATH];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = retry_on_intr(|| {
            recvmsg(socket, &mut [IoSliceMut::new(&mut path)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
        })?;
        if received.bytes == 0 {
            return Ok(None);
        }
        path.truncate(received.bytes);
        let rights = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let descriptors: Vec<OwnedFd> = rights.flatten().collect();
        // fewer where this process may have no more files open
        let [spec, lock, listener, log, report] = descriptors.try_into().map_err(|_| {
            io::Error::other("a shim's start came without its descriptors; raise the limit of open files")
        })?;
        let run_dir = PathBuf::from(std::ffi::OsString::from_vec(path));
        Ok(Some(Self { run_dir, spec, lock, listener, log, report }))
    }
}

/// How a start goes, line by line. The server reads until nobody has the pipe any more; if it is gone, its successor will find the
/// run directory.
pub(crate) struct Report(File);

impl Report {
    pub(crate) fn new(pipe: OwnedFd) -> Self {
        Self(pipe.into())
    }

    pub(crate) fn say(&mut self, line: &dyn Display) {
        let _nobody_listens = writeln!(self.0, "{line}");
    }
}
