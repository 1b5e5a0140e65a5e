//! The sockets of this network namespace that listen. The kernel walks those alone, so that connections cost nothing.

use std::io;
use std::net::SocketAddr;

use super::{InetSocket, ask, byte};

/// `tcp_states.h`; unix sockets have the same.
const LISTEN: u32 = 10;

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) inode: u64,
    /// Where it is one of TCP; a unix socket has none.
    pub(crate) address: Option<SocketAddr>,
}

impl Listener {
    pub(crate) fn port(&self) -> Option<u16> {
        self.address.map(|address| address.port())
    }
}

/// All of them, of TCP and unix. A kernel without `CONFIG_UNIX_DIAG` tells of TCP alone.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    let mut listeners = of_tcp(libc::AF_INET)?;
    // a machine without IPv6 has none
    listeners.extend(of_tcp(libc::AF_INET6).unwrap_or_default());
    listeners.extend(of_unix().unwrap_or_default());
    Ok(listeners)
}

/// Does anybody listen on this port of TCP, at whatever address?
pub(crate) fn is_listened_on(port: u16) -> io::Result<bool> {
    let is_one = |listeners: Vec<Listener>| listeners.iter().any(|listener| listener.port() == Some(port));
    Ok(is_one(of_tcp(libc::AF_INET)?) || is_one(of_tcp(libc::AF_INET6).unwrap_or_default()))
}

fn of_tcp(family: i32) -> io::Result<Vec<Listener>> {
    // inet_diag_req_v2: family, protocol, extensions, padding, states, and a key that is not asked for
    let mut question = vec![byte(family), byte(libc::IPPROTO_TCP), 0, 0];
    question.extend((1_u32 << LISTEN).to_ne_bytes());
    question.resize(56, 0);
    dump(&question, |answer| {
        let socket = InetSocket(answer);
        Some(Listener { inode: socket.inode()?.into(), address: Some(socket.local()?) })
    })
}

fn of_unix() -> io::Result<Vec<Listener>> {
    // unix_diag_req: family, protocol, padding, states, inode, what to show, cookie
    let mut question = vec![byte(libc::AF_UNIX), 0, 0, 0];
    question.extend((1_u32 << LISTEN).to_ne_bytes());
    question.resize(24, 0);
    // unix_diag_msg: the inode at 4
    dump(&question, |answer| {
        let inode = u32::from_ne_bytes(answer.get(4..8)?.try_into().ok()?);
        Some(Listener { inode: inode.into(), address: None })
    })
}

fn dump(question: &[u8], read: impl Fn(&[u8]) -> Option<Listener>) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    ask(question, libc::NLM_F_DUMP, |socket| {
        listeners.extend(read(socket));
        true
    })?;
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn inode(socket: &impl AsFd) -> u64 {
        File::from(socket.as_fd().try_clone_to_owned().unwrap()).metadata().unwrap().ino()
    }

    #[test]
    fn listening_sockets_are_found_with_their_addresses_and_connections_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = four.local_addr().unwrap();
        let unix = UnixListener::bind(folder.path().join("socket")).unwrap();
        let client = TcpStream::connect(address).unwrap();
        let found = listeners().unwrap();
        let of =
            |inode| found.iter().find(|listener| listener.inode == inode).map(|listener| listener.address);
        assert_eq!(of(inode(&four)), Some(Some(address)));
        assert_eq!(of(inode(&unix)), Some(None));
        assert_eq!(of(inode(&client)), None);
        assert!(is_listened_on(address.port()).unwrap());
        drop((four, client));
        assert!(!is_listened_on(address.port()).unwrap());
        match TcpListener::bind("[::1]:0") {
            Ok(six) => {
                let address = six.local_addr().unwrap();
                let inode = inode(&six);
                assert!(listeners().unwrap().contains(&Listener { inode, address: Some(address) }));
                assert!(is_listened_on(address.port()).unwrap());
            }
            Err(error) => eprintln!("skipped: this machine has no IPv6: {error}"),
        }
    }

    #[test]
    fn more_than_one_answer_holds_are_all_found() {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<_> =
            (0..500).map(|n| UnixListener::bind(folder.path().join(n.to_string())).unwrap()).collect();
        let found = listeners().unwrap();
        for one in &all {
            assert!(found.contains(&Listener { inode: inode(one), address: None }));
        }
    }
}
