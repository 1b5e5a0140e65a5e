//! Whether a request whose connection broke before an answer byte may be sent a second time.
//!
//! ```text
//!                         ┌─ the worker died ── it was the only request ──────────────▶ 502: it is the suspect
//!                         │                 ├── by itself, it was the newest ─────────▶ 502: it is the suspect
//!                         │                 ├── it was one of several ── in budget ───▶ another worker, or the replacement
//!  GET or HEAD, no body,  │                 └── after it was retired ─────────────────▶ 502: it was waited for long enough
//!  no answer byte, first ─┤
//!  try, connection broke  ├─ the worker lives ─ over a kept connection ── in budget ──▶ once more
//!                         │                  └─ over a new one ───────────────────────▶ 502: the app closed it
//!                         └─ neither is known within two seconds ─────────────────────▶ 502
//! ```
//! A worker's connections break a moment before anybody knows that it died, and they break one by one, so that none of its
//! requests can tell by itself whether it was alone. Therefore each of them waits for the decision that follows from what all
//! threads had ([`Worker::may_retry`]): a request that kills does not kill twice. It does so for as long as the worker's
//! death takes to become known, which is milliseconds.
//!
//! A worker that lives closed the connection on purpose, or one of its children died. A kept connection may have been closed
//! as unused in the moment that the request was written, which is no fault of the request; on a new one only the request itself
//! can be the reason.

use std::sync::Arc;

use hyper::{Method, Request};

use super::flight::Flight;
use crate::accounting::affected_requests::DEATH_IS_KNOWN_WITHIN;
use crate::accounting::worker::Worker;

/// The request again, if a worker may be given it twice and `copy_body` can.
pub(crate) fn copy<B>(request: &Request<B>, copy_body: impl FnOnce(&B) -> Option<B>) -> Option<Request<B>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut copy = Request::new(copy_body(request.body())?);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether a request that `worker` took without an answer byte, over a new connection or a kept one, may be sent again.
/// `lives` ends when the worker has shown that it lives.
pub(crate) async fn decide(
    flight: &Flight,
    worker: &Arc<Worker>,
    new_connection: bool,
    lives: impl Future<Output = ()>,
) -> bool {
    let decided = async {
        tokio::select! {
            biased;
            again = worker.may_retry(flight.started()) => again,
            () = lives => !new_connection && flight.router().app.grant_retries(1) > 0,
        }
    };
    tokio::time::timeout(DEATH_IS_KNOWN_WITHIN, decided).await.unwrap_or(false)
}
