//! Memory of other processes, and memory that is handed to them.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use super::{Pid, check};

/// Reads from another process's memory; how many bytes could be read.
pub(crate) fn read_process(pid: Pid, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let address = usize::try_from(address).map_err(|_| io::ErrorKind::InvalidInput)?;
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: into.len() };
    // SAFETY: the local vector covers `into`, which is writable for the length of the call; the remote address is only looked
    // up in the other process.
    let read = check(unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) })?;
    Ok(usize::try_from(read).unwrap_or(0))
}

/// A file in anonymous memory that holds `content` and cannot be changed any more, ready to be read from its start.
pub(crate) fn sealed_file(content: &[&[u8]]) -> io::Result<File> {
    // SAFETY: the name is a literal with its end marked; the result is checked before it is used.
    let fd =
        check(unsafe { libc::memfd_create(c"medic".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) })?;
    // SAFETY: the descriptor was just made by memfd_create and belongs to nobody else.
    let mut file = unsafe { File::from_raw_fd(fd) };
    for part in content {
        file.write_all(part)?;
    }
    file.rewind()?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: fcntl with F_ADD_SEALS takes integers alone.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_sealed_file_reads_back_and_takes_nothing_more() {
        let mut file = sealed_file(&[b"du", b"mp"]).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "dump");
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let here = 7_u64.to_ne_bytes();
        let pid = Pid::try_from(std::process::id()).unwrap();
        let mut copy = [0; 8];
        let address = here.as_ptr().addr() as u64;
        assert_eq!(read_process(pid, address, &mut copy).unwrap(), 8);
        assert_eq!(copy, here);
        assert!(read_process(pid, 16, &mut copy).is_err());
    }
}
