//! Connections to workers. They have no tasks of their own: whoever waits for an answer drives the connection that it comes
//! over, so that a request stays within one task from the client's bytes to the worker's and back.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::accounting::worker::Worker;
use crate::body::RequestBody;
use crate::fault::Fault;
use crate::flight::Flight;
use crate::thread::Thread;
use crate::worker_socket::WorkerSocket;

/// Idle connections are closed after this many seconds: before Node.js, uvicorn and most other servers close theirs after 5,
/// so that a request seldom meets a connection that is being closed.
const IDLE_LIMIT_S: u8 = 4;

/// Idle connections that a thread keeps to one worker.
const IDLE_CONNECTIONS: usize = 1_024;

/// The most that is read ahead of a slow client, and the largest head of an answer.
const BUFFER_LIMIT: usize = 128 * 1024;

/// An open connection to a worker.
pub(crate) struct WorkerConnection {
    worker: Arc<Worker>,
    sender: http1::SendRequest<RequestBody>,
    /// `None` once it has ended with a request unanswered.
    connection: Option<http1::Connection<TokioIo<WorkerSocket>, RequestBody>>,
    ended: bool,
    /// It takes no further request.
    spent: bool,
    /// The socket, which hyper uses.
    socket: Rc<RefCell<TcpStream>>,
    /// Whether a byte has come since the latest request was sent.
    heard: Rc<Cell<bool>>,
    idle_s: u8,
    /// The thread's turn in which it became idle.
    idle_since: u64,
}

/// What became of a request that was to be sent.
pub(crate) enum Sent {
    /// The answer's head.
    Answered(Response<Incoming>, Box<WorkerConnection>),
    /// No byte of it was written: it may go elsewhere.
    Unsent(Request<RequestBody>),
    /// The connection broke when bytes may have been written.
    Broken,
    /// What came is no answer that could be passed on.
    Unusable(Fault),
    /// The worker is known to be dead.
    Lost,
    /// The client's body was malformed or broke off.
    BadBody,
}

impl WorkerConnection {
    /// Connects to `worker`.
    pub(crate) async fn open(thread: &Thread, worker: Arc<Worker>) -> io::Result<Box<Self>> {
        let (stream, counted) = thread.connect(&worker).await?;
        stream.set_nodelay(true)?;
        let socket = Rc::new(RefCell::new(stream));
        let heard = Rc::default();
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_LIMIT)
            .max_header_size(BUFFER_LIMIT)
            .handshake(TokioIo::new(WorkerSocket::new(
                Rc::clone(&socket),
                Arc::clone(&worker),
                Rc::clone(&heard),
                counted,
            )))
            .await
            .map_err(io::Error::other)?;
        let connection = Some(connection);
        Ok(Box::new(Self {
            worker,
            sender,
            connection,
            ended: false,
            spent: false,
            socket,
            heard,
            idle_s: 0,
            idle_since: 0,
        }))
    }

    /// Sends a request and waits for the answer's head.
    pub(crate) async fn send(mut self: Box<Self>, request: Request<RequestBody>, flight: &Flight) -> Sent {
        flight.sent(&self.heard);
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut unheard = Context::from_waker(Waker::noop());
        let answer = std::future::poll_fn(|cx| {
            // first what the kernel holds already: a worker that is gone may have answered before
            self.drive(cx);
            match answer.as_mut().poll(&mut unheard) {
                Poll::Pending if flight.client.is_lost() => Poll::Ready(None),
                Poll::Pending if self.ended => {
                    // dropped, it gives back what it was not able to send
                    self.connection = None;
                    answer.as_mut().poll(&mut unheard).map(Some)
                }
                polled => polled.map(Some),
            }
        })
        .await;
        match answer {
            None => Sent::Lost,
            Some(Ok(response)) => Sent::Answered(response, self),
            Some(Err(mut error)) => match error.take_message() {
                Some(request) => Sent::Unsent(request),
                None => refusal(&error.into_error()),
            },
        }
    }

    /// Takes no further request once this one's answer is through.
    pub(crate) fn spend(&mut self) {
        self.spent = true;
    }

    /// Moves bytes both ways as far as they go.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.ended
            && let Some(connection) = &mut self.connection
        {
            // an error reaches whoever waits for the answer or its body
            self.ended = connection.poll_without_shutdown(cx).is_ready();
        }
    }

    /// Waits until the worker's answer 101 is all that HTTP has to say, and gives the socket with what was read beyond it.
    pub(crate) async fn into_socket(mut self: Box<Self>, flight: &Flight) -> Option<(WorkerSocket, Bytes)> {
        std::future::poll_fn(|cx| {
            self.drive(cx);
            if self.ended || flight.client.is_lost() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.connection.take().filter(|_| self.ended)?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Nothing has come over the idle connection, not even its end. Asks the kernel, since the runtime's last look at the
    /// socket may lie many requests back.
    fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        let peeked = SockRef::from(&*self.socket.borrow()).peek(&mut byte);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    fn is_ready(&mut self) -> bool {
        !self.ended && !self.spent && self.connection.is_some() && self.sender.is_ready()
    }
}

fn refusal(error: &hyper::Error) -> Sent {
    if error.is_user() {
        Sent::BadBody
    } else if error.is_parse_too_large() {
        Sent::Unusable(Fault::TooLarge)
    } else if error.is_parse() {
        Sent::Unusable(Fault::NotHttp)
    } else {
        Sent::Broken
    }
}

/// One thread's idle connections, by worker. Few workers: a list is searched faster than a map.
#[derive(Default)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Kept>>,
}

struct Kept {
    worker: Arc<Worker>,
    #[expect(clippy::vec_box, reason = "a connection is large and is handed on with each request")]
    connections: Vec<Box<WorkerConnection>>,
}

impl Pool {
    /// An idle connection to `worker` that is still open, the latest used first.
    pub(crate) fn take(&self, worker: &Arc<Worker>) -> Option<Box<WorkerConnection>> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.iter_mut().find(|kept| Arc::ptr_eq(&kept.worker, worker))?;
        while let Some(connection) = kept.connections.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer has ended in this turn, if it can take another request.
    pub(crate) fn put_back(&self, mut connection: Box<WorkerConnection>, turn: u64) {
        if !connection.is_ready() {
            connection.drive(&mut Context::from_waker(Waker::noop()));
            if !connection.is_ready() {
                return;
            }
        }
        (connection.idle_s, connection.idle_since) = (0, turn);
        let mut idle = self.idle.borrow_mut();
        match idle.iter_mut().find(|kept| Arc::ptr_eq(&kept.worker, &connection.worker)) {
            Some(kept) if kept.connections.len() >= IDLE_CONNECTIONS => {}
            Some(kept) => kept.connections.push(connection),
            None => idle.push(Kept { worker: Arc::clone(&connection.worker), connections: vec![connection] }),
        }
    }

    /// Since which turn the longest idle connection has been idle.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let idle = self.idle.borrow();
        let oldest = |kept: &Kept| kept.connections.first().map(|connection| connection.idle_since);
        idle.iter().filter_map(oldest).min()
    }

    /// Closes the connection that has been idle since then.
    pub(crate) fn close(&self, idle_since: u64) {
        for kept in self.idle.borrow_mut().iter_mut() {
            if kept.connections.first().is_some_and(|connection| connection.idle_since == idle_since) {
                kept.connections.remove(0);
            }
        }
    }

    /// Another second went by: closes what has been idle too long, has been closed by the worker, or leads to a worker that
    /// takes no more requests.
    pub(crate) fn age(&self, is_routed: impl Fn(&Arc<Worker>) -> bool) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|kept| is_routed(&kept.worker));
        for kept in idle.iter_mut() {
            kept.connections.retain_mut(|connection| {
                connection.idle_s = connection.idle_s.saturating_add(1);
                connection.idle_s <= IDLE_LIMIT_S && connection.is_quiet()
            });
        }
    }
}
