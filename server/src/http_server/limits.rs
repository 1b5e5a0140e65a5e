//! What a client may take of Medic's own server, in one place.

use std::time::Duration;

/// The limits of one listening socket. Those of time are the front doors' own.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time. The longest idle one makes room for a new one, so that nobody is kept out by connections that
    /// ask for nothing.
    pub connections: usize,
    /// From a connection's or a later request's first byte to the head's last: no line is so slow. A new connection has as
    /// long for its first byte.
    pub head: Duration,
    /// Between an answer and the next request. Browsers keep connections for a minute or more.
    pub idle: Duration,
    /// From a head's last byte to the body's last: bodies are forms and rules, at most 64 KiB.
    pub body: Duration,
    /// For a client to take anything of what it is sent.
    pub stall: Duration,
    /// How often it is looked whether one of these is over. A second is exact enough, and costs nothing.
    pub look: Duration,
    /// For answers under way when Medic stops.
    pub close: Duration,
}

impl Limits {
    /// The dashboard's address. 512 are all pages that may listen to events (256) and as many that ask.
    pub const TCP: Self = Self {
        connections: 512,
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::from_mins(1),
        stall: Duration::from_mins(1),
        look: Duration::from_secs(1),
        close: Duration::from_secs(5),
    };
    /// The Unix socket: places of its own, so that nothing at the dashboard's address keeps the operator out.
    pub const UNIX: Self = Self { connections: 64, ..Self::TCP };
}

/// A connection whose other machine is gone without a word (through a tunnel) is found out after 60 + 4 × 15 s.
pub(super) const KEEP_ALIVE: socket2::TcpKeepalive = socket2::TcpKeepalive::new()
    .with_time(Duration::from_mins(1))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);
/// How long, and for how many bytes, a client that is still sending is listened to after its last answer, so that it gets to
/// read that answer: closing a socket with bytes unread would throw the answer away.
pub(super) const LINGER: Duration = Duration::from_secs(1);
pub(super) const LINGER_BYTES: u64 = 1024 * 1024;
/// A pause after a connection could not be accepted, most likely for want of a descriptor.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The head of a request, and what is read ahead of a body.
pub(super) const HEAD_BYTES: usize = 64 * 1024;
