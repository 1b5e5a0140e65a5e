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
//! requests can tell by itself whether it was alone. Therefore each of them waits for the verdict that follows from the toll of
//! all threads ([`RoutedWorker::verdict`]): a request that kills does not kill twice. It does so for as long as the worker's
//! death takes to become known, which is milliseconds.
//!
//! A worker that lives closed the connection on purpose, or one of its children died. A kept connection may have been closed
//! as unused in the moment that the request was written, which is no fault of the request; on a new one only the request itself
//! can be the reason.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Request};

use crate::body::RequestBody;
use crate::flight::Flight;
use crate::thread::Thread;
use crate::worker::RoutedWorker;

/// A connection that broke this long before its worker's death became known broke because of it: the kernel closes a dead
/// process's sockets before its parent is told.
pub(crate) const DEATH_IS_KNOWN_WITHIN: Duration = Duration::from_secs(2);

/// A new connection that is still open after this long shows that its worker lives: the kernel closes a dying process's sockets
/// one after another, the listening one not always first.
const STAYS_OPEN: Duration = Duration::from_millis(50);

/// Between two attempts to connect to a worker that refuses.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// The request again, if a worker may be given it twice.
pub(crate) fn copy(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD);
    let body = request.body().copy().filter(|_| safe)?;
    let mut copy = Request::new(body);
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    *copy.version_mut() = request.version();
    copy.headers_mut().clone_from(request.headers());
    Some(copy)
}

/// Whether a request that `worker` took without an answer byte, over a new connection or a kept one, may be sent again.
pub(crate) async fn verdict(flight: &Flight, worker: &Arc<RoutedWorker>, new_connection: bool) -> bool {
    let decided = async {
        tokio::select! {
            biased;
            again = worker.verdict(flight.started()) => again,
            () = lives(&flight.thread, worker) => !new_connection && flight.thread.shared.may_retry(1) > 0,
        }
    };
    tokio::time::timeout(DEATH_IS_KNOWN_WITHIN, decided).await.unwrap_or(false)
}

/// Waits until the worker has shown that it lives. One that is known to be dead cannot, although a debugger may still hold it
/// with its sockets open.
async fn lives(thread: &Thread, worker: &RoutedWorker) {
    loop {
        if let Ok((stream, _counted)) = thread.connect(worker).await {
            tokio::time::sleep(STAYS_OPEN).await;
            let peeked = socket2::SockRef::from(&stream).peek(&mut [MaybeUninit::uninit()]);
            let open = peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            if open && !worker.is_dead() {
                return;
            }
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// How many requests may be tried again, so that retries do not keep down an app that cannot take even the first tries.
///
/// Ours, after Finagle's budget (a share of the requests plus a floor, over 10 s) and Envoy's (a share of 20 %): at most a fifth
/// of the last ten seconds' requests, plus ten a second so that an app with few requests loses none of them.
#[derive(Default)]
pub(crate) struct Budget {
    seconds: [Second; WINDOW_S],
}

const WINDOW_S: usize = 10;
const FLOOR_PER_S: u64 = 10;
const REQUESTS_PER_RETRY: u64 = 5;

#[derive(Clone, Copy, Default)]
struct Second {
    number: u64,
    requests: u64,
    retries: u64,
}

impl Budget {
    /// So many requests came.
    pub(crate) fn requests(&mut self, now: Duration, count: u64) {
        self.second(now).requests += count;
    }

    /// Grants as many of `wanted` retries as there are left.
    pub(crate) fn grant(&mut self, now: Duration, wanted: u32) -> u32 {
        let oldest = now.as_secs().saturating_sub(WINDOW_S as u64 - 1);
        let recent = self.seconds.iter().filter(|second| second.number >= oldest);
        let (requests, retries) = recent.fold((0, 0), |(requests, retries), second| {
            (requests + second.requests, retries + second.retries)
        });
        let limit = FLOOR_PER_S * WINDOW_S as u64 + requests / REQUESTS_PER_RETRY;
        let left = u32::try_from(limit.saturating_sub(retries)).unwrap_or(u32::MAX);
        let granted = wanted.min(left);
        self.second(now).retries += u64::from(granted);
        granted
    }

    fn second(&mut self, now: Duration) -> &mut Second {
        let number = now.as_secs();
        let place = usize::try_from(number % WINDOW_S as u64).unwrap_or(0);
        let second = &mut self.seconds[place];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_recent_requests_and_ten_a_second() {
        let at = Duration::from_secs;
        let mut budget = Budget::default();
        assert_eq!(budget.grant(at(100), 1_000), 100, "ten a second for ten seconds");
        assert_eq!(budget.grant(at(101), 1), 0);
        budget.requests(at(101), 49);
        assert_eq!(budget.grant(at(101), 1_000), 9, "a fifth, rounded down");
        budget.requests(at(102), 1);
        assert_eq!((budget.grant(at(102), 1), budget.grant(at(102), 1)), (1, 0));
        assert_eq!(budget.grant(at(109), 1), 0);
        assert_eq!(budget.grant(at(110), 1_000), 100, "what the 100th second spent is over");
        assert_eq!(budget.grant(at(500), 1_000), 100);
    }
}
