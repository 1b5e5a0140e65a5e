//! What the user's rules that count requests have in common.

use std::time::Duration;

use model::auto_heal::Watch;
use model::auto_heal::measured::Measured;
use model::time::humanise;

use super::Sentences;
use crate::words;

/// What is counted: `answers of /api/* with status 500`.
pub fn what(counted: Option<&Watch>) -> String {
    let Some(Watch { statuses, at_least, path, .. }) = counted else {
        return "requests that ended".to_owned();
    };
    let of = path.as_ref().map(|path| format!(" of {path}")).unwrap_or_default();
    match statuses {
        None => format!("requests{of} that took {} or longer", humanise(*at_least)),
        Some(statuses) if statuses.start() == statuses.end() => {
            format!("answers{of} with status {}", statuses.start())
        }
        Some(statuses) => format!("answers{of} with status {}-{}", statuses.start(), statuses.end()),
    }
}

/// When such a rule acts.
pub fn condition(counted: Option<&Watch>, at_least: u64, interval: Duration) -> String {
    format!("when {} are at least {}", what(counted), words::within(at_least, interval))
}

pub(super) fn sentences(measured: &Measured) -> Option<Sentences> {
    let Measured::Requests { counted, at_least, interval, count, running } = measured else { return None };
    let still = if *running == 0 { String::new() } else { format!(", {running} of them still running") };
    let observed = format!("{} were {}{still}", what(counted.as_ref()), words::requests(*count));
    Some(Sentences::new(observed, condition(counted.as_ref(), *at_least, *interval)))
}
