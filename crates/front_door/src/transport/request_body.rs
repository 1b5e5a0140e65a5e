//! A request's body on its way to a worker: a chunk is taken from the client when the worker has room for it, so no body is ever
//! held whole.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::exchange::client::Client;
use crate::exchange::headers;

/// The body; nothing where the request has none.
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
        client.timeouts.set_body_stalled(frame.is_pending());
        if matches!(frame, Poll::Ready(None)) || inner.is_end_stream() {
            client.unread.set(false);
        }
        frame.map_ok(headers::clean_frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|(inner, _)| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |(inner, _)| inner.size_hint())
    }
}
