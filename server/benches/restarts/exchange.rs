//! One request over one connection, and each way in which it can fail.
//!
//! Raw sockets instead of a client library: a library would try again, or hide which of its connections was reused.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A hundred times what an answer takes, and far longer than the start of a worker.
const PATIENCE: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: usize = 1 << 20;

/// Why a request was not answered as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    /// Nothing listens.
    Refused,
    /// The connection had answered before and ended without a byte: every client of kept connections must expect this when a
    /// server closes one that is idle, but it cannot tell it from a server that died with the request.
    EndedReused,
    /// A new connection ended without a byte.
    Ended,
    /// The answer ended in its middle.
    Cut,
    /// A whole answer, but not 200.
    Status(u16),
    /// The answer to something else.
    Wrong,
    /// No answer in time.
    Late,
    /// This machine has no port left for another connection: the bench's fault, not the server's.
    NoPort,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::EndedReused => f.write_str("reused connection ended without a byte"),
            Self::Ended => f.write_str("new connection ended without a byte"),
            Self::Cut => f.write_str("answer cut off"),
            Self::Status(status) => write!(f, "answered {status}"),
            Self::Wrong => f.write_str("wrong answer"),
            Self::Late => f.write_str("no answer in time"),
            Self::NoPort => f.write_str("no port left"),
        }
    }
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The connection takes another request.
    pub(crate) kept: bool,
}

/// A connection to a server.
pub(crate) struct Connection {
    stream: TcpStream,
    used: bool,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| match error.kind() {
            ErrorKind::ConnectionRefused => Failure::Refused,
            ErrorKind::AddrNotAvailable => Failure::NoPort,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Failure::Late,
            _ => Failure::Ended,
        })?;
        let set_up = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(PATIENCE)));
        set_up.map_err(|_| Failure::Ended)?;
        Ok(Self { stream, used: false })
    }

    /// The server has closed it since the last answer, and the kernel knows: whoever looks need not fail.
    pub(crate) fn was_closed(&self) -> bool {
        let nothing_comes = |stream: &TcpStream| {
            stream.set_nonblocking(true)?;
            let seen = stream.peek(&mut [0]);
            stream.set_nonblocking(false)?;
            Ok(seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
        };
        let open: std::io::Result<bool> = nothing_comes(&self.stream);
        !open.unwrap_or(false)
    }

    /// Sends a request and reads the whole answer, which must have a `Content-Length`.
    pub(crate) fn ask(&mut self, request: &str) -> Result<Answer, Failure> {
        let reused = std::mem::replace(&mut self.used, true);
        let ended = if reused { Failure::EndedReused } else { Failure::Ended };
        self.stream.write_all(request.as_bytes()).map_err(|_| ended)?;
        let mut bytes = Vec::with_capacity(4 * 1_024);
        loop {
            let mut buffer = [0; 4 * 1_024];
            match self.stream.read(&mut buffer) {
                Ok(more @ 1..) => bytes.extend_from_slice(&buffer[..more]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Failure::Late);
                }
                Ok(0) | Err(_) => return Err(if bytes.is_empty() { ended } else { Failure::Cut }),
            }
            if let Some(answer) = parse(&bytes)? {
                return Ok(answer);
            }
            if bytes.len() > ANSWER_LIMIT {
                return Err(Failure::Wrong);
            }
        }
    }
}

/// `None` while some of it is missing.
fn parse(bytes: &[u8]) -> Result<Option<Answer>, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::Wrong)?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let header = |name: &str| {
        let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(Failure::Wrong)?;
    let length: usize =
        header("content-length").and_then(|length| length.parse().ok()).ok_or(Failure::Wrong)?;
    let kept = !header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    match body.len() {
        so_far if so_far < length => Ok(None),
        so_far if so_far > length => Err(Failure::Wrong),
        _ => Ok(Some(Answer { status, body: body.to_owned(), kept })),
    }
}

/// One request over a connection of its own.
pub(crate) fn ask_once(address: SocketAddr, method: &str, path: &str) -> Result<Answer, Failure> {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    Connection::open(address)?.ask(&format!("{head}Content-Length: 0\r\n\r\n"))
}
