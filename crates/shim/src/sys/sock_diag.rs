//! Which sockets of this network namespace listen, by `sock_diag(7)`: the kernel walks its listening sockets alone, so that
//! connections cost nothing.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};

use super::check;

/// `linux/sock_diag.h`
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `tcp_states.h`; unix sockets have the same.
const LISTEN: u32 = 10;
/// `nlmsghdr`
const HEADER: usize = 16;
/// What the kernel puts into one answer at most.
const ANSWER_BYTES: usize = 64 << 10;

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) inode: u64,
    /// Where it is one of TCP; a unix socket has none.
    pub(crate) port: Option<u16>,
}

/// All of them, of TCP and unix. A kernel without `CONFIG_UNIX_DIAG` tells of TCP alone.
pub(crate) fn listeners() -> io::Result<Vec<Listener>> {
    let mut listeners = of_tcp(libc::AF_INET)?;
    // a machine without IPv6 has none
    listeners.extend(of_tcp(libc::AF_INET6).unwrap_or_default());
    listeners.extend(of_unix().unwrap_or_default());
    Ok(listeners)
}

fn of_tcp(family: i32) -> io::Result<Vec<Listener>> {
    // inet_diag_req_v2: family, protocol, extensions, padding, states, and a key that is not asked for
    let mut question = vec![byte(family), byte(libc::IPPROTO_TCP), 0, 0];
    question.extend((1_u32 << LISTEN).to_ne_bytes());
    question.resize(56, 0);
    // inet_diag_msg: the port in the order of the network at 4, the inode at 68
    dump(&question, |answer| {
        let port = u16::from_be_bytes(answer.get(4..6)?.try_into().ok()?);
        let inode = u32::from_ne_bytes(answer.get(68..72)?.try_into().ok()?);
        Some(Listener { inode: inode.into(), port: Some(port) })
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
        Some(Listener { inode: inode.into(), port: None })
    })
}

fn byte(number: i32) -> u8 {
    u8::try_from(number).unwrap_or_default()
}

/// Asks for all sockets that fit; `read` takes one of them from its bytes.
fn dump(question: &[u8], read: impl Fn(&[u8]) -> Option<Listener>) -> io::Result<Vec<Listener>> {
    let mut socket = open()?;
    socket.write_all(&message(question))?;
    let mut listeners = Vec::new();
    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        let length = socket.read(&mut answer)?;
        let mut rest = &answer[..length];
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some((kind, body, next)) = split(rest) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(listeners),
                libc::NLMSG_ERROR => {
                    let code = body.get(..4).and_then(|code| code.try_into().ok()).map(i32::from_ne_bytes);
                    return Err(io::Error::from_raw_os_error(code.unwrap_or(-libc::EPROTO).wrapping_neg()));
                }
                _ if kind == SOCK_DIAG_BY_FAMILY => listeners.extend(read(body)),
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
fn message(question: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + question.len()).unwrap_or_default();
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn inode(socket: &impl AsFd) -> u64 {
        File::from(socket.as_fd().try_clone_to_owned().unwrap()).metadata().unwrap().ino()
    }

    #[test]
    fn listening_sockets_are_found_with_their_ports_and_connections_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let four = TcpListener::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(folder.path().join("socket")).unwrap();
        let client = TcpStream::connect(four.local_addr().unwrap()).unwrap();
        let found = listeners().unwrap();
        let of = |inode| found.iter().find(|listener| listener.inode == inode).map(|listener| listener.port);
        assert_eq!(of(inode(&four)), Some(Some(four.local_addr().unwrap().port())));
        assert_eq!(of(inode(&unix)), Some(None));
        assert_eq!(of(inode(&client)), None);
        match TcpListener::bind("[::1]:0") {
            Ok(six) => {
                let port = six.local_addr().unwrap().port();
                let inode = inode(&six);
                assert!(listeners().unwrap().contains(&Listener { inode, port: Some(port) }));
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
            assert!(found.contains(&Listener { inode: inode(one), port: None }));
        }
    }

    #[test]
    fn what_is_cut_off_is_no_message() {
        assert!(split(&[0; 15]).is_none());
        let whole = message(&[7; 5]);
        let (kind, body, rest) = split(&whole).unwrap();
        assert_eq!((kind, body, rest), (SOCK_DIAG_BY_FAMILY, &[7; 5][..], &[][..]));
        assert!(split(&whole[..20]).is_none());
        assert!(
            split(&[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_none(),
            "shorter than its header"
        );
    }
}
