//! Which sockets a process holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::TcpStream;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use model::process_connections::ProcessConnections;

use super::rule::Sockets;
use crate::SystemClock;
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::sock_diag::{Listener, listeners};
use crate::sys::socket::bytes_received;

/// How many descriptors of one process are looked at: a server under load has some thousands.
const DESCRIPTORS_LIMIT: usize = 16_384;

/// How long the sockets of a process are read that stands still for it. Some hundred are read in a millisecond.
const READING_LIMIT: Duration = Duration::from_millis(100);

/// How often a connection is looked at over which something comes all the time.
const TRIES: usize = 8;

/// The listening sockets of the machine, by inode: those of the port, and the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listening {
    port: BTreeSet<u64>,
    elsewhere: BTreeSet<u64>,
}

impl Listening {
    /// As the kernel has them now.
    pub(super) fn now(port: u16) -> io::Result<Self> {
        Ok(Self::of(&listeners()?, port))
    }

    /// Is there nothing that is not in `other`, too?
    pub(super) fn is_part_of(&self, other: &Self) -> bool {
        self.port.is_subset(&other.port) && self.elsewhere.is_subset(&other.elsewhere)
    }

    fn of(listeners: &[Listener], port: u16) -> Self {
        let (on_port, others): (Vec<&Listener>, Vec<&Listener>) =
            listeners.iter().partition(|listener| listener.port() == Some(port));
        let inodes = |listeners: Vec<&Listener>| listeners.into_iter().map(|one| one.inode).collect();
        Self { port: inodes(on_port), elsewhere: inodes(others) }
    }
}

/// The sockets that a process holds now: inode and descriptor.
pub(crate) fn held_by(pid: Pid) -> BTreeMap<u64, RawFd> {
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeMap::new() };
    let socket = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()?;
        Some((inode, entry.file_name().to_str()?.parse().ok()?))
    };
    folder.take(DESCRIPTORS_LIMIT).filter_map(socket).collect()
}

/// Those of them that listen.
pub(super) fn listening_of(held: &BTreeMap<u64, RawFd>, listening: &Listening) -> Sockets {
    let among = |all: &BTreeSet<u64>| held.keys().filter(|inode| all.contains(inode)).copied().collect();
    Sockets { port: among(&listening.port), elsewhere: among(&listening.elsewhere), has_connection: false }
}

/// Is one of these a connection of the port? `strangers` are those that were found to be none; what is found to be none is added.
pub(super) fn one_is_connection(
    process: &HeldProcess,
    held: &BTreeMap<u64, RawFd>,
    listening: &Listening,
    port: u16,
    strangers: &mut BTreeSet<u64>,
) -> bool {
    strangers.retain(|inode| held.contains_key(inode));
    held.iter().any(|(inode, fd)| {
        if strangers.contains(inode) || listening.port.contains(inode) || listening.elsewhere.contains(inode)
        {
            return false;
        }
        let is_connection = process.copy_of(*fd).is_ok_and(|socket| local_port(socket) == Some(port));
        if !is_connection {
            strangers.insert(*inode);
        }
        is_connection
    })
}

/// The connections of the port that a process has which stands still, where both ends are on this machine. `None` where they
/// cannot be read: the kernel copies no descriptors (before Linux 5.6), or they are too many.
pub(crate) fn connections_of(pid: Pid, port: u16) -> Option<ProcessConnections> {
    let process = HeldProcess::open(pid).ok()?;
    let stopped = SystemClock::since_boot();
    let (mut unread, mut read) = (Vec::new(), Vec::new());
    for fd in held_by(pid).into_values() {
        let socket = match process.copy_of(fd) {
            Ok(socket) => TcpStream::from(socket),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => continue,
            Err(_) => return None,
        };
        if let Some(there) = local_other_end(&socket, port) {
            unread.extend(unread_bytes(&socket).map(|bytes| (there, bytes)));
            read.extend(read_bytes(&socket).map(|bytes| (there, bytes)));
        }
        if SystemClock::since_boot().saturating_sub(stopped) > READING_LIMIT {
            return None;
        }
    }
    Some(ProcessConnections { stopped_us: u64::try_from(stopped.as_micros()).ok()?, unread, read })
}

/// The connections of the port that a living process has from these ports of this machine, each with its place among them. What
/// cannot be read in time is left out.
pub(super) fn connections_from(pid: Pid, port: u16, from: &[u16]) -> Vec<(usize, TcpStream)> {
    let Ok(process) = HeldProcess::open(pid) else { return Vec::new() };
    let began = SystemClock::since_boot();
    let in_time = |_: &RawFd| SystemClock::since_boot().saturating_sub(began) <= READING_LIMIT;
    let wanted = |fd| {
        let socket = TcpStream::from(process.copy_of(fd).ok()?);
        let there = local_other_end(&socket, port)?;
        Some((from.iter().position(|one| *one == there)?, socket))
    };
    held_by(pid).into_values().take_while(in_time).filter_map(wanted).collect()
}

fn unread_bytes(socket: &TcpStream) -> Option<u32> {
    let unread = rustix::io::ioctl_fionread(socket).ok()?;
    Some(u32::try_from(unread).unwrap_or(u32::MAX))
}

/// How much was read of a connection whose reader stands still. More may be coming meanwhile; where that goes on, it is said to be
/// too much.
fn read_bytes(socket: &TcpStream) -> Option<u64> {
    let mut received = bytes_received(socket).ok()?;
    for _ in 0..TRIES {
        let unread = rustix::io::ioctl_fionread(socket).ok()?;
        let before = std::mem::replace(&mut received, bytes_received(socket).ok()?);
        if before == received {
            return Some(received.saturating_sub(unread));
        }
    }
    Some(received)
}

/// The port of a connection's other end, where this end has `port` and both are on this machine.
fn local_other_end(socket: &TcpStream, port: u16) -> Option<u16> {
    let (here, there) = (socket.local_addr().ok()?, socket.peer_addr().ok()?);
    let is_local = here.ip().to_canonical() == there.ip().to_canonical();
    (here.port() == port && is_local).then(|| there.port())
}

/// The port of this end of a socket of IP, where it has another end.
fn local_port(socket: OwnedFd) -> Option<u16> {
    // whatever kind of socket it is: its addresses are all that is asked for, and what is none of IP has none
    let socket = TcpStream::from(socket);
    socket.peer_addr().ok()?;
    Some(socket.local_addr().ok()?.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::sys::process::process_id;

    #[test]
    fn listening_sockets_and_connections_of_the_port_are_told_from_the_rest() {
        let (listener, other) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let _pair = UnixStream::pair().unwrap();
        let port = listener.local_addr().unwrap().port();
        let listening = Listening::now(port).unwrap();
        let held = held_by(process_id());
        let sockets = listening_of(&held, &listening);
        assert_eq!(sockets.port.len(), 1);
        assert!(!sockets.elsewhere.is_empty());
        let own = HeldProcess::open(process_id()).unwrap();
        let mut strangers = BTreeSet::new();
        let is_one =
            |strangers: &mut _| one_is_connection(&own, &held_by(process_id()), &listening, port, strangers);
        assert!(!is_one(&mut strangers));
        assert!(!strangers.is_empty(), "the pair's ends");
        let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        assert!(!is_one(&mut strangers), "the client's end has another port");
        let _accepted = listener.accept().unwrap();
        assert!(is_one(&mut strangers));
        drop(other);
    }

    #[test]
    fn of_each_connection_of_the_port_what_is_unread_is_known() {
        let (listener, other) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::]:0").unwrap());
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let mut expected = Vec::new();
        let mut open = Vec::new();
        for (read, unread) in [(0_usize, 0_u32), (0, 5), (3, 0), (7, 70_000)] {
            let mut client = TcpStream::connect(("127.0.0.1", port(&listener))).unwrap();
            let (mut accepted, _) = listener.accept().unwrap();
            client.write_all(&vec![b'x'; read + unread as usize]).unwrap();
            accepted.read_exact(&mut vec![0; read]).unwrap();
            while rustix::io::ioctl_fionread(&accepted).unwrap() < u64::from(unread) {
                std::thread::yield_now();
            }
            expected.push((client.local_addr().unwrap().port(), unread, read as u64));
            open.push((client, accepted));
        }
        let in_either_family = TcpStream::connect(("127.0.0.1", port(&other))).unwrap();
        let _accepted = other.accept().unwrap();
        let _pair = UnixStream::pair().unwrap();
        let of = |port| {
            let found = connections_of(process_id(), port).unwrap();
            let both = found.unread.iter().zip(&found.read);
            let both = both.inspect(|(unread, read)| assert_eq!(unread.0, read.0));
            let mut found: Vec<_> = both.map(|(unread, read)| (unread.0, unread.1, read.1)).collect();
            found.sort_unstable();
            found
        };
        expected.sort_unstable();
        assert_eq!(of(port(&listener)), expected);
        assert_eq!(of(port(&other)), [(in_either_family.local_addr().unwrap().port(), 0, 0)]);
    }
}
