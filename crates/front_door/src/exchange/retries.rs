//! Whether a request whose connection broke before an answer byte may be sent a second time.
//!
//! ```text
//!                  ┌─ the worker died ── it was the only request ────────────────▶ 502: it is the suspect
//!                  │                 ├── by itself, it was the newest ───────────▶ 502: it is the suspect
//!                  │                 ├── it was one of several ──────────────────▶ another worker, or the replacement
//!  GET or HEAD,    │                 └── after it was retired ───────────────────▶ 502: it was waited for long enough
//!  no body,        │
//!  no answer byte, ├─ a process of it died ── that had read it, it was the newest ▶ 502: it is the suspect
//!  first try       │                      ├── that had read several ─────────────▶ another process
//!                  │                      └── that had not read it ──────────────▶ another process
//!                  │
//!                  ├─ nothing died ── it was not read to its end ────────────────▶ once more
//!                  │              ├── it was, over a kept connection ────────────▶ once more
//!                  │              └── it was, over a new one ────────────────────▶ 502: the app closed it
//!                  └─ nothing is known within two seconds ───────────────────────▶ 502
//!
//!  any other whose ┌─ the process that died had read none of it ─────────────────▶ another process
//!  body is held ───┤  (the debugger has seen its sockets)
//!                  ├─ the connection was closed before it came ──────────────────▶ once more
//!                  └─ else ──────────────────────────────────────────────────────▶ 502: it may have had an effect
//! ```
//! Each within the budget, and once.
//!
//! A worker's connections break a moment before anybody knows that it died, and they break one by one, so that none of its
//! requests can tell by itself whether it was alone. Therefore each of them waits for the decision that follows from what all
//! threads had ([`Decision`](crate::accounting::decision::Decision)): a request that kills does not kill twice. It does so for
//! as long as the death takes to become known, which is milliseconds.
//!
//! Where the worker lives, one of its processes may have died. How the connection ended tells whether something had read the
//! request ([`upstream`](super::upstream)). What was read, and whose connection was kept, may have met an app that closes what
//! is unused: so it waits for the word of a death, and only without one it is sent again.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request};

use super::client::{Fate, SecondTry};
use super::flight::Flight;
use crate::accounting::affected_requests::{ConnectionEnd, DEATH_IS_KNOWN_WITHIN};
use crate::accounting::worker::Worker;

/// How soon the death of a process is known whose worker lives. Ours: the shim knows within a millisecond, and what it says is
/// here after another; a machine that is busy takes longer.
const PROCESS_DEATH_IS_KNOWN_WITHIN: Duration = Duration::from_millis(500);

/// The request again, if `copy_body` can, and when it may be sent.
pub(crate) fn copy<B>(
    request: &Request<B>,
    copy_body: impl FnOnce(&B) -> B,
    has_body: impl FnOnce(&B) -> bool,
) -> (Request<B>, SecondTry) {
    let mut copy = Request::new(copy_body(request.body()));
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    let is_harmless = matches!(*request.method(), Method::GET | Method::HEAD) && !has_body(request.body());
    (copy, if is_harmless { SecondTry::IfInnocent } else { SecondTry::IfUnread })
}

/// Whether a request that `worker` took without an answer byte, over a new connection or a kept one, may be sent again.
/// `lives` ends when the worker has shown that it lives.
pub(crate) async fn decide(
    flight: &Flight,
    second_try: SecondTry,
    worker: &Arc<Worker>,
    new_connection: bool,
    lives: impl Future<Output = ()>,
) -> bool {
    let end = flight.connection_end();
    match second_try {
        SecondTry::Never => false,
        _ if end == Some(ConnectionEnd::Stale) && !flight.client.is_interrupted() => grant(flight),
        SecondTry::IfUnread if end == Some(ConnectionEnd::Closed) => false,
        SecondTry::IfUnread => {
            let told = tokio::time::timeout(PROCESS_DEATH_IS_KNOWN_WITHIN, flight.client.fate()).await;
            matches!(told, Ok(Some(Fate::Unread)))
        }
        SecondTry::IfInnocent => {
            let nothing_died = async {
                lives.await;
                if end == Some(ConnectionEnd::Closed) && !new_connection {
                    tokio::time::sleep(PROCESS_DEATH_IS_KNOWN_WITHIN).await;
                }
                (end == Some(ConnectionEnd::Reset) || !new_connection) && grant(flight)
            };
            let decided = async {
                tokio::select! {
                    biased;
                    again = decided_elsewhere(flight, worker) => again,
                    again = nothing_died => again,
                }
            };
            tokio::time::timeout(DEATH_IS_KNOWN_WITHIN, decided).await.unwrap_or(false)
        }
    }
}

/// Waits until the death of the worker, or of the process that had the request, is told and decided about.
async fn decided_elsewhere(flight: &Flight, worker: &Arc<Worker>) -> bool {
    let of_worker = || worker.decision.may_retry(flight.started());
    let fate = tokio::select! {
        biased;
        fate = flight.client.fate() => fate,
        again = of_worker() => return again,
    };
    match fate {
        Some(Fate::Unread) => true,
        Some(Fate::Read(decision)) => decision.may_retry(flight.started()).await,
        None => of_worker().await,
    }
}

fn grant(flight: &Flight) -> bool {
    flight.router().app.grant_retries(1) > 0
}
