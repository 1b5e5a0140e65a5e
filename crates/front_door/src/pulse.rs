//! Whether a client still does its part. A timer per request would cost more than all other bookkeeping, so each connection
//! only notes where it stands, and its thread looks at all of them once a second.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::settings::Limits;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const SERVED: u8 = 2;

/// Where a connection stands, noted by its thread alone. (Atomics because hyper wants sockets that could change threads.)
pub(crate) struct Pulse {
    phase: AtomicU8,
    /// The client does not take the answer as fast as it comes.
    write_stalled: AtomicBool,
    /// The worker wants more of the body than the client has sent.
    body_stalled: AtomicBool,
    /// Looks since the last change.
    looks: AtomicU32,
    /// The thread's turn in which it became idle; a connection that is idle for longer has a lower one.
    idle_since: AtomicU64,
}

impl Pulse {
    /// A new connection, which is idle from this turn on.
    pub(crate) fn new(turn: u64) -> Self {
        Self {
            phase: AtomicU8::new(IDLE),
            write_stalled: AtomicBool::new(false),
            body_stalled: AtomicBool::new(false),
            looks: AtomicU32::new(0),
            idle_since: AtomicU64::new(turn),
        }
    }

    /// No request is under way from this turn on.
    pub(crate) fn idle(&self, turn: u64) {
        self.enter(IDLE);
        self.idle_since.store(turn, Relaxed);
    }

    /// Since which turn no request is under way.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        (self.phase.load(Relaxed) == IDLE).then(|| self.idle_since.load(Relaxed))
    }

    /// For how many seconds no request has been under way.
    pub(crate) fn idle_s(&self) -> Option<u32> {
        (self.phase.load(Relaxed) == IDLE).then(|| self.looks.load(Relaxed))
    }

    /// A request's head is complete; the front door and the worker are at it.
    pub(crate) fn served(&self) {
        self.enter(SERVED);
    }

    /// Whether the request's body keeps the worker waiting.
    pub(crate) fn body_waits(&self, waits: bool) {
        self.stall(&self.body_stalled, waits);
    }

    /// Another second went by: whether the client has used up what it may take.
    pub(crate) fn looked_at(&self, limits: &Limits) -> bool {
        let looks = self.looks.load(Relaxed) + 1;
        self.looks.store(looks, Relaxed);
        let limit = match self.phase.load(Relaxed) {
            IDLE => limits.idle,
            HEAD => limits.header_read,
            _ if self.write_stalled.load(Relaxed) || self.body_stalled.load(Relaxed) => limits.stall,
            _ => return false,
        };
        u64::from(looks) > limit.as_secs().max(1)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Relaxed);
        self.body_stalled.store(false, Relaxed);
        self.looks.store(0, Relaxed);
    }

    fn stall(&self, flag: &AtomicBool, stalled: bool) {
        if flag.load(Relaxed) != stalled {
            flag.store(stalled, Relaxed);
            self.looks.store(0, Relaxed);
        }
    }

    fn bytes_came(&self) {
        if self.phase.load(Relaxed) == IDLE {
            self.enter(HEAD);
        }
    }
}

/// A client's socket that notes its progress.
pub(crate) struct ClientIo {
    socket: TokioIo<TcpStream>,
    pulse: Arc<Pulse>,
}

impl ClientIo {
    pub(crate) fn new(socket: TcpStream, pulse: Arc<Pulse>) -> Self {
        Self { socket: TokioIo::new(socket), pulse }
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.socket.into_inner()
    }

    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.pulse.stall(&self.pulse.write_stalled, written.is_pending());
        written
    }
}

impl Read for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_ready() {
            self.pulse.bytes_came();
        }
        read
    }
}

impl Write for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn looks_until_cut(pulse: &Pulse) -> Option<u32> {
        let limits = Limits {
            idle: Duration::from_secs(7),
            header_read: Duration::from_secs(3),
            stall: Duration::from_secs(5),
            ..Limits::default()
        };
        (1..100).find(|_| pulse.looked_at(&limits))
    }

    #[test]
    fn each_phase_has_its_limit_and_a_worker_has_none() {
        let pulse = Pulse::new(0);
        assert_eq!(looks_until_cut(&pulse), Some(8));
        pulse.bytes_came();
        assert_eq!(looks_until_cut(&pulse), Some(4));
        pulse.served();
        assert_eq!(looks_until_cut(&pulse), None);
        pulse.body_waits(true);
        assert_eq!(looks_until_cut(&pulse), Some(6));
        pulse.body_waits(false);
        assert_eq!(looks_until_cut(&pulse), None);
        assert_eq!(pulse.idle_since(), None);
        pulse.idle(7);
        assert_eq!(pulse.idle_since(), Some(7));
        assert_eq!(looks_until_cut(&pulse), Some(8));
    }

    #[test]
    fn a_head_that_drips_is_not_given_more_time() {
        let pulse = Pulse::new(0);
        let limits = Limits { header_read: Duration::from_secs(3), ..Limits::default() };
        let cut = (1..100).find(|_| {
            pulse.bytes_came();
            pulse.looked_at(&limits)
        });
        assert_eq!(cut, Some(4));
    }
}
