//! Bodies on their way through: a chunk is taken from one side when the other has room for it, so no body is ever held whole.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::client::Client;
use crate::flight::Flight;
use crate::headers;
use crate::worker_connection::WorkerConnection;

/// A request's body on its way to a worker: nothing where the request has none.
pub(crate) struct RequestBody(Option<(Incoming, Rc<Client>)>);

impl RequestBody {
    pub(crate) fn new(inner: Incoming, client: &Rc<Client>) -> Self {
        client.unread.set(!inner.is_end_stream());
        Self((!inner.is_end_stream()).then(|| (inner, Rc::clone(client))))
    }

    /// The same again: only nothing can be sent twice, since no body is kept.
    pub(crate) fn copy(&self) -> Option<Self> {
        self.0.is_none().then_some(Self(None))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some((inner, client)) = &mut self.0 else { return Poll::Ready(None) };
        let frame = Pin::new(&mut *inner).poll_frame(cx);
        client.pulse.body_waits(frame.is_pending());
        if matches!(frame, Poll::Ready(None)) || inner.is_end_stream() {
            client.unread.set(false);
        }
        frame.map_ok(without_ours)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}

fn without_ours(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        headers::clean_trailers(trailers);
    }
    frame
}

/// Why an answer ends before its end; hyper then cuts the client's connection, so that it sees the answer is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the worker ended before its answer did")]
pub(crate) struct Truncated;

/// An answer's body on its way to the client.
pub(crate) enum AnswerBody {
    /// The front door's own.
    Text(Bytes),
    /// A worker's. It drives the worker's connection, which has no task of its own.
    Worker { incoming: Incoming, held: Option<(Box<WorkerConnection>, Flight)> },
}

impl AnswerBody {
    pub(crate) fn text(text: Bytes) -> Self {
        Self::Text(text)
    }

    /// The body of a worker's answer whose head has come over `connection`.
    pub(crate) fn of_worker(incoming: Incoming, connection: Box<WorkerConnection>, flight: Flight) -> Self {
        let mut body = Self::Worker { incoming, held: Some((connection, flight)) };
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// The answer is whole: the worker is free again and its connection can be used for the next request.
    fn finish(&mut self) {
        if let Self::Worker { held, .. } = self
            && let Some((connection, flight)) = held.take()
        {
            flight.finished();
            flight.thread.pool.put_back(connection, flight.thread.serving.turn());
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Truncated;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Truncated>>> {
        let frame = match &mut *self {
            Self::Text(text) if text.is_empty() => return Poll::Ready(None),
            Self::Text(text) => return Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Self::Worker { held: None, .. } => return Poll::Ready(None),
            Self::Worker { incoming, held: Some((connection, flight)) } => {
                match poll_incoming(incoming, connection, cx) {
                    Poll::Ready(None) => None,
                    Poll::Ready(Some(Ok(frame))) => Some(Ok(without_ours(frame))),
                    Poll::Ready(Some(Err(_))) => {
                        flight.broke();
                        Some(Err(Truncated))
                    }
                    // whatever it sent before it died has been passed on
                    Poll::Pending if flight.client.is_lost() => Some(Err(Truncated)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        };
        match &frame {
            Some(Err(Truncated)) => {
                if let Self::Worker { held, .. } = &mut *self {
                    *held = None;
                }
            }
            Some(Ok(_)) if !self.is_end_stream() => {}
            _ => self.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Worker { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.len() as u64),
            Self::Worker { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// Only driving the connection brings frames, so nobody needs to be woken by the frames themselves.
fn poll_incoming(
    incoming: &mut Incoming,
    connection: &mut WorkerConnection,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
    let mut unheard = Context::from_waker(Waker::noop());
    if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(&mut unheard) {
        return Poll::Ready(frame);
    }
    connection.drive(cx);
    Pin::new(incoming).poll_frame(&mut unheard)
}
