//! The connection to the server: whole lines in, whole lines out, and never waiting for it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use serde::Deserialize;

use crate::protocol::{FromShim, LINE_LIMIT, Request, Said};
use crate::sys::Pid;
use crate::sys::held_process::HeldProcess;
use crate::sys::socket;

/// What a client that does not read is owed at most, in bytes; then it is dropped. It gets everything again when it connects.
const OWED_LIMIT_BYTES: usize = 4 * LINE_LIMIT;

/// What one turn of the loop reads from the client at most, so that one that talks without end does not keep the loop from the
/// worker.
const TURN_BYTES: usize = 2 * LINE_LIMIT;

/// A line that is no request that this shim knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Its number, where it has one.
    pub(crate) id: Option<u64>,
    /// Why it is refused.
    pub(crate) reason: String,
}

/// One connected client.
pub(crate) struct Client {
    stream: UnixStream,
    /// Who connected.
    pid: Pid,
    process: Option<HeldProcess>,
    incoming: Vec<u8>,
    /// A line was too long: what comes up to its end is thrown away.
    skipping: bool,
    outgoing: VecDeque<u8>,
    lost: bool,
}

impl Client {
    /// Takes over an accepted connection of this shim's own user, or of root.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        let peer = socket::peer(&stream)?;
        if peer.uid != socket::own_user() && peer.uid != 0 {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            pid: peer.pid,
            process: HeldProcess::open(peer.pid).ok(),
            incoming: Vec::new(),
            skipping: false,
            outgoing: VecDeque::new(),
            lost: false,
        })
    }

    /// The connection.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// The process that connected.
    pub(crate) fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Is there something that it has not taken yet?
    pub(crate) fn is_owed(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// It hung up, its process has ended, or it does not read.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost || self.process.as_ref().is_some_and(HeldProcess::has_ended)
    }

    /// Sends a message, as far as it is taken now; the rest later.
    pub(crate) fn send(&mut self, message: &FromShim) {
        self.say(&Said { re: None, what: message });
    }

    /// The same, in answer to the request with this number.
    pub(crate) fn answer(&mut self, re: Option<u64>, message: &FromShim) {
        self.say(&Said { re, what: message });
    }

    fn say(&mut self, said: &Said<&FromShim>) {
        match serde_json::to_vec(said) {
            Ok(line) if self.outgoing.len() + line.len() < OWED_LIMIT_BYTES => {
                self.outgoing.extend(line);
                self.outgoing.push_back(b'\n');
                self.flush();
            }
            _ => self.lost = true,
        }
    }

    /// Sends what is owed, as far as it is taken now.
    pub(crate) fn flush(&mut self) {
        while !self.outgoing.is_empty() && !self.lost {
            let (first, _) = self.outgoing.as_slices();
            match self.stream.write(first) {
                Ok(written @ 1..) => drop(self.outgoing.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.lost = true,
            }
        }
    }

    /// The lines that have arrived whole, as requests or as what is to be refused. No line ends the connection.
    pub(crate) fn requests(&mut self) -> Vec<Result<Request, Unknown>> {
        let mut requests = Vec::new();
        let mut chunk = [0; 16 << 10];
        let mut total = 0;
        while total < TURN_BYTES {
            match self.stream.read(&mut chunk) {
                Ok(length @ 1..) => {
                    total += length;
                    self.take(&chunk[..length], &mut requests);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    self.lost = true;
                    break;
                }
            }
        }
        requests
    }

    fn take(&mut self, chunk: &[u8], requests: &mut Vec<Result<Request, Unknown>>) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = part.ends_with(b"\n");
            if !self.skipping {
                self.incoming.extend_from_slice(part);
                if self.incoming.len() > LINE_LIMIT {
                    self.incoming.clear();
                    self.skipping = true;
                    let reason = format!("a line may have {LINE_LIMIT} bytes");
                    requests.push(Err(Unknown { id: None, reason }));
                } else if is_whole {
                    let line = std::mem::take(&mut self.incoming);
                    requests.extend(parse(line.trim_ascii()));
                }
            }
            self.skipping &= !is_whole;
        }
    }
}

/// `None` for an empty line.
fn parse(line: &[u8]) -> Option<Result<Request, Unknown>> {
    #[derive(Deserialize)]
    struct Numbered {
        id: Option<u64>,
    }
    if line.is_empty() {
        return None;
    }
    Some(serde_json::from_slice(line).map_err(|error| Unknown {
        id: serde_json::from_slice(line).ok().and_then(|Numbered { id }| id),
        reason: format!("this shim (version {}) does not know it: {error}", env!("CARGO_PKG_VERSION")),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ToShim;

    fn heard(chunks: &[&[u8]]) -> Vec<Result<Request, Option<u64>>> {
        let (server, mut here) = UnixStream::pair().unwrap();
        let mut client = Client::new(server).unwrap();
        let mut requests = Vec::new();
        for chunk in chunks {
            let mut rest = *chunk;
            // the other end reads in turns: the pair's buffer is smaller than a long line
            here.set_nonblocking(true).unwrap();
            while !rest.is_empty() {
                match here.write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
                }
                requests.extend(client.requests());
            }
        }
        assert!(!client.is_lost());
        assert!(client.incoming.len() <= LINE_LIMIT);
        // not only dropped: a child that another test is just forking holds a copy for a moment
        here.shutdown(std::net::Shutdown::Both).unwrap();
        requests.extend(client.requests());
        assert!(client.is_lost());
        requests.into_iter().map(|request| request.map_err(|unknown| unknown.id)).collect()
    }

    #[test]
    fn requests_are_heard_with_and_without_a_number_however_they_are_cut() {
        let arm = |id| Ok(Request { id, what: ToShim::Arm });
        assert_eq!(
            heard(&[b"{\"type\":\"arm\"}\n\n{\"id\":7,\"ty", b"pe\":\"arm\"}\n{\"type\":\"arm\""]),
            [arm(None), arm(Some(7))]
        );
    }

    #[test]
    fn what_is_unknown_is_refused_and_the_next_request_is_heard() {
        let long = vec![b'x'; 3 * LINE_LIMIT];
        let arm = Ok(Request { id: None, what: ToShim::Arm });
        let cases: [(&[&[u8]], _); 4] = [
            (&[b"{\"id\":9,\"type\":\"dance\"}\n{\"type\":\"arm\"}\n"], vec![Err(Some(9)), arm.clone()]),
            (&[b"\0\xff\n{\"type\":\"arm\"}\n"], vec![Err(None), arm.clone()]),
            (&[b"{\"type\":\"signal\"}\n{\"type\":\"arm\"}\n"], vec![Err(None), arm.clone()]),
            (&[&long, b"\n{\"type\":\"arm\"}\n"], vec![Err(None), arm]),
        ];
        for (chunks, expected) in cases {
            assert_eq!(heard(chunks), expected);
        }
    }
}
