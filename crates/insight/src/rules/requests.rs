//! The user's rule Request count.

use model::time::humanise;

use super::{RuleWords, counting};
use crate::report::{Action, Target};

pub(super) static WORDS: RuleWords = RuleWords {
    word: "requests",
    title: "Request count",
    sentences: counting::sentences,
    window: humanise,
    advice,
};

fn advice() -> Vec<Action> {
    vec![Action::at(
        "This rule counts all requests, failed or not. If nothing was wrong, raise its count or remove the rule.",
        Target::AutoHeal,
    )]
}
