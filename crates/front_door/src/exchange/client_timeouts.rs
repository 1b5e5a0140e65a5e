//! The time limits of a client connection: between requests, for a request's head, and for the bytes of a body. A timer per
//! request would cost more than all other bookkeeping, so each connection only notes its phase, and its thread looks at all of
//! them once a second.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::settings::Limits;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const SERVED: u8 = 2;

/// For how many seconds a connection has no request before its buffers are given up.
pub(crate) const BUFFERS_KEPT_S: u32 = 2;

/// A connection's phase, noted by its thread alone. (Atomics because hyper wants sockets that could change threads.)
pub(crate) struct ClientTimeouts {
    phase: AtomicU8,
    /// The client does not take the answer as fast as it comes.
    write_stalled: AtomicBool,
    /// The worker wants more of the body than the client has sent.
    body_stalled: AtomicBool,
    /// Seconds since the last change.
    seconds: AtomicU32,
    /// Its number in the order in which connections became idle.
    idle_since: AtomicU64,
}

impl ClientTimeouts {
    /// Of a new connection, which is idle.
    pub(crate) fn new(idle_since: u64) -> Self {
        Self {
            phase: AtomicU8::new(IDLE),
            write_stalled: AtomicBool::new(false),
            body_stalled: AtomicBool::new(false),
            seconds: AtomicU32::new(0),
            idle_since: AtomicU64::new(idle_since),
        }
    }

    /// It has no request from now on.
    pub(crate) fn enter_idle(&self, idle_since: u64) {
        self.enter(IDLE);
        self.idle_since.store(idle_since, Relaxed);
    }

    /// Its number in the order of idleness, as long as it has no request.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        (self.phase.load(Relaxed) == IDLE).then(|| self.idle_since.load(Relaxed))
    }

    /// For how many seconds it has had no request.
    pub(crate) fn idle_s(&self) -> Option<u32> {
        (self.phase.load(Relaxed) == IDLE).then(|| self.seconds.load(Relaxed))
    }

    /// It has had no request for so long that its buffers are given up, and none of them holds a part of an answer.
    pub(crate) fn needs_no_buffers(&self) -> bool {
        self.idle_s().is_some_and(|idle_s| idle_s >= BUFFERS_KEPT_S) && !self.write_stalled.load(Relaxed)
    }

    /// A request's head is complete; the front door and the worker are at it.
    pub(crate) fn enter_served(&self) {
        self.enter(SERVED);
    }

    /// Bytes came, or the end.
    pub(crate) fn note_read(&self) {
        if self.phase.load(Relaxed) == IDLE {
            self.enter(HEAD);
        }
    }

    /// Whether the client takes what is written to it.
    pub(crate) fn set_write_stalled(&self, stalled: bool) {
        self.set_stalled(&self.write_stalled, stalled);
    }

    /// Whether the request's body keeps the worker waiting.
    pub(crate) fn set_body_stalled(&self, stalled: bool) {
        self.set_stalled(&self.body_stalled, stalled);
    }

    /// Another second went by: whether the client has used up what it may take.
    pub(crate) fn second(&self, limits: &Limits) -> bool {
        let seconds = self.seconds.load(Relaxed) + 1;
        self.seconds.store(seconds, Relaxed);
        let limit = match self.phase.load(Relaxed) {
            IDLE => limits.idle,
            HEAD => limits.header_read,
            _ if self.write_stalled.load(Relaxed) || self.body_stalled.load(Relaxed) => limits.stall,
            _ => return false,
        };
        u64::from(seconds) > limit.as_secs().max(1)
    }

    fn enter(&self, phase: u8) {
        self.phase.store(phase, Relaxed);
        self.body_stalled.store(false, Relaxed);
        self.seconds.store(0, Relaxed);
    }

    fn set_stalled(&self, flag: &AtomicBool, stalled: bool) {
        if flag.load(Relaxed) != stalled {
            flag.store(stalled, Relaxed);
            self.seconds.store(0, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn seconds_until_cut(timeouts: &ClientTimeouts) -> Option<u32> {
        let limits = Limits {
            idle: Duration::from_secs(7),
            header_read: Duration::from_secs(3),
            stall: Duration::from_secs(5),
            ..Limits::default()
        };
        (1..100).find(|_| timeouts.second(&limits))
    }

    #[test]
    fn each_phase_has_its_limit_and_a_worker_has_none() {
        let timeouts = ClientTimeouts::new(0);
        assert_eq!(seconds_until_cut(&timeouts), Some(8));
        timeouts.note_read();
        assert_eq!(seconds_until_cut(&timeouts), Some(4));
        timeouts.enter_served();
        assert_eq!(seconds_until_cut(&timeouts), None);
        timeouts.set_body_stalled(true);
        assert_eq!(seconds_until_cut(&timeouts), Some(6));
        timeouts.set_body_stalled(false);
        assert_eq!(seconds_until_cut(&timeouts), None);
        assert_eq!(timeouts.idle_since(), None);
        timeouts.enter_idle(7);
        assert_eq!(timeouts.idle_since(), Some(7));
        assert_eq!(seconds_until_cut(&timeouts), Some(8));
    }

    #[test]
    fn buffers_are_needed_until_nothing_was_asked_or_written_for_a_while() {
        let timeouts = ClientTimeouts::new(0);
        let limits = Limits::default();
        let seconds = |timeouts: &ClientTimeouts| {
            (1..10).find(|_| {
                timeouts.second(&limits);
                timeouts.needs_no_buffers()
            })
        };
        assert_eq!(seconds(&timeouts), Some(2));
        timeouts.note_read();
        assert_eq!(seconds(&timeouts), None, "a head is being read");
        timeouts.enter_served();
        assert_eq!(seconds(&timeouts), None);
        timeouts.set_write_stalled(true);
        timeouts.enter_idle(1);
        assert_eq!(seconds(&timeouts), None, "the end of an answer is being written");
        timeouts.set_write_stalled(false);
        assert_eq!(seconds(&timeouts), Some(2));
    }

    #[test]
    fn a_head_that_drips_is_not_given_more_time() {
        let timeouts = ClientTimeouts::new(0);
        let limits = Limits { header_read: Duration::from_secs(3), ..Limits::default() };
        let cut = (1..100).find(|_| {
            timeouts.note_read();
            timeouts.second(&limits)
        });
        assert_eq!(cut, Some(4));
    }
}
