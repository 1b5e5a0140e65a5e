//! What a front door is told, and what it tells back.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use model::{AppName, NodeName, WorkerId};

/// How one app's front door is to behave. [`FrontDoorSettings::new`] fills in the defaults.
#[derive(Clone, Debug)]
pub struct FrontDoorSettings {
    /// The app behind it.
    pub app: AppName,
    /// The machine that it runs on.
    pub node: NodeName,
    /// Where it listens; port 0 takes a free one (see [`crate::FrontDoor::address`]).
    pub listen: SocketAddr,
    /// Listening sockets, each served by another of the [`crate::ServingThreads`]; 0 means one for every thread, which is the
    /// default. Fewer where file descriptors are scarce.
    pub sockets: usize,
    /// How long a request that no worker has taken waits for one before it is answered 503; default 10 s: longer than most
    /// restarts take, shorter than most clients' patience.
    pub wait: Duration,
    /// Whether a GET or HEAD whose worker died before an answer byte is given to another worker, or to the replacement within
    /// `wait`; default yes. At most once each, never the only request that the worker had, and of all requests at most a fifth
    /// plus ten a second (see the module `retries`). Other requests are given to another worker only if certainly nobody has read
    /// them, and their body is held.
    pub retries: bool,
    /// What the client is said to have spoken, in `X-Forwarded-Proto`; default [`Scheme::Http`]. [`Scheme::Https`] where
    /// something that ends TLS stands in front.
    pub forwarded: Scheme,
    /// What one client may take.
    pub limits: Limits,
}

impl FrontDoorSettings {
    /// The defaults for `app`, listening at `listen`.
    pub fn new(node: NodeName, app: AppName, listen: SocketAddr) -> Self {
        Self {
            app,
            node,
            listen,
            sockets: 0,
            wait: Duration::from_secs(10),
            retries: true,
            forwarded: Scheme::Http,
            limits: Limits::default(),
        }
    }
}

/// What clients are told apart by in `X-Forwarded-Proto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS, ended in front of the front door.
    Https,
}

/// What one client may take before it is turned away. Time limits are kept to within a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Request line and headers together; more is answered 431. Default 32 KiB, as nginx's four buffers of 8 KiB; values below
    /// 8 KiB count as 8 KiB.
    pub header_bytes: usize,
    /// From a request's first byte to the end of its headers; default 10 s. A connection that takes longer is closed.
    pub header_read: Duration,
    /// Between two requests of one connection; default 75 s, nginx's `keepalive_timeout`.
    pub idle: Duration,
    /// How long a client may neither send nor take a byte of a body that waits for it; default 60 s, nginx's
    /// `client_body_timeout` and `send_timeout`. Tunnels (WebSockets) are free of it.
    pub stall: Duration,
    /// Clients connected to the app at once, on all threads. For one more, the one that has been idle the longest is
    /// disconnected; where all are busy, it is answered 503. Default 10,000; all apps together are bounded by
    /// [`crate::ServingThreads::limit_connections`].
    pub connections: usize,
    /// Requests that wait for a worker at once; more are answered 503 at once. Default 1,000.
    pub waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            header_read: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stall: Duration::from_mins(1),
            connections: 10_000,
            waiting: 1_000,
        }
    }
}

/// A worker that takes requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The worker.
    pub worker: WorkerId,
    /// Where it listens.
    pub address: SocketAddr,
}

/// How a worker died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// Of something that it did, which one of its requests may have made it do.
    ByItself,
    /// By somebody else's hand, such as SIGKILL: no request is to blame, unless it was the only one.
    Killed,
}

/// Why the serving threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error(
    "the threads that serve the apps could not be started: {source}; look at the limits of processes, open files and memory"
)]
pub struct StartError {
    /// What the system said.
    pub source: io::Error,
}

/// Why a front door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error(
        "{app}: {address} is in use by another program; stop it, or give the app another `listen` address"
    )]
    InUse {
        /// Whose front door.
        app: AppName,
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// A port below 1024, usually.
    #[error(
        "{app}: no permission to listen on {address}; take a port from 1024 up, or give the program CAP_NET_BIND_SERVICE"
    )]
    Permission {
        /// Whose front door.
        app: AppName,
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The machine does not have the address.
    #[error(
        "{app}: this machine has no address {}; use one that `ip address` lists, 127.0.0.1 for this machine only, \
         or 0.0.0.0 for all", .address.ip()
    )]
    NoSuchAddress {
        /// Whose front door.
        app: AppName,
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Anything else the system says.
    #[error("{app}: cannot listen on {address}")]
    Other {
        /// Whose front door.
        app: AppName,
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    pub(crate) fn from_system(app: &AppName, address: SocketAddr, source: io::Error) -> Self {
        let app = app.clone();
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { app, address },
            io::ErrorKind::PermissionDenied => Self::Permission { app, address },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { app, address },
            _ => Self::Other { app, address, source },
        }
    }
}
