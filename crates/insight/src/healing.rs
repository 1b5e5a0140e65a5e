//! What auto-heal did and did not do, and what bounds it, in words.

use std::time::Duration;

use model::auto_heal::RefusalReason;
use model::auto_heal::event::{ActionEnd, ActionResult, EventKind, HealEvent, NotStarted};
use model::auto_heal::restart::{Restart, RestartFailure, RestartReason};
use model::status::{InstanceMessage, RestartRefused, Restarting};
use model::time::humanise;

use crate::rules;
use crate::words::{instance_state, last_end};

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

/// Why a restart failed.
pub fn failure(why: &RestartFailure) -> String {
    match why {
        RestartFailure::NewWorker { end } => format!("The new worker did not take over. {}.", last_end(end)),
        RestartFailure::OldWorker => {
            "The old worker ended before the new one was ready. The new worker took its place.".to_owned()
        }
        RestartFailure::MedicStopped => "Medic was stopped.".to_owned(),
        RestartFailure::InstanceRemoved => "The instance was removed from medic.toml.".to_owned(),
        RestartFailure::Recorded(text) => text.clone(),
    }
}

/// What is to be said of an instance.
pub fn message(message: &InstanceMessage) -> String {
    match message {
        InstanceMessage::Ended { end } => format!("{}.", last_end(end)),
        InstanceMessage::RestartFailed { why } => format!("The last restart failed. {}", failure(why)),
        InstanceMessage::NotResponding => {
            "The worker is running and does not respond: no requests and no probe were answered.".to_owned()
        }
    }
}

/// Why an instance cannot be restarted now.
pub fn restart_refused(instance: u16, refused: &RestartRefused) -> String {
    match refused {
        RestartRefused::NotRunning { state } => {
            let state = instance_state(*state).to_lowercase();
            format!("Cannot restart instance {instance}: it is not running (state: {state}).")
        }
        RestartRefused::UnderWay(Restarting { since, reason, .. }) => format!(
            "Cannot restart instance {instance}: a restart is in progress since {since} ({}). Wait until it completes.",
            self::reason(reason)
        ),
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
        EventKind::Ran { exe, result } => format!("{rule} ran {exe}. {}", action_result(result)),
        EventKind::Refused { refused } => format!("{rule} triggered, no action: {}.", refusal(refused)),
    }
}

/// What came of a custom action.
pub fn action_result(result: &ActionResult) -> String {
    match result {
        ActionResult::Ended { end, output_lost: None } => format!("{}.", action_end(end)),
        ActionResult::Ended { end, output_lost: Some(error) } => {
            format!("{}. Its output was not saved: {error}.", action_end(end))
        }
        ActionResult::Recorded(text) => text.clone(),
    }
}

fn action_end(end: &ActionEnd) -> String {
    match end {
        ActionEnd::NotStarted { why } => format!("Not started: {}", not_started(*why)),
        ActionEnd::StartFailed { error } => format!("Failed to start: {error}"),
        ActionEnd::Exited { code } => format!("Exit code {code}"),
        ActionEnd::Signal { signal } => format!("Terminated by {signal}"),
        ActionEnd::TimedOut { limit_ms } => {
            format!("Killed after its time limit of {}", humanise(Duration::from_millis(*limit_ms)))
        }
        ActionEnd::MedicStopped => "Killed because Medic was shutting down".to_owned(),
        ActionEnd::Lost { error } => format!("Exit unknown: {error}"),
    }
}

const fn not_started(why: NotStarted) -> &'static str {
    match why {
        NotStarted::MedicStopped => "Medic was shutting down",
        NotStarted::LastIsRunning => "the last action of this instance was still running",
        NotStarted::UnbalancedParameters => "its parameters end within a quote or after a \\",
        NotStarted::AppRemoved => "the app is no longer configured",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::evidence::{Evidence, Rule, Unit};
    use model::auto_heal::measured::Measured;
    use model::auto_heal::restart::RestartOutcome;
    use model::crash_monitor::LastEnd;

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
                streams_ended: 0,
                tunnels_ended: 0,
                outcome: RestartOutcome::Done,
            };
            assert_eq!(restart_summary(&restart), format!("Restarted: {words}."));
        }
    }

    #[test]
    fn a_failed_restart_says_why_and_so_does_its_instance() {
        let new_worker = |end| RestartFailure::NewWorker { end };
        for (why, words) in [
            (
                new_worker(LastEnd::ExitCode { code: 3, fault: None }),
                "The new worker did not take over. Exit code 3.",
            ),
            (
                new_worker(LastEnd::NotReady { limit_ms: 30_000, readiness: None, fault: None }),
                "The new worker did not take over. Not ready within 30 s: no valid response on $PORT.",
            ),
            (
                RestartFailure::OldWorker,
                "The old worker ended before the new one was ready. The new worker took its place.",
            ),
            (RestartFailure::MedicStopped, "Medic was stopped."),
            (RestartFailure::InstanceRemoved, "The instance was removed from medic.toml."),
            (
                RestartFailure::Recorded("The new worker did not listen.".to_owned()),
                "The new worker did not listen.",
            ),
        ] {
            assert_eq!(failure(&why), words);
            assert_eq!(
                message(&InstanceMessage::RestartFailed { why }),
                format!("The last restart failed. {words}")
            );
        }
        let end = LastEnd::StartFailed { reason: "`nod` was not found".to_owned() };
        assert_eq!(message(&InstanceMessage::Ended { end }), "Failed to start: `nod` was not found.");
        assert!(message(&InstanceMessage::NotResponding).contains("does not respond"));
    }

    #[test]
    fn a_restart_that_cannot_be_begun_says_why_and_since_when() {
        use model::status::{InstanceState, RestartStage};
        let not_running = RestartRefused::NotRunning { state: InstanceState::Waiting };
        assert_eq!(
            restart_refused(1, &not_running),
            "Cannot restart instance 1: it is not running (state: waiting)."
        );
        let reason = RestartReason::ConfigurationChanged;
        let under_way = Restarting { since: AT, reason, stage: RestartStage::Draining };
        assert_eq!(
            restart_refused(0, &RestartRefused::UnderWay(under_way)),
            "Cannot restart instance 0: a restart is in progress since 2026-01-31T08:16:40.000Z (configuration changed). \
             Wait until it completes."
        );
    }

    #[test]
    fn what_a_rule_did_short_of_a_restart_is_one_sentence() {
        let ran = |result| EventKind::Ran { exe: "/bin/x".to_owned(), result };
        let recorded = ActionResult::Recorded("It ended.".to_owned());
        let output_lost = Some("storage full".to_owned());
        let refused = |refused| EventKind::Refused { refused };
        let minimum = RefusalReason::MinimumProcessTime { remaining_ms: 90_000 };
        for (what, words) in [
            (EventKind::Logged, "Slow requests triggered, logged."),
            (ran(recorded), "Slow requests ran /bin/x. It ended."),
            (ran(ActionEnd::Exited { code: 3 }.into()), "Slow requests ran /bin/x. Exit code 3."),
            (
                ran(ActionResult::Ended { end: ActionEnd::TimedOut { limit_ms: 600_000 }, output_lost }),
                "Slow requests ran /bin/x. Killed after its time limit of 10 min. Its output was not saved: storage full.",
            ),
            (
                ran(ActionEnd::NotStarted { why: NotStarted::LastIsRunning }.into()),
                "Slow requests ran /bin/x. Not started: the last action of this instance was still running.",
            ),
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
