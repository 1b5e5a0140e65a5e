//! Asks the kernel about one end of one TCP connection, by `sock_diag(7)`.
//!
//! `/proc/net/tcp` would say the same, but it lists every socket of the machine, takes longer the more there are, and is read in
//! pieces between which the sockets change. This looks up exactly the connection that is meant.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// `linux/sock_diag.h`: one socket, found by its family's key.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `tcp_states.h`: both sides have shaken hands, and neither has closed.
const TCP_ESTABLISHED: u8 = 1;
/// The kernel answers within the call that asks; whatever keeps it longer is not waited for.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

const HEADER: usize = 16;
/// `inet_diag_req_v2`.
const QUESTION: usize = HEADER + 56;
/// `inet_diag_msg`.
const ANSWER: usize = HEADER + 72;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Who opened the socket, as this user namespace numbers users.
    pub(super) user: u32,
    /// The socket's number; 0 where no process holds it any more.
    pub(super) inode: u32,
}

/// The established end whose own address is `local` and whose other end is at `remote`. Ends that are being opened or closed
/// (their rows say user 0) are none.
pub(super) fn established(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<End>> {
    let (local, remote) = (canonical(local), canonical(remote));
    let mut socket = Socket::new(
        Domain::from(libc::AF_NETLINK),
        Type::DGRAM,
        Some(Protocol::from(libc::NETLINK_SOCK_DIAG)),
    )?;
    socket.set_read_timeout(Some(ANSWER_LIMIT))?;
    // without an address it goes to the kernel
    socket.send(&question(local, remote)?)?;
    let mut answer = [0; 4_096];
    let length = socket.read(&mut answer)?;
    read(answer.get(..length).unwrap_or_default(), local, remote)
}

/// A program may reach an IPv4 address by an IPv6 socket; the kernel keeps such a connection among those of IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn question(local: SocketAddr, remote: SocketAddr) -> io::Result<[u8; QUESTION]> {
    let family = match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => libc::AF_INET,
        (IpAddr::V6(_), IpAddr::V6(_)) => libc::AF_INET6,
        _ => return Err(io::Error::other("the two ends of a connection are of one family")),
    };
    let mut question = [0; QUESTION];
    let mut rest = question.as_mut_slice();
    let mut put = |bytes: &[u8]| {
        let (field, after) = std::mem::take(&mut rest).split_at_mut(bytes.len());
        field.copy_from_slice(bytes);
        rest = after;
    };
    // nlmsghdr
    put(&u32::try_from(QUESTION).unwrap_or_default().to_ne_bytes());
    put(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    put(&u16::try_from(libc::NLM_F_REQUEST).unwrap_or_default().to_ne_bytes());
    put(&[0; 8]);
    // inet_diag_req_v2: no extensions, a socket in whatever state
    put(&[
        u8::try_from(family).unwrap_or_default(),
        u8::try_from(libc::IPPROTO_TCP).unwrap_or_default(),
        0,
        0,
    ]);
    put(&u32::MAX.to_ne_bytes());
    // inet_diag_sockid: on any interface, of any cookie
    put(&local.port().to_be_bytes());
    put(&remote.port().to_be_bytes());
    put(&octets(local.ip()));
    put(&octets(remote.ip()));
    put(&0_u32.to_ne_bytes());
    put(&[0xff; 8]);
    Ok(question)
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    }
}

fn read(answer: &[u8], local: SocketAddr, remote: SocketAddr) -> io::Result<Option<End>> {
    let short = || io::Error::other("the kernel's answer about a socket is cut off");
    let word = |at: usize| Some(u32::from_ne_bytes(answer.get(at..at + 4)?.try_into().ok()?));
    let port = |at: usize| Some(u16::from_be_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    if kind == u16::try_from(libc::NLMSG_ERROR).ok() {
        let code = word(HEADER).ok_or_else(short)?.cast_signed();
        let error = io::Error::from_raw_os_error(-code);
        return if error.kind() == io::ErrorKind::NotFound { Ok(None) } else { Err(error) };
    }
    if kind != Some(SOCK_DIAG_BY_FAMILY) || answer.len() < ANSWER {
        return Err(short());
    }
    let state = answer[HEADER + 1];
    // where there is no such connection the kernel answers with who listens on its port
    let is_meant = port(HEADER + 4) == Some(local.port())
        && port(HEADER + 6) == Some(remote.port())
        && is_at(answer, HEADER + 8, local.ip())
        && is_at(answer, HEADER + 24, remote.ip());
    let user = word(HEADER + 64).ok_or_else(short)?;
    let inode = word(HEADER + 68).ok_or_else(short)?;
    Ok((is_meant && state == TCP_ESTABLISHED && inode != 0).then_some(End { user, inode }))
}

/// Whether `address` stands there, in the answer's own family.
fn is_at(answer: &[u8], at: usize, address: IpAddr) -> bool {
    let Some(bytes) = answer.get(at..at + 16).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) else {
        return false;
    };
    if i32::from(answer[HEADER]) == libc::AF_INET6 {
        return IpAddr::from(bytes).to_canonical() == address;
    }
    address.is_ipv4() && bytes == octets(address)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn inode(stream: &TcpStream) -> u32 {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        u32::try_from(std::fs::metadata(path).unwrap().ino()).unwrap()
    }

    fn connected(at: &str) -> (TcpListener, TcpStream, TcpStream) {
        let listener = TcpListener::bind(at).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        (listener, client, accepted)
    }

    fn of(stream: &TcpStream) -> Option<End> {
        established(stream.local_addr().unwrap(), stream.peer_addr().unwrap()).unwrap()
    }

    #[test]
    fn both_ends_of_a_connection_are_found_in_either_family() {
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let (_listener, client, accepted) = connected(at);
            for end in [&client, &accepted] {
                assert_eq!(of(end), Some(End { user: own, inode: inode(end) }), "{at}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_that_is_reached_by_an_ipv6_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mapped = format!("[::ffff:127.0.0.1]:{}", listener.local_addr().unwrap().port());
        let client = TcpStream::connect(mapped).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        let found = established(peer, accepted.local_addr().unwrap()).unwrap().unwrap();
        assert_eq!(found.inode, inode(&client));
    }

    #[test]
    fn an_end_that_is_being_closed_or_does_not_exist_is_none() {
        let (listener, client, accepted) = connected("127.0.0.1:0");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(of(&client), None, "half closed");
        let (here, there) = (client.local_addr().unwrap(), accepted.local_addr().unwrap());
        drop((client, accepted));
        assert_eq!(established(here, there).unwrap(), None, "closed: TIME_WAIT says user 0");
        let nobody = SocketAddr::new(here.ip(), 1);
        assert_eq!(established(nobody, there).unwrap(), None);
        assert_eq!(established(there, nobody).unwrap(), None, "the one that listens there is not meant");
        drop(listener);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        let (local, remote) = ("127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap());
        for length in 0..ANSWER {
            assert!(read(&vec![0; length], local, remote).is_err());
        }
    }
}
