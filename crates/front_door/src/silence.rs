//! Whether a worker answers anybody. A worker that hangs keeps its port open and takes every request, and its clients give up one
//! by one: nothing breaks that would tell. What tells is that no byte comes back.
//!
//! ```text
//!            a request is given up on, or waits for 10 s, without a byte          3 of them
//!  Answers ───────────────────────────────────────────────────────────▶ Doubtful ──────────▶ Silent
//!     ▲                                                                    │                   │
//!     └──────────────────── a byte, of an answer to anybody ───────────────┴───────────────────┘
//! ```
//! A doubtful worker gets less: each such request weighs as one that it still has. A silent one gets nothing while another worker
//! answers; an instance's own clients go elsewhere too. Either is tried every 10 s by a request that it would not get otherwise,
//! so that a single client's impatience is soon forgotten, and a silent worker found out or restored. Where no worker answers,
//! they share as before. How long a worker is left alone by the proactive rule Not responding is the
//! engine's matter.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A request that has waited this long without a byte counts as one that was given up on. Ours: what most clients wait at least.
pub(crate) const WAITED: Duration = Duration::from_secs(10);
/// So many requests without a byte since the last one make a worker silent. Ours: one may be the request's own fault.
const SILENT: u32 = 3;
/// How often a worker is tried that did not answer.
const TRY_EVERY: Duration = Duration::from_secs(10);

/// What is known of one worker, by all threads.
#[derive(Default)]
pub(crate) struct Silence {
    /// Requests without a byte since the last byte.
    unanswered: AtomicU32,
    /// A byte came since somebody last asked.
    spoke: AtomicBool,
    /// When it was last tried, or became doubtful, in milliseconds.
    tried_ms: AtomicU64,
}

impl Silence {
    /// A byte came. Costs two looks while it answers.
    pub(crate) fn broken(&self) {
        if self.unanswered.load(Relaxed) != 0 {
            self.unanswered.store(0, Relaxed);
        }
        if !self.spoke.load(Relaxed) {
            self.spoke.store(true, Relaxed);
        }
    }

    /// One more request was given up on, or has waited for [`WAITED`].
    pub(crate) fn lasts(&self, now: Duration) {
        if self.unanswered.fetch_add(1, Relaxed) == 0 {
            self.tried_ms.store(ms(now), Relaxed);
        }
    }

    /// Requests without a byte since the last byte.
    pub(crate) fn unanswered(&self) -> u32 {
        self.unanswered.load(Relaxed)
    }

    /// It has answered nobody for some requests.
    pub(crate) fn is_total(&self) -> bool {
        self.unanswered() >= SILENT
    }

    /// It is time for another try, and this call takes it.
    pub(crate) fn takes_a_try(&self, now: Duration) -> bool {
        let last = self.tried_ms.load(Relaxed);
        self.unanswered() > 0
            && ms(now).saturating_sub(last) >= ms(TRY_EVERY)
            && self.tried_ms.compare_exchange(last, ms(now), Relaxed, Relaxed).is_ok()
    }

    /// Whether a byte came since the last call.
    pub(crate) fn take_spoke(&self) -> bool {
        self.spoke.swap(false, Relaxed)
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
    fn three_without_a_byte_are_silence_and_a_byte_ends_it() {
        let silence = Silence::default();
        let seen: Vec<_> = (1..=4)
            .map(|_| {
                silence.lasts(SECOND);
                (silence.unanswered(), silence.is_total())
            })
            .collect();
        assert_eq!(seen, [(1, false), (2, false), (3, true), (4, true)]);
        assert!(!silence.take_spoke());
        silence.broken();
        assert_eq!((silence.unanswered(), silence.is_total()), (0, false));
        assert_eq!([silence.take_spoke(), silence.take_spoke()], [true, false]);
    }

    #[test]
    fn a_worker_that_did_not_answer_is_tried_every_ten_seconds_once() {
        let silence = Silence::default();
        (0..5).for_each(|_| silence.lasts(7 * SECOND));
        let tries: Vec<_> = (7..40).filter(|s| silence.takes_a_try(*s * SECOND)).collect();
        assert_eq!(tries, [17, 27, 37]);
        assert!(!silence.takes_a_try(37 * SECOND), "nobody else takes the same try");
        silence.broken();
        assert!(!silence.takes_a_try(60 * SECOND), "nothing is to be found out");
    }
}
