//! What the kernel says of sockets, by `sock_diag(7)`: which listen, and whose one end of a connection is.
//!
//! `/proc/net/tcp` would say the same, but it lists every socket of the machine, takes longer the more there are, and is read in
//! pieces between which the sockets change.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

mod connection;
mod listeners;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{FromRawFd, OwnedFd};

pub use connection::{ConnectionEnd, established_end};
pub(crate) use listeners::{Listener, is_listened_on, listeners};

use super::check;

/// `linux/sock_diag.h`
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `nlmsghdr`
const HEADER: usize = 16;
/// What the kernel puts into one answer at most.
const ANSWER_BYTES: usize = 64 << 10;

/// Asks a question; `read` takes each socket of the answer by its bytes, and ends the answer with `false`.
fn ask(question: &[u8], flags: i32, mut read: impl FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut socket = open()?;
    socket.write_all(&message(question, flags))?;
    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        let length = socket.read(&mut answer)?;
        let mut rest = &answer[..length];
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some((kind, body, next)) = split(rest) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    let code = body.get(..4).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
                    return Err(io::Error::from_raw_os_error(code.unwrap_or(-libc::EPROTO).wrapping_neg()));
                }
                _ if kind == SOCK_DIAG_BY_FAMILY && !read(body) => return Ok(()),
                _ => {}
            }
            rest = next;
        }
    }
}

/// The kernel answers within the call that asks, so nothing is waited for.
fn open() -> io::Result<File> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket takes integers.
    let fd = check(unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_SOCK_DIAG) })?;
    // SAFETY: the descriptor was just made by socket and belongs to nobody else.
    Ok(File::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// `nlmsghdr` (length, kind, flags, number, sender) and the question.
fn message(question: &[u8], flags: i32) -> Vec<u8> {
    let length = u32::try_from(HEADER + question.len()).unwrap_or_default();
    let flags = u16::try_from(libc::NLM_F_REQUEST | flags).unwrap_or_default();
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(question);
    message
}

/// The first message's kind and content, and what follows.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length >= HEADER)?;
    let body = bytes.get(HEADER..length)?;
    Some((kind, body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// `inet_diag_msg`: a socket of IP.
struct InetSocket<'a>(&'a [u8]);

impl InetSocket<'_> {
    fn state(&self) -> Option<u8> {
        self.0.get(1).copied()
    }

    fn local(&self) -> Option<SocketAddr> {
        self.address(4, 8)
    }

    fn remote(&self) -> Option<SocketAddr> {
        self.address(6, 24)
    }

    fn user(&self) -> Option<u32> {
        self.word(64)
    }

    fn inode(&self) -> Option<u32> {
        self.word(68)
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_ne_bytes(self.0.get(at..at + 4)?.try_into().ok()?))
    }

    /// In the order of the network.
    fn address(&self, port: usize, address: usize) -> Option<SocketAddr> {
        let port = u16::from_be_bytes(self.0.get(port..port + 2)?.try_into().ok()?);
        let bytes: [u8; 16] = self.0.get(address..address + 16)?.try_into().ok()?;
        let [a, b, c, d, ..] = bytes;
        let address = match i32::from(*self.0.first()?) {
            libc::AF_INET => IpAddr::from(Ipv4Addr::new(a, b, c, d)),
            libc::AF_INET6 => IpAddr::from(Ipv6Addr::from(bytes)),
            _ => return None,
        };
        Some(SocketAddr::new(address, port))
    }
}

fn byte(number: i32) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_is_no_message() {
        assert!(split(&[0; 15]).is_none());
        let whole = message(&[7; 5], 0);
        let (kind, body, rest) = split(&whole).unwrap();
        assert_eq!((kind, body, rest), (SOCK_DIAG_BY_FAMILY, &[7; 5][..], &[][..]));
        assert!(split(&whole[..20]).is_none());
        assert!(
            split(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none(),
            "shorter than its header"
        );
    }

    #[test]
    fn a_socket_that_is_cut_off_has_no_address_and_no_user() {
        let mut bytes = vec![0; 72];
        bytes[0] = byte(libc::AF_INET);
        bytes[4..6].copy_from_slice(&8_080_u16.to_be_bytes());
        bytes[8] = 127;
        bytes[11] = 1;
        let whole = InetSocket(&bytes);
        assert_eq!(whole.local(), Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!((whole.user(), whole.inode()), (Some(0), Some(0)));
        for length in 0..bytes.len() {
            assert_eq!(InetSocket(&bytes[..length]).inode(), None);
            assert_eq!(InetSocket(&bytes[..length.min(23)]).local(), None);
        }
    }
}
