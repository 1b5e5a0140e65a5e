//! Percent request.

use model::auto_heal::arithmetic::percent;
use model::auto_heal::measured::Measured;
use model::auto_heal::percent_request::{LEAST, SHARE_PERCENT, SLOW, WINDOW};

use super::{RuleWords, Sentences};
use crate::report::Action;
use crate::words::{requests, seconds};

pub(super) static WORDS: RuleWords =
    RuleWords { word: "percent-request", title: "Percent request", sentences, window: seconds, advice };

/// When it acts.
pub fn condition() -> String {
    format!(
        "when at least {SHARE_PERCENT}% of the requests within {} took {} or longer, and at least {LEAST} did",
        seconds(WINDOW),
        seconds(SLOW)
    )
}

fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::PercentRequest { all, slow, slow_running } = *measured else { return None };
    let observed = format!(
        "{slow} of {} within {} took {} or longer ({}%), {slow_running} of them still running",
        requests(all),
        seconds(WINDOW),
        seconds(SLOW),
        percent(slow, all)
    );
    Some(Sentences::new(observed, condition()))
}

pub(super) fn advice() -> Vec<Action> {
    vec![Action::new(
        "Find what the requests waited for: a database, a lock or another service. A restart does not remove the cause.",
    )]
}
