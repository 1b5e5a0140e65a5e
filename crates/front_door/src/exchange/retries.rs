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
//!                  │                      └── that had not read it ──────────────▶ another process, which is no try
//!                  │
//!                  ├─ nothing died ── it was not read to its end ────────────────▶ again, which is no try
//!                  │              ├── it was, over a kept connection ────────────▶ once more
//!                  │              └── it was, over a new one ────────────────────▶ 502: the app closed it
//!                  └─ nothing is known within two seconds ───────────────────────▶ 502
//!
//!  whatever it is, ── it was taken back from a process that was to hand it on ───▶ another process, which is no try
//!  if it is held
//!
//!  any other whose ┌─ the process that died had read none of it ─────────────────▶ another process, which is no try
//!  body is held ───┤  (the debugger has seen its sockets)
//!                  ├─ the connection was closed before it came ──────────────────▶ again, which is no try
//!                  └─ else ──────────────────────────────────────────────────────▶ 502: it may have had an effect
//! ```
//! Each within the budget, but for what was taken back, and once where it is a try. What was not read to its
//! end is sent again a few times at most: where children die one after another, it may meet several of them.
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

/// What becomes of a request whose connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decided {
    Fails,
    Again,
    /// Again, and that is no second try: nobody has read it.
    Untried,
}

impl Decided {
    fn again(again: bool) -> Self {
        if again { Self::Again } else { Self::Fails }
    }

    fn untried(again: bool) -> Self {
        if again { Self::Untried } else { Self::Fails }
    }
}

/// What becomes of a request that `worker` took without an answer byte, over a new connection or a kept one. `lives` ends when the
/// worker has shown that it lives.
pub(crate) async fn decide(
    flight: &Flight,
    second_try: SecondTry,
    worker: &Arc<Worker>,
    new_connection: bool,
    lives: impl Future<Output = ()>,
) -> Decided {
    if second_try == SecondTry::Never {
        return Decided::Fails;
    }
    let told_unread = tokio::time::timeout(PROCESS_DEATH_IS_KNOWN_WITHIN, flight.client.is_told_unread());
    if told_unread.await.unwrap_or(false) {
        return Decided::Untried;
    }
    let end = flight.connection_end();
    match second_try {
        SecondTry::Never | SecondTry::IfUntried => Decided::Fails,
        _ if end == Some(ConnectionEnd::Stale) && !flight.client.is_interrupted() => {
            Decided::untried(grant(flight))
        }
        SecondTry::IfUnread if end == Some(ConnectionEnd::Closed) => Decided::Fails,
        SecondTry::IfUnread => {
            // the sockets of a process are read before they are closed: the word of that is on its way
            let told = async {
                tokio::select! {
                    biased;
                    fate = flight.client.fate() => fate,
                    () = lives => None,
                }
            };
            match tokio::time::timeout(PROCESS_DEATH_IS_KNOWN_WITHIN, told).await {
                Ok(Some(Fate::Unread)) => Decided::Untried,
                _ => Decided::Fails,
            }
        }
        SecondTry::IfInnocent => {
            let nothing_died = async {
                lives.await;
                if end == Some(ConnectionEnd::Closed) && !new_connection {
                    tokio::time::sleep(PROCESS_DEATH_IS_KNOWN_WITHIN).await;
                }
                if end == Some(ConnectionEnd::Reset) {
                    return Decided::untried(grant(flight));
                }
                Decided::again(!new_connection && grant(flight))
            };
            let decided = async {
                tokio::select! {
                    biased;
                    again = decided_elsewhere(flight, worker) => again,
                    again = nothing_died => again,
                }
            };
            tokio::time::timeout(DEATH_IS_KNOWN_WITHIN, decided).await.unwrap_or(Decided::Fails)
        }
    }
}

/// Waits until the death of the worker, or of the process that had the request, is told and decided about.
async fn decided_elsewhere(flight: &Flight, worker: &Arc<Worker>) -> Decided {
    let of_worker = async || Decided::again(worker.decision.may_retry(flight.started()).await);
    let fate = tokio::select! {
        biased;
        fate = flight.client.fate() => fate,
        again = of_worker() => return again,
    };
    match fate {
        Some(Fate::Unread) => Decided::Untried,
        Some(Fate::Read(decision)) => Decided::again(decision.may_retry(flight.started()).await),
        None => of_worker().await,
    }
}

fn grant(flight: &Flight) -> bool {
    flight.router().app.grant_retries(1) > 0
}
