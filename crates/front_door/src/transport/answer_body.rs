//! An answer's body on its way to the client: a chunk is taken from the worker when the client has room for it, so no body is
//! ever held whole.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::app_thread::AppThread;
use super::worker_connection::WorkerConnection;
use crate::exchange::flight::Flight;
use crate::exchange::headers;

/// Why an answer ends before its end; hyper then cuts the client's connection, so that it sees the answer is not whole.
#[derive(Debug, thiserror::Error)]
#[error("the worker ended before its answer did")]
pub(crate) struct Truncated;

/// An answer's body.
pub(crate) enum AnswerBody {
    /// The front door's own.
    Text(Bytes),
    /// A worker's. It drives the worker's connection, which has no task of its own.
    Worker { incoming: Incoming, held: Option<Held> },
}

/// What an answer holds until it is whole.
pub(crate) struct Held {
    pub(crate) app: Rc<AppThread>,
    pub(crate) connection: Box<WorkerConnection>,
    pub(crate) flight: Flight,
}

impl AnswerBody {
    pub(crate) fn text(text: Bytes) -> Self {
        Self::Text(text)
    }

    /// The body of a worker's answer whose head has come over the connection that is held.
    pub(crate) fn of_worker(incoming: Incoming, held: Held) -> Self {
        let mut body = Self::Worker { incoming, held: Some(held) };
        if body.is_end_stream() {
            body.finish();
        }
        body
    }

    /// The answer is whole: the worker is free again and its connection can be used for the next request.
    fn finish(&mut self) {
        if let Self::Worker { held, .. } = self
            && let Some(Held { app, connection, flight }) = held.take()
        {
            flight.finished();
            app.connections.pool.put_back(connection, flight.router().idle_order.next());
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
            Self::Worker { incoming, held: Some(Held { connection, flight, .. }) } => {
                let polled = poll_incoming(incoming, connection, cx);
                if let Poll::Ready(Some(Err(_))) = &polled {
                    // what stalled when it broke was a request, and what went on a stream
                    flight.broke();
                } else {
                    flight.set_awaited(polled.is_pending());
                }
                match polled {
                    Poll::Ready(None) => None,
                    Poll::Ready(Some(Ok(frame))) => Some(Ok(headers::clean_frame(frame))),
                    Poll::Ready(Some(Err(_))) => Some(Err(Truncated)),
                    // whatever it sent before it died is passed on
                    Poll::Pending if flight.client.is_interrupted() && !connection.waits_for_bytes(cx) => {
                        Some(Err(Truncated))
                    }
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
