//! Not responding.

use std::time::Duration;

use model::auto_heal::NotRespondingNumbers;
use model::auto_heal::measured::{Measured, Probes};
use model::auto_heal::not_responding::{LEAST, PROBES};
use model::time::humanise;

use super::{RuleWords, Sentences};
use crate::report::Action;
use crate::words::requests;

pub(super) static WORDS: RuleWords =
    RuleWords { word: "not-responding", title: "Not responding", sentences, window: humanise, advice };

/// When it acts.
pub fn condition(numbers: NotRespondingNumbers) -> String {
    format!(
        "when no byte comes back for {} while at least {LEAST} requests wait or are given up on, and {PROBES} probes get no answer within {}",
        humanise(numbers.after),
        humanise(numbers.answer_within)
    )
}

fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::NotResponding { numbers, silent_ms, waiting, given_up, probes } = *measured else {
        return None;
    };
    let probes = match probes {
        Probes::NotDue => "no probe was due".to_owned(),
        Probes::Answered => "the probe was answered".to_owned(),
        Probes::Unanswered { failed } => format!("{failed} of {PROBES} probes got no answer"),
    };
    let observed = format!(
        "no byte came back for {}, {} waiting and {given_up} given up on, and {probes}",
        humanise(Duration::from_millis(silent_ms)),
        requests(waiting)
    );
    Some(Sentences::new(observed, condition(numbers)))
}

fn advice() -> Vec<Action> {
    vec![Action::new(
        "Find what blocked the worker: a deadlock, an endless loop or a blocked event loop. A restart does not remove the cause.",
    )]
}
