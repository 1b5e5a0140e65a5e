//! Where a worker listens, whatever it was told: some bind to `::1` alone because `localhost` says so, some to another port than
//! theirs, some to a Unix socket.
//!
//! Only sockets that a process of the worker's tree holds count, so that nobody else on the machine is taken for the worker.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::cgroup;
use crate::process_tree::{self, MEMBERS_LIMIT};
use crate::serving::sockets::held_by;
use crate::sys::Pid;
use crate::sys::sock_diag::{self, Listener, listeners};

/// The processes of one worker.
#[derive(Clone, Debug)]
pub struct WorkerTree {
    root: u32,
    has_root: bool,
    group: Option<PathBuf>,
}

/// Where they listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    pub tcp: BTreeSet<SocketAddr>,
    /// On a Unix socket at least.
    pub unix: bool,
}

impl WorkerTree {
    /// Those that a shim has below it, where orphans are, too; or those in the worker's own control group, where it has one.
    pub fn below_shim(pid: u32, group: Option<PathBuf>) -> Self {
        Self { root: pid, has_root: false, group }
    }

    /// The same of a worker whose shim is not known.
    pub fn of_worker(pid: u32, group: Option<PathBuf>) -> Self {
        Self { root: pid, has_root: true, group }
    }

    /// Where its processes listen now.
    pub fn listening(&self) -> io::Result<Listening> {
        let held: BTreeSet<u64> =
            self.processes().into_iter().flat_map(|pid| held_by(pid).into_keys()).collect();
        let theirs = listeners()?.into_iter().filter(|listener| held.contains(&listener.inode));
        let (tcp, unix): (Vec<Listener>, Vec<Listener>) = theirs.partition(|one| one.address.is_some());
        Ok(Listening { tcp: tcp.into_iter().filter_map(|one| one.address).collect(), unix: !unix.is_empty() })
    }

    /// Where it can be reached on this port, if one of its processes listens there. Costs little while nobody does.
    pub fn address(&self, port: u16) -> io::Result<Option<SocketAddr>> {
        if !sock_diag::is_listened_on(port)? {
            return Ok(None);
        }
        Ok(self.listening()?.address(port))
    }

    fn processes(&self) -> BTreeSet<Pid> {
        let of_group = self.group.as_deref().and_then(|group| cgroup::processes(group).ok());
        let all = of_group.filter(|processes| !processes.is_empty()).unwrap_or_else(|| {
            let root = Pid::try_from(self.root).unwrap_or_default();
            let all = process_tree::descendants_of(root).into_iter();
            all.filter(|pid| self.has_root || *pid != root).collect()
        });
        all.into_iter().take(MEMBERS_LIMIT).collect()
    }
}

impl Listening {
    /// Where a client of this machine reaches this port: by the loopback address where that will do.
    pub fn address(&self, port: u16) -> Option<SocketAddr> {
        let ways =
            self.tcp.iter().filter(|address| address.port() == port).map(|address| match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
                _ => *address,
            });
        ways.min_by_key(|address| (!address.ip().is_loopback(), address.is_ipv6()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_port_is_reached_by_the_loopback_address_where_that_will_do() {
        for (listening, expected) in [
            (&["0.0.0.0:80"][..], Some("127.0.0.1:80")),
            (&["127.0.0.1:80", "[::1]:80"], Some("127.0.0.1:80")),
            (&["[::1]:80", "192.0.2.7:80"], Some("[::1]:80")),
            (&["[::]:80"], Some("[::1]:80")),
            (&["192.0.2.7:80", "[::1]:81"], Some("192.0.2.7:80")),
            (&["127.0.1.1:80"], Some("127.0.1.1:80")),
            (&["127.0.0.1:81"], None),
            (&[], None),
        ] {
            let tcp = listening.iter().map(|address| address.parse().unwrap()).collect();
            let listening = Listening { tcp, unix: false };
            assert_eq!(
                listening.address(80),
                expected.map(|address| address.parse().unwrap()),
                "{listening:?}"
            );
        }
    }

    #[test]
    fn only_what_the_tree_holds_counts() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let address = Some(listener.local_addr().unwrap());
        let own = WorkerTree::of_worker(std::process::id(), None);
        for (tree, expected) in [
            (&own, address),
            (&WorkerTree::below_shim(std::os::unix::process::parent_id(), None), address),
            (&WorkerTree::below_shim(std::process::id(), None), None),
            (&WorkerTree::of_worker(child.id(), None), None),
        ] {
            assert_eq!(tree.address(port).unwrap(), expected, "{tree:?}");
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        drop(listener);
        assert_eq!(own.address(port).unwrap(), None);
    }
}
