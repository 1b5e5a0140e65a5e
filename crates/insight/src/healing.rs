//! What auto-heal did and did not do, and what bounds it, in words.

use std::time::Duration;

use model::auto_heal::RefusalReason;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::restart::{Restart, RestartReason};
use model::time::humanise;

use crate::rules;

/// Why a worker was to be replaced, within a sentence.
pub fn reason(reason: &RestartReason) -> String {
    match reason {
        RestartReason::ByHand { by: None } => "manual restart".to_owned(),
        RestartReason::ByHand { by: Some(by) } => format!("manual restart by {by}"),
        RestartReason::Rule { rule, blew_fuse: false } => rules::title(*rule),
        RestartReason::Rule { rule, blew_fuse: true } => {
            format!("{}, restart limit reached", rules::title(*rule))
        }
        RestartReason::ConfigurationChanged => "configuration changed".to_owned(),
    }
}

/// What happened and why, in one sentence.
pub fn restart_summary(restart: &Restart) -> String {
    match &restart.evidence {
        Some(evidence) => rules::summary(evidence),
        None => format!("Restarted: {}.", reason(&restart.reason)),
    }
}

/// Why a rule that was met did nothing.
pub fn refusal(refused: &RefusalReason) -> String {
    match refused {
        RefusalReason::MinimumProcessTime { remaining_ms } => {
            let remaining = humanise(Duration::from_millis(*remaining_ms));
            format!("the worker had {remaining} left of its minimum time")
        }
        RefusalReason::FuseBlown { until } => format!("proactive rules are paused until {until}"),
        RefusalReason::RestartUnderWay => "a restart of this instance is in progress".to_owned(),
    }
}

/// What happened, in one sentence; the evidence says why.
pub fn event_summary(event: &HealEvent) -> String {
    let rule = rules::title(event.evidence.rule);
    match &event.what {
        EventKind::Logged => format!("{rule} triggered, logged."),
        EventKind::Ran { exe, result } => format!("{rule} ran {exe}: {result}"),
        EventKind::Refused { refused } => format!("{rule} triggered, no action: {}.", refusal(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::evidence::{Evidence, Rule, Unit};
    use model::auto_heal::measured::Measured;
    use model::auto_heal::restart::RestartOutcome;

    const AT: Timestamp = Timestamp::from_ms(1_769_847_400_000);

    #[test]
    fn a_restart_says_why() {
        let by_hand = |by: Option<&str>| RestartReason::ByHand { by: by.map(str::to_owned) };
        let rule = |blew_fuse| RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse };
        for (why, words) in [
            (by_hand(None), "manual restart"),
            (by_hand(Some("alice (uid 1000)")), "manual restart by alice (uid 1000)"),
            (RestartReason::ConfigurationChanged, "configuration changed"),
            (rule(false), "Percent memory"),
            (rule(true), "Percent memory, restart limit reached"),
        ] {
            assert_eq!(reason(&why), words);
            let restart = Restart {
                old: "node-a/shop/1/1769847300000".parse().unwrap(),
                new: None,
                place: "node-a/shop/1".parse().unwrap(),
                at: AT,
                reason: why,
                evidence: None,
                duration_ms: 1,
                drained: 0,
                failed: 0,
                outcome: RestartOutcome::Done,
            };
            assert_eq!(restart_summary(&restart), format!("Restarted: {words}."));
        }
    }

    #[test]
    fn what_a_rule_did_short_of_a_restart_is_one_sentence() {
        let ran = EventKind::Ran { exe: "/bin/x".to_owned(), result: "It ended.".to_owned() };
        let refused = |refused| EventKind::Refused { refused };
        let minimum = RefusalReason::MinimumProcessTime { remaining_ms: 90_000 };
        for (what, words) in [
            (EventKind::Logged, "Slow requests triggered, logged."),
            (ran, "Slow requests ran /bin/x: It ended."),
            (
                refused(minimum),
                "Slow requests triggered, no action: the worker had 1 min 30 s left of its minimum time.",
            ),
            (
                refused(RefusalReason::FuseBlown { until: AT }),
                "Slow requests triggered, no action: proactive rules are paused until 2026-01-31T08:16:40.000Z.",
            ),
            (
                refused(RefusalReason::RestartUnderWay),
                "Slow requests triggered, no action: a restart of this instance is in progress.",
            ),
        ] {
            let evidence = Evidence {
                rule: Rule::SlowRequests,
                seen: Measured::PrivateBytes { threshold_bytes: 1, bytes: None }.into(),
                threshold: 1,
                unit: Unit::Requests,
                window_ms: 1,
                samples: vec![],
                not_fired: vec![],
            };
            let worker = "node-a/shop/1/1769847300000".parse().unwrap();
            let event = HealEvent { worker, at: AT, evidence, what };
            assert_eq!(event_summary(&event), words);
        }
    }
}
