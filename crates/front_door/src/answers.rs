//! The answers that the front door gives itself: small, and silent about what stands behind it.

use hyper::body::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};

use crate::body::AnswerBody;

/// What a client is asked to wait where no worker took its request: a restart's usual length.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("5");

/// The answer for `status`, with the status as its text.
pub(crate) fn answer(status: StatusCode, method: &Method) -> Response<AnswerBody> {
    let text = match status {
        StatusCode::BAD_GATEWAY => "502 Bad Gateway\nThe app stopped before it had answered.\n",
        StatusCode::SERVICE_UNAVAILABLE => {
            "503 Service Unavailable\nThe app is not taking requests right now.\n"
        }
        StatusCode::NOT_IMPLEMENTED => "501 Not Implemented\n",
        _ => "400 Bad Request\n",
    };
    let body = if method == Method::HEAD { Bytes::new() } else { Bytes::from_static(text.as_bytes()) };
    let mut response = Response::new(AnswerBody::text(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, RETRY_AFTER_S);
    }
    response
}
