//! The connection to the server: whole lines in, whole lines out, and never waiting for it.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use crate::protocol::{FromShim, LINE_LIMIT, ToShim};

/// What a client that does not read is owed at most, in bytes; then it is dropped. It gets everything again when it connects.
const OWED_LIMIT_BYTES: usize = 4 * LINE_LIMIT;

/// One connected client.
pub(crate) struct Client {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    lost: bool,
}

impl Client {
    /// Takes over an accepted connection.
    pub(crate) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: Vec::new(), outgoing: VecDeque::new(), lost: false })
    }

    /// The connection.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Is there something that it has not taken yet?
    pub(crate) fn is_owed(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// It is gone, or broke the rules.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Sends a message, as far as it is taken now; the rest later.
    pub(crate) fn send(&mut self, message: &FromShim) {
        match serde_json::to_vec(message) {
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

    /// The requests that have arrived whole. A line that is none ends the connection.
    pub(crate) fn requests(&mut self) -> Vec<ToShim> {
        let mut chunk = [0; 16 << 10];
        loop {
            match self.stream.read(&mut chunk) {
                Ok(length @ 1..) if self.incoming.len() + length <= LINE_LIMIT => {
                    self.incoming.extend_from_slice(&chunk[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => {
                    self.lost = true;
                    break;
                }
            }
        }
        let Some(end) = self.incoming.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let lines: Vec<u8> = self.incoming.drain(..=end).collect();
        let requests: Result<Vec<ToShim>, _> = lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect();
        requests.unwrap_or_else(|_| {
            self.lost = true;
            Vec::new()
        })
    }
}
