//! A client's socket that notes its progress.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper::body::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::exchange::client_timeouts::ClientTimeouts;

/// The socket, as hyper uses it.
pub(crate) struct ClientSocket {
    socket: TokioIo<TcpStream>,
    /// What was read before, and is to be read again: a part of a head at most.
    read_before: Bytes,
    timeouts: Arc<ClientTimeouts>,
}

impl ClientSocket {
    pub(crate) fn new(socket: TcpStream, timeouts: Arc<ClientTimeouts>) -> Self {
        Self { socket: TokioIo::new(socket), read_before: Bytes::new(), timeouts }
    }

    /// This socket, of which `bytes` are to be read again.
    pub(crate) fn read_again(mut self, bytes: &[u8]) -> Self {
        debug_assert!(self.read_before.is_empty(), "hyper has read it, since more had come");
        // copied, since even an empty `Bytes` can keep the whole buffer
        self.read_before = Bytes::copy_from_slice(bytes);
        self
    }

    /// Waits until there is something new to read, or the end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // an error comes with the reading
        self.socket.inner().poll_read_ready(cx).map(|_| ())
    }

    /// Has something come that nobody has read? Asked past the runtime, which may not have heard of it.
    pub(crate) fn has_unread(&self) -> bool {
        let peeked = SockRef::from(self.socket.inner()).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_ok_and(|bytes| bytes > 0)
    }

    pub(crate) fn into_inner(self) -> TcpStream {
        self.socket.into_inner()
    }

    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.timeouts.set_write_stalled(written.is_pending());
        written
    }
}

impl Read for ClientSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.read_before.is_empty() {
            let again = self.read_before.len().min(buffer.remaining());
            buffer.put_slice(&self.read_before.split_to(again));
            self.timeouts.note_read();
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_ready() {
            self.timeouts.note_read();
        }
        read
    }
}

impl Write for ClientSocket {
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
