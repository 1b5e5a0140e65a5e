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

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::config::Violation;
use super::evidence::{Evidence, Firing, Reading, Rule, Samples, Standing, Unit};
use super::percent_memory::LONGEST_GAP;
use super::watch::{Observation, Unanswered};
use super::words::{millis, requests};
use crate::time::humanise;
use crate::{Monotonic, Now};

/// So many requests must have waited or been given up on.
pub const LEAST: u64 = 3;
/// So many questions must have got no answer.
pub const PROBES: u32 = 2;
/// A question whose result is not told this long after it is due is asked again.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// How far the evidence reaches back before the silence: what was normal is part of the picture.
const SHOWN_BEFORE: Duration = Duration::from_mins(1);

/// The numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRespondingNumbers {
    /// The app did not opt out of this rule alone. Default true.
    pub enabled: bool,
    /// No byte for this long. Default 60 s.
    pub after: Duration,
    /// A question must be answered within this long. Default 10 s.
    pub answer_within: Duration,
}

impl Default for NotRespondingNumbers {
    fn default() -> Self {
        Self { enabled: true, after: Duration::from_mins(1), answer_within: Duration::from_secs(10) }
    }
}

impl NotRespondingNumbers {
    /// Everything that is wrong with them.
    pub fn check(&self) -> Vec<Violation> {
        let second = Duration::from_secs(1);
        let checks = [
            ("after", (second..=Duration::from_hours(1)).contains(&self.after), "1 second to 1 hour"),
            (
                "probe",
                (second..=Duration::from_mins(1)).contains(&self.answer_within),
                "1 second to 1 minute",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        wrong
            .map(|(field, _, limit)| Violation {
                field: format!("not_responding.{field}"),
                message: format!("it does not fit: {limit}"),
            })
            .collect()
    }

    /// When it acts, to be read after "it acts".
    pub fn condition(&self) -> String {
        format!(
            "when no byte comes back for {} while at least {LEAST} requests wait or are given up on, and {PROBES} probes get no answer within {}",
            humanise(self.after),
            humanise(self.answer_within)
        )
    }
}

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
