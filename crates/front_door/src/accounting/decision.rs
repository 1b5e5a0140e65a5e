//! Which requests that a death interrupted may be tried again: decided once for all threads, since none of them knows what the
//! others had.

use std::ops::RangeInclusive;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;

/// The decision, waited for until it is made.
pub(crate) struct Decision {
    /// Requests that may still be tried again.
    retries: AtomicU32,
    /// When the requests began, in nanoseconds, that may have caused the death: from, to. Empty where there are none.
    blamed_ns: [AtomicU64; 2],
    is_made: AtomicBool,
    told: Notify,
}

impl Default for Decision {
    fn default() -> Self {
        Self {
            retries: AtomicU32::new(0),
            blamed_ns: [AtomicU64::new(u64::MAX), AtomicU64::new(0)],
            is_made: AtomicBool::new(false),
            told: Notify::new(),
        }
    }
}

impl Decision {
    /// One that is made: none may be tried again.
    pub(crate) fn refusing() -> Self {
        let decision = Self::default();
        decision.make(0, None);
        decision
    }

    /// So many (more) requests may be tried again, and never those that began then.
    pub(crate) fn make(&self, retries: u32, blamed: Option<RangeInclusive<Duration>>) {
        if let Some(blamed) = blamed {
            self.blamed_ns[0].store(nanoseconds(*blamed.start()), SeqCst);
            self.blamed_ns[1].store(nanoseconds(*blamed.end()), SeqCst);
        }
        self.retries.fetch_add(retries, SeqCst);
        self.is_made.store(true, SeqCst);
        self.told.notify_waiters();
    }

    /// Waits for it; says whether a request that began then may be tried again.
    pub(crate) async fn may_retry(&self, started: Duration) -> bool {
        let mut told = pin!(self.told.notified());
        told.as_mut().enable();
        if !self.is_made.load(SeqCst) {
            told.await;
        }
        let [from, to] = &self.blamed_ns;
        if (from.load(SeqCst)..=to.load(SeqCst)).contains(&nanoseconds(started)) {
            return false;
        }
        self.retries.fetch_update(SeqCst, SeqCst, |retries| retries.checked_sub(1)).is_ok()
    }
}

fn nanoseconds(since_boot: Duration) -> u64 {
    u64::try_from(since_boot.as_nanos()).unwrap_or(u64::MAX - 1)
}
