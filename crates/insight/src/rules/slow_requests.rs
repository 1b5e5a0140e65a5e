//! The user's rule Slow requests.

use model::time::humanise;

use super::{RuleWords, counting, percent_request};

pub(super) static WORDS: RuleWords = RuleWords {
    word: "slow-requests",
    title: "Slow requests",
    sentences: counting::sentences,
    window: humanise,
    advice: percent_request::advice,
};
