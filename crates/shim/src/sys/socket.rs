//! Who is at the other end of a unix socket, and how much has come over one of TCP.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use super::{Pid, check};

/// The process that made the connection, as the kernel noted it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its id.
    pub(crate) pid: Pid,
    /// Its effective user.
    pub(crate) uid: u32,
}

/// Who connected.
pub(crate) fn peer(stream: &UnixStream) -> io::Result<Peer> {
    let mut credentials = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes into the structure, which outlives the call.
    check(unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    })?;
    Ok(Peer { pid: credentials.pid, uid: credentials.uid })
}

/// The process that listens where this socket is connected to, or has done so when it began.
pub fn listener_of(stream: &UnixStream) -> io::Result<u32> {
    Ok(peer(stream)?.pid.unsigned_abs())
}

/// How many bytes have ever come over a connection, read or not (Linux 4.1).
pub(crate) fn bytes_received(stream: &TcpStream) -> io::Result<u64> {
    /// `tcpi_bytes_received` in `struct tcp_info`.
    const AT: usize = 128;
    let mut information = [0_u8; AT + size_of::<u64>()];
    let mut length = libc::socklen_t::try_from(information.len()).unwrap_or(0);
    // SAFETY: the kernel writes at most `length` bytes into the array, which outlives the call.
    check(unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            information.as_mut_ptr().cast(),
            &raw mut length,
        )
    })?;
    match information.get(AT..length as usize).and_then(|bytes| bytes.try_into().ok()) {
        Some(bytes) => Ok(u64::from_ne_bytes(bytes)),
        None => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// This process's effective user.
pub fn own_user() -> u32 {
    // SAFETY: geteuid takes nothing.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let pid = Pid::try_from(std::process::id()).unwrap();
        assert_eq!(peer(&one).unwrap(), Peer { pid, uid: own_user() });
    }
}
