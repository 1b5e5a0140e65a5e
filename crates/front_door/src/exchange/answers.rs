//! The answers that the front door gives itself: small, true about what happened, and silent about what stands behind it.

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};

use super::fault::Fault;

/// What a client is asked to wait where no worker took its request: a restart's usual length.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// Why a request gets no answer of a worker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It makes no sense, or could be read in two ways.
    BadRequest,
    /// A method or a transfer coding that is not passed on.
    NotImplemented,
    /// No worker took it in time.
    Unavailable,
    /// The worker died.
    Stopped,
    /// The worker, which is not known to be dead, closed the connection.
    Closed,
    /// What the worker answered cannot be passed on.
    Unusable(Fault),
}

impl Refusal {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Stopped | Self::Closed | Self::Unusable(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::BadRequest => "400 Bad Request\n",
            Self::NotImplemented => "501 Not Implemented\n",
            Self::Unavailable => "503 Service Unavailable\nThe app is not taking requests right now.\n",
            Self::Stopped => "502 Bad Gateway\nThe app stopped before it answered.\n",
            Self::Closed => "502 Bad Gateway\nThe app closed the connection before it answered.\n",
            Self::Unusable(fault) => fault.answer(),
        }
    }
}

/// The answer that says so.
pub(crate) fn answer(refusal: Refusal, method: &Method) -> Response<Bytes> {
    let text = if method == Method::HEAD { "" } else { refusal.text() };
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if refusal == Refusal::Unavailable {
        headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    response
}
