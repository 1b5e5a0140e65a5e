//! Proactive auto-heal, not responding: no byte came back to anybody for 60 s while at least 3 requests waited or were given up
//! on, and two requests of Medic's own for the health path got no answer in 10 s either. A rule of Medic's own: percent request
//! speaks of requests that took 200 s, and nobody waits that long for a worker that hangs.
//!
//! ```text
//!            no byte for `after`, and 3 requests
//!            waited or were given up on meanwhile           no answer                 no answer
//!  Listening ───────────────────────────────────▶ Asked ────────────▶ Asked again ────────────▶ fires, and begins anew
//!    ▲  ▲ ▲                                         │ │                    │ │
//!    │  │ └───────── a byte, to anybody ────────────┘ │                    │ │
//!    │  └─────────────────────────────────────────────┼────────────────────┘ │
//!    │  `after` is over                               ▼                      │
//!    └─────────────────────────────────────────── Resting ◀── it answers ────┘
//! ```
//!
//! Long before that, and whether or not the rule is on, an early check asks once whether the worker responds at all, so that its
//! status is right while requests wait. It restarts nothing:
//!
//! ```text
//!        no byte for [`CHECK_AFTER`], and a request
//!          waited or was given up on meanwhile           no answer within [`CHECK_WITHIN`]
//!  Idle ────────────────────────────────────────▶ Asked ────────────────────────────▶ Unanswered: not responding
//!   ▲ ▲                                             │                                   │  asked again after [`CHECK_AGAIN`]
//!   │ └──────────── a byte, to anybody ─────────────┼───────────────────────────────────┤
//!   └── [`CHECK_REST`] is over ── Answered ◀────────┴──────────── it answers ───────────┘
//! ```
//!
//! Whatever answers is an answer, an error too: a worker that hangs on some paths and answers there is never replaced for this.
//! The rule decides when to ask and whoever observes carries it out; a question whose result is not told is asked again.

use model::auto_heal::not_responding::{LEAST, NotRespondingNumbers, PROBES};
use std::time::Duration;

use super::samples::Samples;
use crate::auto_heal::percent_memory::LONGEST_GAP;
use model::auto_heal::arithmetic::millis;
use model::auto_heal::evidence::{Evidence, Firing, Reading, Rule, Unit};
use model::auto_heal::measured::{Measured, Probes};
use model::auto_heal::watch::{Observation, Unanswered};
use model::{Monotonic, Now, Timestamp};

/// A question whose result is not told this long after it is due is asked again.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How far the evidence reaches back before the silence: what was normal is part of the picture.
const SHOWN_BEFORE: Duration = Duration::from_mins(1);
/// The early check asks after this long without a byte.
pub const CHECK_AFTER: Duration = Duration::from_secs(6);
/// The early check's question must be answered within this long.
pub const CHECK_WITHIN: Duration = Duration::from_secs(8);
/// A worker that does not respond is asked again after this long.
pub const CHECK_AGAIN: Duration = Duration::from_secs(15);
/// A worker that answered is not asked again for this long.
pub const CHECK_REST: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    Listening,
    Asked { at: Monotonic, failed: u32 },
    Failed { asked_at: Monotonic, failed: u32 },
    Resting { until: Monotonic },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Idle,
    Asked { at: Monotonic },
    Unanswered { asked_at: Monotonic },
    Answered { until: Monotonic },
}

/// The rule, for one instance.
#[derive(Clone, Debug)]
pub struct NotResponding {
    numbers: NotRespondingNumbers,
    /// The last byte, or when it began to look.
    heard_at: Option<Monotonic>,
    looked_at: Option<Monotonic>,
    given_up: u64,
    waiting: u64,
    probing: Probing,
    check: Check,
    /// The last question got no answer, and no byte has come since this.
    unanswered_since: Option<Timestamp>,
    samples: Samples,
}

impl NotResponding {
    /// The rule by these numbers.
    pub fn new(numbers: NotRespondingNumbers) -> Self {
        Self {
            numbers,
            heard_at: None,
            looked_at: None,
            given_up: 0,
            waiting: 0,
            probing: Probing::Listening,
            check: Check::Idle,
            unanswered_since: None,
            samples: Samples::new(SHOWN_BEFORE + numbers.after + numbers.answer_within * (PROBES + 1)),
        }
    }

    /// The numbers changed: another number begins anew.
    pub fn configure(&mut self, numbers: NotRespondingNumbers) {
        if self.numbers != numbers {
            *self = Self::new(numbers);
        }
    }

    /// Takes in one second; answers whether the worker is to be asked now, and within what time it must answer. Where the rule
    /// is not on, only the early check asks.
    pub fn observe(&mut self, now: Now, seen: &Observation, is_on: bool) -> Option<Duration> {
        let at = now.monotonic;
        // After a standstill nobody knows who was answered meanwhile.
        if seen.warm_up || self.looked_at.is_some_and(|last| at.since(last) > LONGEST_GAP) {
            self.clear();
        }
        self.looked_at = Some(at);
        let Unanswered { given_up, waiting, heard, .. } = seen.tallies.unanswered;
        if heard {
            self.heard(at);
        } else {
            self.given_up = self.given_up.saturating_add(given_up);
        }
        self.waiting = waiting;
        let heard_at = *self.heard_at.get_or_insert(at);
        self.samples.push(now, self.value());
        let silence = at.since(heard_at);
        let is_silent = is_on && !seen.warm_up && silence >= self.numbers.after && self.count() >= LEAST;
        let asks = is_silent && self.is_due(at);
        self.probing = match self.probing {
            Probing::Asked { failed, .. } | Probing::Failed { failed, .. } if asks => {
                Probing::Asked { at, failed }
            }
            _ if asks => Probing::Asked { at, failed: 0 },
            Probing::Failed { .. } if !is_silent => Probing::Listening,
            probing => probing,
        };
        if asks {
            self.check = Check::Idle;
            return Some(self.numbers.answer_within);
        }
        let is_quiet = !seen.warm_up && silence >= CHECK_AFTER && self.count() > 0;
        let checks = is_quiet && self.probing == Probing::Listening && self.is_check_due(at);
        checks.then(|| {
            self.check = Check::Asked { at };
            CHECK_WITHIN
        })
    }

    /// What came of asking the worker.
    pub fn probed(&mut self, now: Now, answered: bool) -> Option<Firing> {
        if let Check::Asked { at } = self.check {
            self.note_answer(now, answered);
            self.check = if answered {
                Check::Answered { until: now.monotonic + CHECK_REST }
            } else {
                Check::Unanswered { asked_at: at }
            };
            return None;
        }
        let Probing::Asked { at, failed } = self.probing else { return None };
        self.note_answer(now, answered);
        if answered {
            self.given_up = 0;
            self.probing = Probing::Resting { until: now.monotonic + self.numbers.after };
            return None;
        }
        let failed = failed + 1;
        self.probing = Probing::Failed { asked_at: at, failed };
        if failed < PROBES {
            return None;
        }
        self.samples.push(now, self.value());
        let evidence = self.evidence();
        self.begin_anew();
        Some(Firing { evidence, refused: None })
    }

    /// A new worker, or nothing is known of the old one any more.
    pub fn clear(&mut self) {
        self.begin_anew();
        self.unanswered_since = None;
    }

    /// No byte came back for so long that it was asked, and it did not answer.
    pub const fn is_unanswered(&self) -> bool {
        self.unanswered_since.is_some()
    }

    /// When the last byte came of a worker that does not respond.
    pub const fn unanswered_since(&self) -> Option<Timestamp> {
        self.unanswered_since
    }

    /// Requests that wait, and those that were given up on since the last byte.
    pub const fn unanswered_requests(&self) -> (u64, u64) {
        (self.waiting, self.given_up)
    }

    /// Its present value beside its threshold.
    pub fn reading(&self) -> Reading {
        let threshold = self.numbers.after.as_secs();
        Reading::new(Rule::NotResponding, self.measured(), Some(self.value()), threshold, Unit::Seconds)
    }

    fn heard(&mut self, at: Monotonic) {
        self.heard_at = Some(at);
        self.given_up = 0;
        self.probing = Probing::Listening;
        self.check = Check::Idle;
        self.unanswered_since = None;
    }

    fn note_answer(&mut self, now: Now, answered: bool) {
        let heard_at = self.heard_at.unwrap_or(now.monotonic);
        let since = self.unanswered_since.unwrap_or_else(|| now.wall_at(heard_at));
        self.unanswered_since = (!answered).then_some(since);
    }

    fn is_check_due(&self, now: Monotonic) -> bool {
        match self.check {
            Check::Idle => true,
            Check::Asked { at } => now.since(at) >= CHECK_WITHIN + LOST_AFTER,
            Check::Unanswered { asked_at } => now.since(asked_at) >= CHECK_AGAIN,
            Check::Answered { until } => now >= until,
        }
    }

    fn begin_anew(&mut self) {
        (self.heard_at, self.looked_at) = (None, None);
        (self.given_up, self.waiting) = (0, 0);
        self.probing = Probing::Listening;
        self.check = Check::Idle;
        self.samples.clear();
    }

    /// Is it time for a question, where there is reason for one?
    fn is_due(&self, now: Monotonic) -> bool {
        match self.probing {
            Probing::Listening => true,
            Probing::Resting { until } => now >= until,
            // A refused connection is no answer at once: the next question gives it as long as an answer may take.
            Probing::Failed { asked_at, .. } => now.since(asked_at) >= self.numbers.answer_within,
            Probing::Asked { at, .. } => now.since(at) >= self.numbers.answer_within + LOST_AFTER,
        }
    }

    fn count(&self) -> u64 {
        self.given_up.saturating_add(self.waiting)
    }

    /// The seconds without a byte, while there is anybody who waits for one.
    fn value(&self) -> u64 {
        if self.count() >= LEAST { self.silence().as_secs() } else { 0 }
    }

    fn silence(&self) -> Duration {
        self.looked_at.zip(self.heard_at).map_or(Duration::ZERO, |(looked, heard)| looked.since(heard))
    }

    fn measured(&self) -> Measured {
        let probes = match self.probing {
            Probing::Listening => Probes::NotDue,
            Probing::Resting { .. } => Probes::Answered,
            Probing::Asked { failed, .. } | Probing::Failed { failed, .. } => Probes::Unanswered { failed },
        };
        let (numbers, silent_ms) = (self.numbers, millis(self.silence()));
        Measured::NotResponding { numbers, silent_ms, waiting: self.waiting, given_up: self.given_up, probes }
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            rule: Rule::NotResponding,
            seen: self.measured().into(),
            threshold: self.numbers.after.as_secs(),
            unit: Unit::Seconds,
            window_ms: millis(self.numbers.after),
            samples: self.samples.to_vec(),
            not_fired: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
