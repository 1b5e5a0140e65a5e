//! A request's time, which is how long its worker kept the client waiting in one piece, and what the request is by now.
//!
//! ```text
//!             head                STREAM_AFTER later, or at once by its content type
//!  Waiting ─────────▶ Answering ────────────────────────────────────────────────────▶ Streaming
//!  a request           a request                                                      a stream
//!                        │  ▲   nothing came for STALLED_AFTER that the client would take   │  ▲
//!                        ▼  │   (never of an event stream, whose pauses are its own)        ▼  │
//!                       Stalled                                                           Stalled
//!                       a request                                                         a request
//! ```
//! A client that takes nothing keeps nobody waiting but itself: more of a body is asked for only when there is room for it.

use std::time::Duration;

use model::streams::{STALLED_AFTER, STREAM_AFTER};

/// What a request is by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    /// Its answer lasts.
    Stream,
    /// Its connection is another protocol's.
    Tunnel,
}

/// One request's times.
pub(crate) struct AnswerTime {
    started: Duration,
    answered: Option<Answered>,
}

#[derive(Clone, Copy)]
struct Answered {
    at: Duration,
    /// What its head says that it is.
    kind: Kind,
    /// The longest wait that is over.
    longest: Duration,
    /// More of the body is waited for, and the client would take it.
    awaited_since: Option<Duration>,
}

impl AnswerTime {
    pub(crate) const fn new(started: Duration) -> Self {
        Self { started, answered: None }
    }

    pub(crate) const fn started(&self) -> Duration {
        self.started
    }

    /// The answer's head is there, and says that it is of this kind.
    pub(crate) fn head(&mut self, now: Duration, kind: Kind) {
        let longest = now.saturating_sub(self.started);
        self.answered = Some(Answered { at: now, kind, longest, awaited_since: None });
    }

    /// More of the body is waited for, or has come.
    pub(crate) fn set_awaited(&mut self, awaited: bool, now: impl FnOnce() -> Duration) {
        let Some(answered) = &mut self.answered else { return };
        match answered.awaited_since {
            None if awaited => answered.awaited_since = Some(now()),
            Some(since) if !awaited => {
                answered.longest = answered.longest_with(now().saturating_sub(since));
                answered.awaited_since = None;
            }
            _ => {}
        }
    }

    /// The time up to now.
    pub(crate) fn time(&self, now: impl FnOnce() -> Duration) -> Duration {
        match &self.answered {
            None => now().saturating_sub(self.started),
            Some(answered) => answered
                .awaited_since
                .map_or(answered.longest, |since| answered.longest_with(now().saturating_sub(since))),
        }
    }

    pub(crate) fn kind(&self, now: Duration) -> Kind {
        let Some(answered) = &self.answered else { return Kind::Request };
        let wait = answered.awaited_since.map(|since| now.saturating_sub(since));
        let stalls = wait.is_some_and(|wait| wait >= STALLED_AFTER);
        let lasts = now.saturating_sub(answered.at) >= STREAM_AFTER;
        match answered.kind {
            Kind::Request if lasts && !stalls => Kind::Stream,
            kind => kind,
        }
    }
}

impl Answered {
    fn longest_with(&self, wait: Duration) -> Duration {
        if self.kind == Kind::Request { self.longest.max(wait) } else { self.longest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(answer: &AnswerTime, second: u64) -> (Duration, Kind) {
        (answer.time(|| at(second)), answer.kind(at(second)))
    }

    #[test]
    fn before_the_head_the_time_goes_on() {
        let answer = AnswerTime::new(at(100));
        assert_eq!(seen(&answer, 300), (at(200), Kind::Request));
    }

    #[test]
    fn a_body_that_goes_on_becomes_a_stream_and_takes_no_time() {
        let mut answer = AnswerTime::new(at(100));
        answer.head(at(102), Kind::Request);
        assert_eq!(seen(&answer, 111), (at(2), Kind::Request));
        assert_eq!(seen(&answer, 112), (at(2), Kind::Stream));
        for second in 112..1_000 {
            answer.set_awaited(true, || at(second));
            answer.set_awaited(false, || at(second + 1));
        }
        assert_eq!(seen(&answer, 1_000), (at(2), Kind::Stream));
    }

    #[test]
    fn a_stall_in_the_middle_of_a_body_is_the_workers_time() {
        let mut answer = AnswerTime::new(at(0));
        answer.head(at(1), Kind::Request);
        answer.set_awaited(true, || at(20));
        answer.set_awaited(true, || at(25));
        assert_eq!(seen(&answer, 29), (at(9), Kind::Stream));
        assert_eq!(seen(&answer, 30), (at(10), Kind::Request));
        assert_eq!(seen(&answer, 220), (at(200), Kind::Request));
        answer.set_awaited(false, || at(240));
        assert_eq!(seen(&answer, 500), (at(220), Kind::Stream), "the longest is remembered");
    }

    #[test]
    fn an_event_stream_and_a_tunnel_may_pause() {
        for kind in [Kind::Stream, Kind::Tunnel] {
            let mut answer = AnswerTime::new(at(0));
            answer.head(at(1), kind);
            answer.set_awaited(true, || at(2));
            assert_eq!(seen(&answer, 2), (at(1), kind));
            assert_eq!(seen(&answer, 5_000), (at(1), kind));
            answer.set_awaited(false, || at(5_000));
            assert_eq!(seen(&answer, 5_000), (at(1), kind));
        }
    }
}
