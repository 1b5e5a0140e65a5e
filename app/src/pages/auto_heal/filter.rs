//! Which part of the history is shown: by rule or reason, by instance, by outcome. The words in the address are ours; others
//! choose nothing.

use insight::rules;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};

/// What a restart can be for beside a rule: its word in the address, and its name.
const OTHER_REASONS: [(&str, &str); 2] =
    [("by-hand", "Manual restart"), ("configuration", "Configuration changed")];

/// How either can have gone.
const OUTCOMES: [(&str, &str); 5] = [
    ("done", "Restarted"),
    ("failed", "Restart failed"),
    ("logged", "Logged"),
    ("ran", "Custom action ran"),
    ("refused", "No action"),
];

/// What was chosen; nothing chosen is everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) reason: Option<&'static str>,
    pub(super) instance: Option<u16>,
    pub(super) outcome: Option<&'static str>,
}

impl Filter {
    pub(super) fn of_words(reason: Option<&str>, instance: Option<&str>, outcome: Option<&str>) -> Self {
        let of = |words: &[(&'static str, &'static str)], word: Option<&str>| {
            words.iter().map(|(known, _)| *known).find(|known| Some(*known) == word)
        };
        Self {
            reason: of(&Self::reasons(), reason),
            instance: instance.and_then(|text| text.parse().ok()),
            outcome: of(&OUTCOMES, outcome),
        }
    }

    /// What a restart or an event can be for: its word in the address, and its name.
    pub(super) fn reasons() -> Vec<(&'static str, &'static str)> {
        rules::RULES.iter().map(|rule| (rule.word, rule.title)).chain(OTHER_REASONS).collect()
    }

    pub(super) const fn outcomes() -> &'static [(&'static str, &'static str)] {
        &OUTCOMES
    }

    /// As it stands in an address.
    pub(super) fn words(&self) -> Vec<(&'static str, String)> {
        let words = [
            ("reason", self.reason.map(str::to_owned)),
            ("instance", self.instance.map(|index| index.to_string())),
            ("outcome", self.outcome.map(str::to_owned)),
        ];
        words.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(super) fn takes_restart(&self, restart: &Restart) -> bool {
        let outcome = match restart.outcome {
            RestartOutcome::Done => "done",
            RestartOutcome::Failed { .. } => "failed",
        };
        self.takes(reason_word(&restart.reason), restart.place.instance, outcome)
    }

    pub(super) fn takes_event(&self, event: &HealEvent) -> bool {
        let outcome = match event.what {
            EventKind::Logged => "logged",
            EventKind::Ran { .. } => "ran",
            EventKind::Refused { .. } => "refused",
        };
        self.takes(rules::words(event.evidence.rule).word, event.worker.place.instance, outcome)
    }

    fn takes(&self, reason: &str, instance: u16, outcome: &str) -> bool {
        self.reason.is_none_or(|wanted| wanted == reason)
            && self.instance.is_none_or(|wanted| wanted == instance)
            && self.outcome.is_none_or(|wanted| wanted == outcome)
    }
}

const fn reason_word(reason: &RestartReason) -> &'static str {
    match reason {
        RestartReason::ByHand { .. } => "by-hand",
        RestartReason::ConfigurationChanged => "configuration",
        RestartReason::Rule { rule, .. } => rules::words(*rule).word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::Rule;
    use model::auto_heal::restart::RestartFailure;

    fn restart(reason: RestartReason, instance: u16, outcome: RestartOutcome) -> Restart {
        Restart {
            old: format!("n/shop/{instance}/1769847300000").parse().unwrap(),
            new: None,
            place: format!("n/shop/{instance}").parse().unwrap(),
            at: Timestamp::from_ms(1_769_847_400_000),
            reason,
            evidence: None,
            duration_ms: 1,
            drained: 0,
            failed: 0,
            streams_ended: 0,
            tunnels_ended: 0,
            outcome,
        }
    }

    #[test]
    fn each_word_chooses_its_own_and_an_unknown_one_nothing() {
        let by_hand = restart(RestartReason::ByHand { by: None }, 1, RestartOutcome::Done);
        let reason = RestartReason::Rule { rule: Rule::StatusCode { index: 4 }, blew_fuse: false };
        let failed =
            restart(reason, 0, RestartOutcome::Failed { why: RestartFailure::Recorded(String::new()) });
        let cases = [
            ((None, None, None), (true, true)),
            ((Some("by-hand"), None, None), (true, false)),
            ((Some("status-code"), None, None), (false, true)),
            ((None, Some("0"), None), (false, true)),
            ((None, None, Some("done")), (true, false)),
            ((Some("by-hand"), Some("0"), None), (false, false)),
            ((Some("<b>"), Some("x"), Some("")), (true, true)),
        ];
        for ((reason, instance, outcome), expected) in cases {
            let filter = Filter::of_words(reason, instance, outcome);
            let taken = (filter.takes_restart(&by_hand), filter.takes_restart(&failed));
            assert_eq!(taken, expected, "{filter:?}");
        }
    }
}
