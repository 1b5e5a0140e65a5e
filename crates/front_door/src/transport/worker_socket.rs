//! A socket to a worker that remembers whether the worker said anything, and whether it was the one that broke off: hyper and
//! tokio's copying keep both to themselves. It can be looked at while hyper has it, by whoever shares it.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::accounting::connections::ToWorker;
use crate::accounting::worker::Worker;

/// A worker's socket.
pub(crate) struct WorkerSocket {
    stream: Rc<RefCell<TcpStream>>,
    worker: Arc<Worker>,
    heard: Rc<Cell<bool>>,
    broke: bool,
    _counted: ToWorker,
}

impl WorkerSocket {
    /// `heard` is set as soon as a byte has come.
    pub(crate) fn new(
        stream: Rc<RefCell<TcpStream>>,
        worker: Arc<Worker>,
        heard: Rc<Cell<bool>>,
        counted: ToWorker,
    ) -> Self {
        Self { stream, worker, heard, broke: false, _counted: counted }
    }

    /// Whether reading or writing has failed.
    pub(crate) fn broke(&self) -> bool {
        self.broke
    }

    fn noted<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = &polled {
            self.broke = true;
        }
        polled
    }
}

impl AsyncRead for WorkerSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut *self.stream.borrow_mut()).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard.set(true);
            self.worker.health.note_byte();
        }
        self.noted(read)
    }
}

impl AsyncWrite for WorkerSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes);
        self.noted(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, parts);
        self.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // a side that has gone already cannot be told that the other has
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }
}
