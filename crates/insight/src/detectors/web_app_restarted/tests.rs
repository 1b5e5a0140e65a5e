use super::*;
use model::WorkerId;

const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const HOUR: Duration = Duration::from_hours(1);
const DAY: TimeRange = TimeRange { start: Timestamp::from_ms(1_769_847_300_000 - 86_400_000), end: NOW };

fn restart(at: Timestamp, reason: RestartReason) -> Restart {
    let old: WorkerId = "shop/1/1769747300000".parse().unwrap();
    Restart {
        app: old.instance.app.clone(),
        instance: old.instance.index,
        new: Some(WorkerId { started_at: at, ..old.clone() }),
        old,
        node: "a".to_owned(),
        at,
        reason,
        evidence: None,
        duration_ms: 2_000,
        drained: 3,
        failed: 0,
        outcome: RestartOutcome::Done,
    }
}

fn by_memory(at: Timestamp, blew_fuse: bool) -> Restart {
    restart(at, RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse })
}

fn crash(at: Timestamp) -> CrashPoint {
    CrashPoint { at, place: "a/0".to_owned(), incident: "a".repeat(16).parse().unwrap() }
}

fn places() -> Vec<String> {
    vec!["a/0".to_owned(), "a/1".to_owned()]
}

fn said(report: &Report) -> Vec<(Severity, &str)> {
    report.insights.iter().map(|insight| (insight.severity, insight.title.as_str())).collect()
}

fn detail<'i>(insight: &'i Insight, name: &str) -> &'i Detail {
    insight.details.iter().find(|detail| detail.name == name).unwrap()
}

#[test]
fn nothing_was_restarted_is_a_success() {
    let outside = [by_memory(DAY.start - HOUR, false), by_memory(DAY.end, false)];
    let report = report(DAY, &outside, &[], &places());
    assert_eq!(said(&report), [(Severity::Success, "No restarts in this time range")]);
    assert!(report.charts[0].series.is_empty());
}

#[test]
fn restarts_are_told_by_their_reason_worst_first() {
    let restarts = [
        restart(NOW - HOUR, RestartReason::ByHand { by: None }),
        by_memory(NOW - 2 * HOUR, true),
        by_memory(NOW - 3 * HOUR, false),
        restart(NOW - 4 * HOUR, RestartReason::ConfigurationChanged),
    ];
    let report = report(DAY, &restarts, &[], &places());
    assert_eq!(
        said(&report),
        [
            (Severity::Critical, "Too many restarts: the fuse blew"),
            (Severity::Warning, "2 restarts by the rule Percent memory"),
            (Severity::Info, "1 restart by hand"),
            (Severity::Info, "1 restart for a changed configuration"),
            (Severity::Success, "No request failed during 4 restarts"),
        ]
    );
    let memory = &report.insights[1];
    assert_eq!(detail(memory, "First"), &Detail::time("First", NOW - 3 * HOUR));
    assert_eq!(detail(memory, "Last"), &Detail::time("Last", NOW - 2 * HOUR));
    assert_eq!(detail(memory, "Instances"), &Detail::text("Instances", "a/1 (1 of 2)"));
    assert_eq!(detail(memory, "Requests drained"), &Detail::text("Requests drained", "6"));
    assert!(memory.advice[0].contains("Memory Analysis"));
}

#[test]
fn failed_requests_are_critical_and_failed_attempts_are_no_restarts() {
    let mut costly = by_memory(NOW - HOUR, false);
    costly.failed = 4;
    let mut attempt = by_memory(NOW - 2 * HOUR, false);
    attempt.outcome = RestartOutcome::Failed { why: "The new worker did not listen.".to_owned() };
    let report = report(DAY, &[costly, attempt], &[], &[]);
    assert_eq!(
        said(&report),
        [
            (Severity::Critical, "4 requests failed during 1 restart"),
            (Severity::Warning, "1 restart failed: the old worker stayed"),
            (Severity::Warning, "1 restart by the rule Percent memory"),
        ]
    );
    let why = detail(&report.insights[1], "Why the latest failed");
    assert_eq!(why, &Detail::text("Why the latest failed", "The new worker did not listen."));
}

#[test]
fn workers_that_crashed_are_counted_beside() {
    let report = report(DAY, &[], &[crash(NOW - HOUR), crash(NOW - 2 * HOUR)], &places());
    assert_eq!(
        said(&report),
        [
            (Severity::Warning, "2 workers crashed and had to be replaced"),
            (Severity::Success, "No restarts in this time range"),
        ]
    );
}

#[test]
fn the_chart_has_a_series_a_reason() {
    let mut attempt = by_memory(NOW - HOUR, false);
    attempt.outcome = RestartOutcome::Failed { why: String::new() };
    let restarts = [
        restart(DAY.start, RestartReason::ByHand { by: None }),
        by_memory(NOW - HOUR, true),
        by_memory(NOW - HOUR, false),
        attempt,
    ];
    let report = report(DAY, &restarts, &[crash(NOW - HOUR)], &places());
    let sums: Vec<_> = report.charts[0]
        .series
        .iter()
        .map(|series| (series.name.as_str(), series.values.len(), series.values.iter().sum::<u64>()))
        .collect();
    assert_eq!(
        sums,
        [
            ("Percent memory", 96, 2),
            ("Manual restart", 96, 1),
            ("Failed attempt", 96, 1),
            ("After a crash", 96, 1)
        ]
    );
    assert_eq!(report.charts[0].series[1].values[0], 1);
}
