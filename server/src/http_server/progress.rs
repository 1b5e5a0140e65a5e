//! Where a connection stands, and until when it may stand there.
//!
//! ```text
//!  accepted ──▶ Head ──────▶ Body ──────▶ Answer ──▶ Idle
//!                ▲  └─ no body ─────────────▲          │
//!                └──────── a byte ─────────────────────┘
//! ```
//! While an answer is made nothing is due: that time is Medic's. In any phase a client that takes nothing of what it is sent has
//! its own limit.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Clock;

use super::limits::Limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Head,
    Body,
    Answer,
    Idle,
}

/// Noted by whoever reads and writes the connection, and looked at beside.
pub(super) struct Progress {
    clock: Arc<dyn Clock>,
    now: Mutex<State>,
}

struct State {
    phase: Phase,
    since: Duration,
    stalled_since: Option<Duration>,
    /// Something of an answer may still have to be written.
    is_answering: bool,
}

impl Progress {
    /// Of a connection that was just accepted.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let state =
            State { phase: Phase::Head, since: clock.monotonic(), stalled_since: None, is_answering: false };
        Self { clock, now: Mutex::new(state) }
    }

    /// The client sent something.
    pub(super) fn received(&self) {
        self.step(Phase::Idle, Phase::Head);
    }

    /// A head is complete.
    pub(super) fn asked(&self, has_body: bool) {
        let mut state = self.state();
        state.phase = if has_body { Phase::Body } else { Phase::Answer };
        state.is_answering = true;
        state.since = self.clock.monotonic();
    }

    /// The body is complete, or nobody wants the rest of it.
    pub(super) fn body_read(&self) {
        self.step(Phase::Body, Phase::Answer);
    }

    /// The answer is complete, as far as it is Medic's to make it.
    pub(super) fn answered(&self) {
        let mut state = self.state();
        state.phase = Phase::Idle;
        state.since = self.clock.monotonic();
    }

    /// Whether the client took something of what it is sent just now.
    pub(super) fn sent(&self, is_stalled: bool) {
        let mut state = self.state();
        if is_stalled {
            let now = self.clock.monotonic();
            state.stalled_since.get_or_insert(now);
        } else {
            state.stalled_since = None;
        }
    }

    /// Everything that there was to write is written.
    pub(super) fn flushed(&self) {
        let mut state = self.state();
        state.is_answering &= !matches!(state.phase, Phase::Head | Phase::Idle);
    }

    /// Whether what is written now belongs to no answer of Medic's.
    pub(super) fn is_unasked(&self) -> bool {
        !self.state().is_answering
    }

    /// How long the client may still go on like this; `None` where that is Medic's affair.
    pub(super) fn left(&self, limits: &Limits) -> Option<Duration> {
        let state = self.state();
        let limit = match state.phase {
            Phase::Head => Some(limits.head),
            Phase::Body => Some(limits.body),
            Phase::Idle => Some(limits.idle),
            Phase::Answer => None,
        };
        let of_phase = limit.map(|limit| state.since + limit);
        let of_stall = state.stalled_since.map(|since| since + limits.stall);
        let due = of_phase.into_iter().chain(of_stall).min()?;
        Some(due.saturating_sub(self.clock.monotonic()))
    }

    /// Since when no complete request of the client's is under way; `None` while one is.
    pub(super) fn idle_since(&self) -> Option<Duration> {
        let state = self.state();
        matches!(state.phase, Phase::Head | Phase::Idle).then_some(state.since)
    }

    fn step(&self, from: Phase, to: Phase) {
        let mut state = self.state();
        if state.phase == from {
            state.phase = to;
            state.since = self.clock.monotonic();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TestClock;
    use super::*;

    const LIMITS: Limits = Limits::TCP;

    fn seconds(progress: &Progress) -> Option<u64> {
        progress.left(&LIMITS).map(|left| left.as_secs())
    }

    #[test]
    fn each_phase_has_its_limit_and_making_an_answer_has_none() {
        let clock = Arc::new(TestClock::default());
        let progress = Progress::new(Arc::<TestClock>::clone(&clock));
        assert_eq!(seconds(&progress), Some(10), "for the first byte and the head");
        clock.pass(Duration::from_secs(9));
        progress.received();
        assert_eq!(seconds(&progress), Some(1), "a head that drips is not given more time");
        progress.asked(true);
        clock.pass(Duration::from_secs(59));
        progress.received();
        assert_eq!(seconds(&progress), Some(1), "nor is a body");
        progress.body_read();
        assert_eq!((seconds(&progress), progress.idle_since()), (None, None));
        progress.flushed();
        progress.answered();
        progress.body_read();
        assert!(!progress.is_unasked(), "the end of the answer is in a buffer");
        progress.flushed();
        assert!(progress.is_unasked());
        assert_eq!(seconds(&progress), Some(75));
        clock.pass(Duration::from_secs(80));
        assert_eq!(seconds(&progress), Some(0));
        progress.received();
        assert_eq!(seconds(&progress), Some(10));
        progress.asked(false);
        assert_eq!(seconds(&progress), None);
    }

    #[test]
    fn a_client_that_takes_nothing_is_not_waited_for() {
        let clock = Arc::new(TestClock::default());
        let progress = Progress::new(Arc::<TestClock>::clone(&clock));
        progress.asked(false);
        progress.sent(true);
        clock.pass(Duration::from_secs(50));
        progress.sent(true);
        assert_eq!(seconds(&progress), Some(10));
        progress.sent(false);
        assert_eq!(seconds(&progress), None);
        progress.sent(true);
        progress.answered();
        assert_eq!(seconds(&progress), Some(60), "the rest of an answer lies in a buffer");
    }
}
