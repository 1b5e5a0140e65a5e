//! The user's rule Slow requests with path.

use model::time::humanise;

use super::{RuleWords, counting, percent_request};

pub(super) static WORDS: RuleWords = RuleWords {
    word: "slow-requests-with-path",
    title: "Slow requests with path",
    sentences: counting::sentences,
    window: humanise,
    advice: percent_request::advice,
};
