//! The user's rule Status code.

use model::time::humanise;

use super::{RuleWords, counting};
use crate::report::Action;

pub(super) static WORDS: RuleWords = RuleWords {
    word: "status-code",
    title: "Status code",
    sentences: counting::sentences,
    window: humanise,
    advice,
};

pub(super) fn advice() -> Vec<Action> {
    vec![Action::new(
        "Read the app's log from before the first of them for the reason of these status codes.",
    )]
}
