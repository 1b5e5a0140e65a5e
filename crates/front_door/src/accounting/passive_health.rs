//! Whether a worker answers anybody: a passive health check. A worker that hangs keeps its port open and takes every request, and
//! its clients give up one by one: nothing breaks that would tell. What tells is that no byte comes back.
//!
//! ```text
//!             a request is given up on, or waits for 10 s, without a byte             3 of them
//!  Responsive ───────────────────────────────────────────────────────────▶ Suspected ──────────▶ Unresponsive
//!     ▲                                                                       │                      │
//!     └──────────────────── a byte, of an answer to anybody ──────────────────┴──────────────────────┘
//! ```
//! A suspected worker gets less: each such request weighs as one that it still has. An unresponsive one gets nothing while
//! another worker answers; an instance's own clients go elsewhere too. Either is probed every 10 s by a request that it would not
//! get otherwise, so that a single client's impatience is soon forgotten, and an unresponsive worker found out or restored. Where
//! no worker answers, they share as before. How long a worker is left alone by the proactive rule Not responding is the
//! engine's matter.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A request that has waited this long without a byte counts as one that was given up on. Ours: what most clients wait at least.
pub(crate) const UNANSWERED_AFTER: Duration = Duration::from_secs(10);
/// So many requests without a byte since the last one make a worker unresponsive. Ours: one may be the request's own fault.
const UNRESPONSIVE: u32 = 3;
/// How often a worker is probed that did not answer.
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// What is known of one worker, by all threads.
#[derive(Default)]
pub(crate) struct PassiveHealth {
    /// Requests without a byte since the last byte.
    unanswered: AtomicU32,
    /// A byte came since somebody last asked.
    byte_came: AtomicBool,
    /// When it was last probed, or became suspected, in milliseconds.
    probed_ms: AtomicU64,
}

impl PassiveHealth {
    /// A byte came. Costs two looks while it answers.
    pub(crate) fn note_byte(&self) {
        if self.unanswered.load(Relaxed) != 0 {
            self.unanswered.store(0, Relaxed);
        }
        if !self.byte_came.load(Relaxed) {
            self.byte_came.store(true, Relaxed);
        }
    }

    /// One more request was given up on, or has waited for [`UNANSWERED_AFTER`].
    pub(crate) fn note_unanswered(&self, now: Duration) {
        if self.unanswered.fetch_add(1, Relaxed) == 0 {
            self.probed_ms.store(ms(now), Relaxed);
        }
    }

    /// Requests without a byte since the last byte.
    pub(crate) fn unanswered(&self) -> u32 {
        self.unanswered.load(Relaxed)
    }

    /// It has answered nobody for some requests.
    pub(crate) fn is_unresponsive(&self) -> bool {
        self.unanswered() >= UNRESPONSIVE
    }

    /// It is time for another probe, and this call takes it.
    pub(crate) fn claim_probe(&self, now: Duration) -> bool {
        let last = self.probed_ms.load(Relaxed);
        self.unanswered() > 0
            && ms(now).saturating_sub(last) >= ms(PROBE_EVERY)
            && self.probed_ms.compare_exchange(last, ms(now), Relaxed, Relaxed).is_ok()
    }

    /// Whether a byte came since the last call.
    pub(crate) fn take_byte_came(&self) -> bool {
        self.byte_came.swap(false, Relaxed)
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn three_without_a_byte_are_unresponsive_and_a_byte_restores() {
        let health = PassiveHealth::default();
        let seen: Vec<_> = (1..=4)
            .map(|_| {
                health.note_unanswered(SECOND);
                (health.unanswered(), health.is_unresponsive())
            })
            .collect();
        assert_eq!(seen, [(1, false), (2, false), (3, true), (4, true)]);
        assert!(!health.take_byte_came());
        health.note_byte();
        assert_eq!((health.unanswered(), health.is_unresponsive()), (0, false));
        assert_eq!([health.take_byte_came(), health.take_byte_came()], [true, false]);
    }

    #[test]
    fn a_worker_that_did_not_answer_is_probed_every_ten_seconds_once() {
        let health = PassiveHealth::default();
        (0..5).for_each(|_| health.note_unanswered(7 * SECOND));
        let probes: Vec<_> = (7..40).filter(|s| health.claim_probe(*s * SECOND)).collect();
        assert_eq!(probes, [17, 27, 37]);
        assert!(!health.claim_probe(37 * SECOND), "nobody else takes the same probe");
        health.note_byte();
        assert!(!health.claim_probe(60 * SECOND), "nothing is to be found out");
    }
}
