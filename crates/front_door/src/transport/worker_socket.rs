//! A socket to a worker that remembers whether the worker said anything, and whether it was the one that broke off: hyper and
//! tokio's copying keep both to themselves. It can be looked at while hyper has it, by whoever shares it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::accounting::affected_requests::ConnectionEnd;
use crate::accounting::connections::ToWorker;
use crate::accounting::worker::Worker;
use crate::exchange::upstream::{Ahead, Upstream};

/// A worker's socket.
pub(crate) struct WorkerSocket {
    stream: Rc<RefCell<TcpStream>>,
    worker: Arc<Worker>,
    upstream: Rc<Upstream>,
    broke: bool,
    _counted: ToWorker,
}

impl WorkerSocket {
    /// `upstream` is told what goes over it, and how it ends.
    pub(crate) fn new(
        stream: Rc<RefCell<TcpStream>>,
        worker: Arc<Worker>,
        upstream: Rc<Upstream>,
        counted: ToWorker,
    ) -> Self {
        Self { stream, worker, upstream, broke: false, _counted: counted }
    }

    /// Whether reading or writing has failed.
    pub(crate) fn broke(&self) -> bool {
        self.broke
    }

    fn noted<T>(&mut self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &polled {
            self.broke = true;
            self.upstream.note_end(end_by(error));
        }
        polled
    }

    fn noted_written(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.upstream.note_written(*bytes);
        }
        self.noted(polled)
    }
}

/// What has come that nobody has read yet. Asked past the runtime.
pub(crate) fn look_ahead(stream: &TcpStream) -> Ahead {
    match SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]) {
        Ok(0) => Ahead::End(end_by_closing(stream)),
        Ok(_) => Ahead::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ahead::Nothing,
        Err(error) => Ahead::End(end_by(&error)),
    }
}

fn end_by(error: &io::Error) -> ConnectionEnd {
    // the second is what a reset is called that answers what was sent into a closed connection
    if error.kind() == io::ErrorKind::BrokenPipe { ConnectionEnd::Stale } else { ConnectionEnd::Reset }
}

/// The worker's side has closed it. A reset that came after that, to what was sent then, shows as an error of the socket alone.
fn end_by_closing(stream: &TcpStream) -> ConnectionEnd {
    match stream.take_error() {
        Ok(Some(error)) => end_by(&error),
        _ => ConnectionEnd::Closed,
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
            self.upstream.note_heard();
            self.worker.health.note_byte();
        } else if matches!(read, Poll::Ready(Ok(()))) && buffer.remaining() > 0 {
            let end = end_by_closing(&self.stream.borrow());
            self.upstream.note_end(end);
        }
        self.noted(read)
    }
}

impl AsyncWrite for WorkerSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes);
        self.noted_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, parts);
        self.noted_written(written)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// By the kernel this runs on: what a connection says of whether its request was read.
    #[tokio::test]
    async fn how_a_connection_ended_tells_whether_its_request_was_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for (closes_before, reads, expected) in [
            (true, 0, ConnectionEnd::Stale),
            (false, 7, ConnectionEnd::Closed),
            (false, 0, ConnectionEnd::Reset),
            (false, 3, ConnectionEnd::Reset),
        ] {
            let mut client = TcpStream::connect(address).await.unwrap();
            let (worker, _) = listener.accept().await.unwrap();
            let mut worker = Some(worker);
            assert_eq!(look_ahead(&client), Ahead::Nothing);
            worker.take_if(|_| closes_before);
            client.write_all(b"request").await.unwrap();
            if let Some(worker) = &mut worker {
                worker.read_exact(&mut vec![0; reads]).await.unwrap();
            }
            drop(worker);
            let end = loop {
                match look_ahead(&client) {
                    Ahead::End(end) => break end,
                    _ => tokio::task::yield_now().await,
                }
            };
            assert_eq!(end, expected, "closed before: {closes_before}, read: {reads}");
        }
    }
}
