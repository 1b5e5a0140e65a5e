//! A connection to a worker as the request over it sees it: whether anything came back, and how it ended where nothing did. That
//! tells whether a process that died had read the request:
//!
//! | the connection | the request |
//! |---|---|
//! | [`Closed`](ConnectionEnd::Closed) with nothing left to read | was read, and may be the reason |
//! | [`Reset`](ConnectionEnd::Reset), since something was left | was not read to its end |
//! | [`Stale`](ConnectionEnd::Stale): closed before anything was sent | was not read at all |
//!
//! The kernel says so within the death, before anybody knows of it.

use std::cell::Cell;
use std::time::Duration;

use crate::accounting::affected_requests::ConnectionEnd;

/// What the kernel has of a connection that the runtime has not told of yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    Nothing,
    /// Bytes of an answer.
    Bytes,
    End(ConnectionEnd),
}

/// The connection.
pub(crate) struct Upstream {
    /// The front door's own port, by which the worker's side knows it.
    pub(crate) port: u16,
    /// When it was opened.
    pub(crate) opened: Duration,
    heard: Cell<bool>,
    /// An earlier request was answered over it.
    is_used: Cell<bool>,
    /// Bytes of the requests before the latest.
    before: Cell<u64>,
    /// Bytes of the latest request, and in how many pieces.
    written: Cell<u64>,
    pieces: Cell<u32>,
    end: Cell<Option<ConnectionEnd>>,
    asked_back: Cell<bool>,
    /// Asks the kernel.
    look: Box<dyn Fn() -> Ahead>,
}

impl Upstream {
    pub(crate) fn new(port: u16, opened: Duration, look: impl Fn() -> Ahead + 'static) -> Self {
        Self {
            port,
            opened,
            heard: Cell::new(false),
            is_used: Cell::new(false),
            before: Cell::new(0),
            written: Cell::new(0),
            pieces: Cell::new(0),
            end: Cell::new(None),
            asked_back: Cell::new(false),
            look: Box::new(look),
        }
    }

    /// Another request is sent.
    pub(crate) fn begin_request(&self) {
        if self.heard.replace(false) {
            self.is_used.set(true);
            self.asked_back.set(false);
        }
        self.before.set(self.before.get().saturating_add(self.written.replace(0)));
        self.pieces.set(0);
    }

    /// Whether a byte has come since the latest request was sent.
    pub(crate) fn heard(&self) -> bool {
        self.heard.get()
    }

    pub(crate) fn note_heard(&self) {
        self.heard.set(true);
    }

    pub(crate) fn note_written(&self, bytes: usize) {
        self.written.set(self.written.get().saturating_add(bytes as u64));
        self.pieces.set(self.pieces.get().saturating_add(1));
    }

    /// How much the kernel has taken of the requests before the latest.
    pub(crate) fn written_before(&self) -> u64 {
        self.before.get()
    }

    /// How much of the latest request the kernel has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.get()
    }

    pub(crate) fn note_end(&self, end: ConnectionEnd) {
        // what came after the first piece may have been too late, and that one not
        let is_whole = self.pieces.get() <= 1;
        let end = if end == ConnectionEnd::Stale && !is_whole { ConnectionEnd::Reset } else { end };
        if self.end.get().is_none() {
            self.end.set(Some(end));
        }
    }

    /// How it ended; `None` while it is open.
    pub(crate) fn end(&self) -> Option<ConnectionEnd> {
        if self.end.get().is_none() {
            self.look();
        }
        self.end.get()
    }

    /// It is open, and nothing has ever come.
    pub(crate) fn is_silent(&self) -> bool {
        let is_new = !self.heard() && !self.is_used.get() && self.end.get().is_none();
        is_new && self.look() == Ahead::Nothing
    }

    /// It is being asked whether its request can be taken back. That the connection is closed says nothing until that is known.
    pub(crate) fn set_asked_back(&self, asked: bool) {
        self.asked_back.set(asked);
    }

    pub(crate) fn is_asked_back(&self) -> bool {
        self.asked_back.get()
    }

    /// Bytes have come that nobody has read yet.
    pub(crate) fn has_bytes(&self) -> bool {
        self.look() == Ahead::Bytes
    }

    fn look(&self) -> Ahead {
        let ahead = (self.look)();
        if let Ahead::End(end) = ahead {
            self.note_end(end);
        }
        ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_several_pieces_may_have_been_read_in_part_before_the_end() {
        for (pieces, expected) in [(1, ConnectionEnd::Stale), (2, ConnectionEnd::Reset)] {
            let upstream = Upstream::new(1, Duration::ZERO, || Ahead::End(ConnectionEnd::Stale));
            upstream.note_written(7);
            upstream.begin_request();
            (0..pieces).for_each(|_| upstream.note_written(10));
            let written = (upstream.written_before(), upstream.written());
            assert_eq!((upstream.end(), written), (Some(expected), (7, 10 * pieces)));
        }
    }

    #[test]
    fn the_first_word_of_the_end_counts() {
        let upstream = Upstream::new(1, Duration::ZERO, || Ahead::End(ConnectionEnd::Closed));
        upstream.note_end(ConnectionEnd::Reset);
        assert_eq!(upstream.end(), Some(ConnectionEnd::Reset), "the kernel tells it once");
        assert_eq!(Upstream::new(1, Duration::ZERO, || Ahead::Nothing).end(), None);
    }
}
