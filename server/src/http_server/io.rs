//! A client's socket, and the bodies that go over it: each notes its progress.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::Body as AnyBody;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::progress::Progress;
use super::refusal;

/// A client's socket.
pub(super) struct ClientIo<S> {
    socket: TokioIo<S>,
    progress: Arc<Progress>,
    /// What goes out in place of hyper's own refusal.
    refusal: Bytes,
}

impl<S> ClientIo<S> {
    pub(super) fn new(socket: S, progress: Arc<Progress>) -> Self {
        Self { socket: TokioIo::new(socket), progress, refusal: Bytes::new() }
    }

    pub(super) fn into_socket(self) -> S {
        self.socket.into_inner()
    }

    /// Whether this is hyper's word instead of an answer; it is taken off its hands.
    fn is_replaced(&mut self, bytes: &[u8]) -> bool {
        let refusal = self.progress.is_unasked().then(|| refusal::in_words(bytes)).flatten();
        let is_one = refusal.is_some();
        if let Some(refusal) = refusal {
            self.refusal = refusal.into();
        }
        is_one
    }

    fn noted<T>(&self, written: Poll<T>) -> Poll<T> {
        self.progress.sent(written.is_pending());
        written
    }
}

impl<S: AsyncRead + Unpin> Read for ClientIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buffer));
        self.progress.received();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> ClientIo<S> {
    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.refusal.is_empty() {
            let written = Pin::new(&mut self.socket).poll_write(cx, &self.refusal);
            match ready!(self.noted(written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => drop(self.refusal.split_to(length)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Write for ClientIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_replaced(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = parts
            && self.is_replaced(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_refusal(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// What a request brings.
pub(super) struct RequestBody {
    body: Incoming,
    progress: Arc<Progress>,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, progress: Arc<Progress>) -> Self {
        progress.asked(!body.is_end_stream());
        Self { body, progress }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.progress.body_read();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.progress.body_read();
    }
}

/// What it is answered.
pub(super) struct AnswerBody {
    body: AnyBody,
    progress: Arc<Progress>,
}

impl AnswerBody {
    pub(super) fn new(body: AnyBody, progress: Arc<Progress>) -> Self {
        Self { body, progress }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.progress.answered();
    }
}
