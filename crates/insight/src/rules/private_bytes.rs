//! The user's rule Private bytes.

use model::auto_heal::measured::Measured;
use model::time::humanise;

use super::{RuleWords, Sentences, percent_memory};
use crate::words::bytes;

pub(super) static WORDS: RuleWords = RuleWords {
    word: "private-bytes",
    title: "Private bytes",
    sentences,
    window: humanise,
    advice: percent_memory::advice,
};

/// When it acts, without what was said before.
pub fn condition(threshold_bytes: u64) -> String {
    format!("when private bytes are above {}", bytes(threshold_bytes))
}

fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::PrivateBytes { threshold_bytes, bytes: now } = *measured else { return None };
    let observed = now.map_or_else(
        || "private bytes are not known yet".to_owned(),
        |now| format!("private bytes are {}", bytes(now)),
    );
    Some(Sentences::new(observed, format!("when they are above {}", bytes(threshold_bytes))))
}
