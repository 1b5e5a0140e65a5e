//! A request's body on its way to a worker: a chunk is taken from the client when the worker has room for it, so no body is ever
//! held whole, but for its beginning: as long as that is all there is, the request can be sent again.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use crate::exchange::client::Client;
use crate::exchange::headers;

/// The most that is held of a body. Ours: forms and API calls are shorter, and ten thousand of them take less than a GiB.
const HELD_BYTES: usize = 64 * 1024;

/// In how many chunks: each takes memory of its own.
const HELD_CHUNKS: usize = 256;

/// The body, or that of the same request sent again, which goes on where the first left off; nothing where the request has none.
pub(crate) struct RequestBody(Option<Sending>);

struct Sending {
    source: Rc<Source>,
    /// How many of the chunks that are held it has sent.
    sent: usize,
}

/// Where a body comes from.
struct Source {
    client: Rc<Client>,
    incoming: RefCell<Incoming>,
    held: RefCell<Held>,
}

/// What has come of it.
#[derive(Default)]
struct Held {
    chunks: Vec<Bytes>,
    bytes: usize,
    /// More came than is held.
    is_partial: bool,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, client: &Rc<Client>) -> Self {
        client.unread.set(!incoming.is_end_stream());
        if incoming.is_end_stream() {
            return Self(None);
        }
        let source =
            Source { client: Rc::clone(client), incoming: RefCell::new(incoming), held: RefCell::default() };
        Self(Some(Sending { source: Rc::new(source), sent: 0 }))
    }

    /// The same again, to be sent when the first is not any more, as long as it [is held](Self::is_held).
    pub(crate) fn copy(&self) -> Self {
        Self(self.0.as_ref().map(|sending| Sending { source: Rc::clone(&sending.source), sent: 0 }))
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// All that has come of it is there.
    pub(crate) fn is_held(&self) -> bool {
        self.0.as_ref().is_none_or(|sending| !sending.source.held.borrow().is_partial)
    }
}

impl Held {
    /// Trailers are not held.
    fn keep(&mut self, frame: &Frame<Bytes>) {
        match frame.data_ref() {
            Some(chunk)
                if !self.is_partial
                    && self.bytes + chunk.len() <= HELD_BYTES
                    && self.chunks.len() < HELD_CHUNKS =>
            {
                self.bytes += chunk.len();
                self.chunks.push(chunk.clone());
            }
            _ => {
                self.is_partial = true;
                self.chunks = Vec::new();
            }
        }
    }
}

impl Sending {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Source { client, incoming, held } = &*self.source;
        let mut held = held.borrow_mut();
        if let Some(chunk) = held.chunks.get(self.sent) {
            self.sent += 1;
            return Poll::Ready(Some(Ok(Frame::data(chunk.clone()))));
        }
        let mut incoming = incoming.borrow_mut();
        let frame = Pin::new(&mut *incoming).poll_frame(cx);
        client.timeouts.set_body_stalled(frame.is_pending());
        if matches!(frame, Poll::Ready(None)) || incoming.is_end_stream() {
            client.unread.set(false);
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            held.keep(frame);
            if held.is_partial {
                client.forbid_second_try();
            }
            self.sent = held.chunks.len();
        }
        frame.map_ok(headers::clean_frame)
    }

    /// How much of what is held is still to be sent.
    fn unsent(&self) -> u64 {
        let held = self.source.held.borrow();
        held.chunks.iter().skip(self.sent).map(|chunk| chunk.len() as u64).sum()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.0 {
            Some(sending) => sending.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|sending| sending.unsent() == 0 && sending.source.incoming.borrow().is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let Some(sending) = &self.0 else { return SizeHint::with_exact(0) };
        let (left, unsent) = (sending.source.incoming.borrow().size_hint(), sending.unsent());
        let mut hint = SizeHint::new();
        hint.set_lower(left.lower() + unsent);
        if let Some(upper) = left.upper() {
            hint.set_upper(upper + unsent);
        }
        hint
    }
}
