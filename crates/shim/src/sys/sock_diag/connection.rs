//! One end of one TCP connection: exactly the one that is meant is looked up.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::{InetSocket, ask, byte};

/// `tcp_states.h`: both sides have shaken hands, and neither has closed.
const ESTABLISHED: u8 = 1;

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// Who opened the socket, as this user namespace numbers users.
    pub user: u32,
    /// The socket's number; 0 where no process holds it any more.
    pub inode: u32,
}

/// The established end whose own address is `local` and whose other end is at `remote`. Ends that are being opened or closed
/// (their rows say user 0) are none.
pub fn established_end(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<ConnectionEnd>> {
    let (local, remote) = (canonical(local), canonical(remote));
    let mut found = None;
    let mut is_answered = false;
    let answer = ask(&question(local, remote)?, 0, |socket| {
        is_answered = true;
        found = end(&InetSocket(socket), local, remote);
        false
    });
    match answer {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(()) if is_answered => Ok(found),
        Ok(()) => Err(io::Error::other("the kernel did not answer about a socket")),
    }
}

/// A program may reach an IPv4 address by an IPv6 socket; the kernel keeps such a connection among those of IPv4.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn question(local: SocketAddr, remote: SocketAddr) -> io::Result<Vec<u8>> {
    let family = match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => libc::AF_INET,
        (IpAddr::V6(_), IpAddr::V6(_)) => libc::AF_INET6,
        _ => return Err(io::Error::other("the two ends of a connection are of one family")),
    };
    // inet_diag_req_v2: no extensions, a socket in whatever state
    let mut question = vec![byte(family), byte(libc::IPPROTO_TCP), 0, 0];
    question.extend(u32::MAX.to_ne_bytes());
    // inet_diag_sockid: on any interface, of any cookie
    question.extend(local.port().to_be_bytes());
    question.extend(remote.port().to_be_bytes());
    question.extend(octets(local.ip()));
    question.extend(octets(remote.ip()));
    question.extend(0_u32.to_ne_bytes());
    question.extend([0xff; 8]);
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

/// Where there is no such connection the kernel answers with who listens on its port.
fn end(socket: &InetSocket<'_>, local: SocketAddr, remote: SocketAddr) -> Option<ConnectionEnd> {
    let is_meant =
        socket.local().map(canonical) == Some(local) && socket.remote().map(canonical) == Some(remote);
    let end = ConnectionEnd { user: socket.user()?, inode: socket.inode()? };
    (is_meant && socket.state() == Some(ESTABLISHED) && end.inode != 0).then_some(end)
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

    fn of(stream: &TcpStream) -> Option<ConnectionEnd> {
        established_end(stream.local_addr().unwrap(), stream.peer_addr().unwrap()).unwrap()
    }

    #[test]
    fn both_ends_of_a_connection_are_found_in_either_family() {
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let (_listener, client, accepted) = connected(at);
            for end in [&client, &accepted] {
                assert_eq!(of(end), Some(ConnectionEnd { user: own, inode: inode(end) }), "{at}");
            }
        }
    }

    #[test]
    fn an_ipv4_address_that_is_reached_by_an_ipv6_socket_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mapped = format!("[::ffff:127.0.0.1]:{}", listener.local_addr().unwrap().port());
        let client = TcpStream::connect(mapped).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        let found = established_end(peer, accepted.local_addr().unwrap()).unwrap().unwrap();
        assert_eq!(found.inode, inode(&client));
    }

    #[test]
    fn an_end_that_is_being_closed_or_does_not_exist_is_none() {
        let (listener, client, accepted) = connected("127.0.0.1:0");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(of(&client), None, "half closed");
        let (here, there) = (client.local_addr().unwrap(), accepted.local_addr().unwrap());
        drop((client, accepted));
        assert_eq!(established_end(here, there).unwrap(), None, "closed: TIME_WAIT says user 0");
        let nobody = SocketAddr::new(here.ip(), 1);
        assert_eq!(established_end(nobody, there).unwrap(), None);
        assert_eq!(established_end(there, nobody).unwrap(), None, "the one that listens there is not meant");
        drop(listener);
    }
}
