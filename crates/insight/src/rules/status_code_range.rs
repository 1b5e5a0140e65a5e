//! The user's rule Status code range.

use model::time::humanise;

use super::{RuleWords, counting, status_code};

pub(super) static WORDS: RuleWords = RuleWords {
    word: "status-code-range",
    title: "Status code range",
    sentences: counting::sentences,
    window: humanise,
    advice: status_code::advice,
};
