//! Connections to workers. They have no tasks of their own: whoever waits for an answer drives the connection that it comes
//! over, so that a request stays within one task from the client's bytes to the worker's and back.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::request_body::RequestBody;
use super::worker_socket::{WorkerSocket, look_ahead};
use crate::accounting::connections::ToWorker;
use crate::accounting::worker::Worker;
use crate::exchange::fault::Fault;
use crate::exchange::flight::Flight;
use crate::exchange::upstream::Upstream;

/// The most that is read ahead of a slow client, and the largest head of an answer.
const BUFFER_LIMIT: usize = 128 * 1024;

/// An open connection to a worker.
pub(crate) struct WorkerConnection {
    pub(crate) worker: Arc<Worker>,
    sender: http1::SendRequest<RequestBody>,
    /// `None` once it has ended with a request unanswered.
    connection: Option<http1::Connection<TokioIo<WorkerSocket>, RequestBody>>,
    ended: bool,
    /// It takes no further request.
    spent: bool,
    /// The socket, which hyper uses.
    socket: Rc<RefCell<TcpStream>>,
    /// What its requests know of it.
    upstream: Rc<Upstream>,
    /// How often its answer was waited for that the kernel has and the runtime has not told of.
    waits: u8,
    pub(crate) idle_s: u8,
    /// Its number in the order in which connections became idle.
    pub(crate) idle_since: u64,
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
    /// Speaks HTTP to `worker` over a connection that was opened to it.
    pub(crate) async fn start(
        stream: TcpStream,
        counted: ToWorker,
        worker: Arc<Worker>,
        now: Duration,
    ) -> io::Result<Box<Self>> {
        stream.set_nodelay(true)?;
        let port = stream.local_addr()?.port();
        let socket = Rc::new(RefCell::new(stream));
        let looked_at = Rc::clone(&socket);
        let upstream = Rc::new(Upstream::new(port, now, move || look_ahead(&looked_at.borrow())));
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_LIMIT)
            .max_header_size(BUFFER_LIMIT)
            .handshake(TokioIo::new(WorkerSocket::new(
                Rc::clone(&socket),
                Arc::clone(&worker),
                Rc::clone(&upstream),
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
            upstream,
            waits: 0,
            idle_s: 0,
            idle_since: 0,
        }))
    }

    /// Sends a request and waits for the answer's head.
    pub(crate) async fn send(mut self: Box<Self>, request: Request<RequestBody>, flight: &Flight) -> Sent {
        flight.sent(&self.upstream);
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut unheard = Context::from_waker(Waker::noop());
        let answer = std::future::poll_fn(|cx| {
            // first what the kernel holds already: a worker that is gone may have answered before
            self.drive(cx);
            match answer.as_mut().poll(&mut unheard) {
                Poll::Pending if flight.client.is_interrupted() => {
                    if self.waits_for_bytes(cx) {
                        Poll::Pending
                    } else {
                        Poll::Ready(None)
                    }
                }
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

    /// This side's port.
    pub(crate) fn port(&self) -> u16 {
        self.upstream.port
    }

    /// Of a worker that is gone: whether the kernel has more that it said, which will be read next. The runtime tells of it
    /// between two rounds of its tasks, so it is asked for more only so often.
    pub(crate) fn waits_for_bytes(&mut self, cx: &Context<'_>) -> bool {
        let waits = self.waits < u8::MAX && self.upstream.has_bytes();
        if waits {
            self.waits += 1;
            cx.waker().wake_by_ref();
        }
        waits
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
            if self.ended || flight.client.is_interrupted() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.connection.take().filter(|_| self.ended)?.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    /// Nothing has come over the idle connection, not even its end. The kernel is asked only where the runtime has seen
    /// something happen to the socket: it looks at all sockets together, so what came before a client's request is known with
    /// that.
    pub(crate) fn is_quiet(&self) -> bool {
        let socket = self.socket.borrow();
        let peek = || SockRef::from(&*socket).peek(&mut [MaybeUninit::uninit()]);
        socket.try_io(Interest::READABLE, peek).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// It can take another request.
    pub(crate) fn can_be_kept(&mut self) -> bool {
        if !self.is_ready() {
            self.drive(&mut Context::from_waker(Waker::noop()));
        }
        self.is_ready()
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
