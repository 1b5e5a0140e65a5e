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
//! Whatever answers is an answer, an error too: a worker that hangs on some paths and answers there is never replaced for this.
//! The rule decides when to ask and whoever observes carries it out; a question whose result is not told is asked again.

use model::auto_heal::not_responding::{LEAST, NotRespondingNumbers, PROBES};
use std::time::Duration;

use super::samples::Samples;
use crate::auto_heal::percent_memory::LONGEST_GAP;
use model::auto_heal::evidence::{Evidence, Firing, Reading, Rule, Standing, Unit};
use model::auto_heal::watch::{Observation, Unanswered};
use model::auto_heal::words::{millis, requests};
use model::time::humanise;
use model::{Monotonic, Now};

/// A question whose result is not told this long after it is due is asked again.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How far the evidence reaches back before the silence: what was normal is part of the picture.
const SHOWN_BEFORE: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probing {
    Listening,
    Asked { at: Monotonic, failed: u32 },
    Failed { asked_at: Monotonic, failed: u32 },
    Resting { until: Monotonic },
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
    /// The last question got no answer, and no byte has come since.
    unanswered: bool,
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
            unanswered: false,
            samples: Samples::new(SHOWN_BEFORE + numbers.after + numbers.answer_within * (PROBES + 1)),
        }
    }

    /// The numbers changed: another number begins anew.
    pub fn configure(&mut self, numbers: NotRespondingNumbers) {
        if self.numbers != numbers {
            *self = Self::new(numbers);
        }
    }

    /// Takes in one second; answers whether the worker is to be asked now.
    pub fn observe(&mut self, now: Now, seen: &Observation) -> bool {
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
        let is_silent = !seen.warm_up && at.since(heard_at) >= self.numbers.after && self.count() >= LEAST;
        let asks = is_silent && self.is_due(at);
        self.probing = match self.probing {
            Probing::Asked { failed, .. } | Probing::Failed { failed, .. } if asks => {
                Probing::Asked { at, failed }
            }
            _ if asks => Probing::Asked { at, failed: 0 },
            Probing::Failed { .. } if !is_silent => Probing::Listening,
            probing => probing,
        };
        asks
    }

    /// What came of asking the worker.
    pub fn probed(&mut self, now: Now, answered: bool) -> Option<Firing> {
        let Probing::Asked { at, failed } = self.probing else { return None };
        self.unanswered = !answered;
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
        self.unanswered = false;
    }

    /// No byte came back for so long that it was asked, and it did not answer.
    pub const fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    /// Its present value beside its threshold.
    pub fn reading(&self) -> Reading {
        Reading {
            rule: Rule::NotResponding,
            standing: Standing::Watching,
            text: format!("{}; it acts {}", self.observed(), self.numbers.condition()),
            value: Some(self.value()),
            threshold: Some(self.numbers.after.as_secs()),
            unit: Unit::Seconds,
        }
    }

    fn heard(&mut self, at: Monotonic) {
        self.heard_at = Some(at);
        self.given_up = 0;
        self.probing = Probing::Listening;
        self.unanswered = false;
    }

    fn begin_anew(&mut self) {
        (self.heard_at, self.looked_at) = (None, None);
        (self.given_up, self.waiting) = (0, 0);
        self.probing = Probing::Listening;
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

    fn observed(&self) -> String {
        let probes = match self.probing {
            Probing::Listening => "no probe was due".to_owned(),
            Probing::Resting { .. } => "the probe was answered".to_owned(),
            Probing::Asked { failed, .. } | Probing::Failed { failed, .. } => {
                format!("{failed} of {PROBES} probes got no answer")
            }
        };
        format!(
            "no byte came back for {}, {} waiting and {} given up on, and {probes}",
            humanise(self.silence()),
            requests(self.waiting),
            self.given_up
        )
    }

    fn evidence(&self) -> Evidence {
        Evidence {
            rule: Rule::NotResponding,
            condition: self.numbers.condition(),
            observed: self.observed(),
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
