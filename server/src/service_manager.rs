//! systemd, or whoever else speaks its protocol: what it is told of this server, and the listening sockets that it keeps from one
//! server to the next.
//!
//! ```text
//!  server ── READY, RELOADING, STOPPING, WATCHDOG ──▶ service manager
//!         ── a socket that listens (FDSTORE) ───────▶ keeps it open
//!    ends                                                 │
//!  next server ◀── the same sockets (LISTEN_FDS) ─────────┘
//! ```
//! Whoever connects in between waits in a socket's queue instead of being refused. Without a service manager all of this is
//! nothing: `NOTIFY_SOCKET` is not set.
//!
//! A few lines of our own, since the protocol is a datagram of `NAME=value` lines; `sd_notify(3)` describes it.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddress, UnixDatagram};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

/// A service manager that takes nothing keeps nobody waiting for longer.
const SEND_LIMIT: Duration = Duration::from_secs(2);
/// One that does not say how the machine is: it is taken to run on.
const ASK_LIMIT: Duration = Duration::from_secs(2);
/// What the kernel takes in one message is 253.
const SOCKETS_AT_MOST: usize = 128;

/// What a service manager tells its service, and nobody else: none of it is for the workers.
const VARIABLES: [&str; 10] = [
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
];

/// Whether a variable is the service manager's own.
pub fn is_own_variable(name: &str) -> bool {
    VARIABLES.contains(&name)
}

/// The service manager, or nobody.
#[derive(Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    /// Listening sockets of the last server that nobody has asked for yet.
    kept: Mutex<BTreeMap<SocketAddr, Vec<TcpListener>>>,
}

impl ServiceManager {
    /// As `variable` (the environment) says. To be called once, and early: the sockets that this process was started with are
    /// taken over.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let pid = std::process::id().to_string();
        let is_for_us = |name| variable(name).is_none_or(|of| of == pid);
        let number = |name| variable(name)?.parse().ok();
        let sockets = if variable("LISTEN_PID").is_some() && is_for_us("LISTEN_PID") {
            shim::take_inherited_sockets(
                number("LISTEN_FDS").and_then(|n| usize::try_from(n).ok()).unwrap_or(0),
            )
        } else {
            Vec::new()
        };
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_for_us("WATCHDOG_PID"));
        let connected = variable("NOTIFY_SOCKET").map(|address| connect(&address));
        if let Some(Err(error)) = &connected {
            tracing::warn!(%error, "cannot notify the service manager");
        }
        Self {
            socket: connected.and_then(Result::ok),
            watchdog: watchdog.map(Duration::from_micros),
            kept: Mutex::new(by_address(sockets)),
        }
    }

    /// How often it is to hear that this server works, or it ends it.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// This server takes requests; also after a reload.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The configuration is read again, until [`ServiceManager::ready`].
    pub fn reloading(&self) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", shim::SystemClock::since_boot().as_micros()));
    }

    /// This server ends. What it says of itself is shown by `systemctl status`.
    pub fn stopping(&self, status: &str) {
        self.tell(&format!("STOPPING=1\nSTATUS={status}"));
    }

    /// The machine is being shut down, so that nobody would take the workers over.
    pub async fn is_machine_stopping(&self) -> bool {
        if self.socket.is_none() {
            return false;
        }
        let mut asking = tokio::process::Command::new("systemctl");
        asking.arg("is-system-running").stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let state = tokio::time::timeout(ASK_LIMIT, asking.output()).await;
        state.is_ok_and(|state| state.is_ok_and(|state| state.stdout.trim_ascii() == b"stopping"))
    }

    /// This server works.
    pub fn works(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The sockets on which the last server listened at `address`; none where it did not, or was kept by nobody.
    pub fn take(&self, address: SocketAddr) -> Vec<TcpListener> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&address).unwrap_or_default()
    }

    /// Has sockets kept that listen at `address`, for the next server. Those that are kept already it recognizes.
    pub fn keep(&self, address: SocketAddr, sockets: &[impl AsFd]) {
        for sockets in sockets.chunks(SOCKETS_AT_MOST) {
            let sockets: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
            self.send(&format!("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name(address)), &sockets);
        }
    }

    /// Nobody is to listen at `address` any more: whoever connects is refused.
    pub fn give_up(&self, address: SocketAddr) {
        self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={}", name(address)));
    }

    /// Gives up what the last server listened on and this one does not.
    pub fn give_up_rest(&self) {
        let rest = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        for (address, _sockets) in rest {
            self.give_up(address);
        }
    }

    fn tell(&self, state: &str) {
        self.send(state, &[]);
    }

    fn send(&self, state: &str, sockets: &[BorrowedFd<'_>]) {
        let Some(manager) = &self.socket else { return };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_AT_MOST))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !sockets.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(sockets)) {
            return;
        }
        let state = [IoSlice::new(state.as_bytes())];
        if let Err(error) = sendmsg(manager, &state, &mut ancillary, SendFlags::NOSIGNAL) {
            tracing::warn!(%error, "the service manager could not be told how Medic does");
        }
    }
}

fn connect(address: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match address.strip_prefix('@') {
        Some(name) => socket.connect_addr(&UnixAddress::from_abstract_name(name)?)?,
        None => socket.connect(address)?,
    }
    socket.set_write_timeout(Some(SEND_LIMIT))?;
    Ok(socket)
}

/// What does not listen on TCP is nobody's here.
fn by_address(sockets: Vec<OwnedFd>) -> BTreeMap<SocketAddr, Vec<TcpListener>> {
    let mut kept = BTreeMap::<_, Vec<_>>::new();
    for socket in sockets.into_iter().map(TcpListener::from) {
        if let Ok(address) = socket.local_addr() {
            kept.entry(address).or_default().push(socket);
        }
    }
    kept
}

/// A name may have no colon.
fn name(address: SocketAddr) -> String {
    address.to_string().replace(':', "_")
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    /// A service manager's side: what it heard, and the descriptors that came with it.
    fn heard(manager: &UnixDatagram) -> (String, Vec<OwnedFd>) {
        let mut text = [0; 1_024];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_AT_MOST))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut into = [std::io::IoSliceMut::new(&mut text)];
        let bytes = recvmsg(manager, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
        let sockets = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        let sockets = sockets.flatten().collect();
        (String::from_utf8_lossy(&text[..bytes]).into_owned(), sockets)
    }

    fn told(address: &str, manager: &UnixDatagram) {
        let variable = |name: &str| (name == "NOTIFY_SOCKET").then(|| address.to_owned());
        let medic = ServiceManager::of_environment(variable);
        medic.ready();
        assert_eq!(heard(manager).0, "READY=1");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        medic.keep(at, &[&listener]);
        let (said, sockets) = heard(manager);
        assert_eq!(said, format!("FDSTORE=1\nFDPOLL=0\nFDNAME=127.0.0.1_{}", at.port()));
        drop(listener);
        let _waits = TcpStream::connect(at).unwrap();
        let next = ServiceManager { kept: Mutex::new(by_address(sockets)), ..medic };
        assert_eq!(next.take(at).len(), 1);
        assert!(next.take(at).is_empty());
        next.give_up(at);
        assert_eq!(heard(manager).0, format!("FDSTOREREMOVE=1\nFDNAME=127.0.0.1_{}", at.port()));
    }

    #[test]
    fn it_hears_of_this_server_at_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        told(path.to_str().unwrap(), &UnixDatagram::bind(&path).unwrap());
        let name = format!("medic-test-{}", std::process::id());
        let abstract_name = UnixAddress::from_abstract_name(&name).unwrap();
        told(&format!("@{name}"), &UnixDatagram::bind_addr(&abstract_name).unwrap());
    }

    #[test]
    fn nobody_is_told_where_nobody_asks() {
        let medic = ServiceManager::of_environment(|_| None);
        medic.ready();
        medic.give_up_rest();
        assert!(medic.watchdog().is_none() && medic.take("127.0.0.1:80".parse().unwrap()).is_empty());
    }

    #[test]
    fn what_is_meant_for_another_process_is_left_alone() {
        let medic = ServiceManager::of_environment(|name| match name {
            "LISTEN_FDS" | "LISTEN_PID" | "WATCHDOG_PID" => Some("1".to_owned()),
            "WATCHDOG_USEC" => Some("30000000".to_owned()),
            _ => None,
        });
        assert!(medic.watchdog().is_none());
        let own = std::process::id().to_string();
        let medic = ServiceManager::of_environment(|name| match name {
            "WATCHDOG_PID" => Some(own.clone()),
            "WATCHDOG_USEC" => Some("30000000".to_owned()),
            _ => None,
        });
        assert_eq!(medic.watchdog(), Some(Duration::from_secs(30)));
    }
}
