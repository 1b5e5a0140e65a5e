use super::*;
use crate::detectors::tests::{DAY, NOW, evidence};
use crate::report::Cell;
use model::WorkerId;
use model::auto_heal::restart::RestartFailure;

const HOUR: Duration = Duration::from_hours(1);

fn restart(at: Timestamp, reason: RestartReason) -> Restart {
    let old: WorkerId = "a/shop/1/1769747300000".parse().unwrap();
    Restart {
        place: old.place.clone(),
        new: Some(WorkerId { started_at: at, ..old.clone() }),
        old,
        at,
        reason,
        evidence: None,
        duration_ms: 2_000,
        drained: 3,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
    }
}

fn by_memory(at: Timestamp, blew_fuse: bool) -> Restart {
    restart(at, RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse })
}

fn crashes(at: Timestamp, count: u64) -> CrashCount {
    CrashCount { first: at, at, place: "a/shop/0".parse().unwrap(), count, out_of_memory: 0 }
}

fn report_of(restarts: Vec<Restart>, crash_counts: Vec<CrashCount>) -> Report {
    report(&Evidence { crash_counts, restarts, ..evidence(DAY) })
}

fn said(report: &Report) -> Vec<(Severity, &str)> {
    report.insights.iter().map(|insight| (insight.severity, insight.title.as_str())).collect()
}

fn detail<'i>(insight: &'i Insight, name: &str) -> &'i Detail {
    insight.details.iter().find(|detail| detail.name == name).unwrap()
}

#[test]
fn nothing_was_restarted_is_healthy() {
    let report = report_of(vec![], vec![]);
    assert_eq!(said(&report), [(Severity::Healthy, "No restarts in this time range")]);
    assert!(report.charts[0].series.is_empty());
}

#[test]
fn restarts_are_told_by_their_reason_worst_first() {
    let restarts = vec![
        restart(NOW - HOUR, RestartReason::ByHand { by: None }),
        by_memory(NOW - 2 * HOUR, true),
        by_memory(NOW - 3 * HOUR, false),
        restart(NOW - 4 * HOUR, RestartReason::ConfigurationChanged),
    ];
    let report = report_of(restarts, vec![]);
    assert_eq!(
        said(&report),
        [
            (Severity::Warning, "Restart limit reached: proactive rules paused"),
            (Severity::Warning, "2 restarts by rule Percent memory"),
            (Severity::Info, "1 manual restart"),
            (Severity::Info, "1 restart after a configuration change"),
            (Severity::Healthy, "No requests failed during 4 restarts"),
        ]
    );
    let memory = &report.insights[1];
    assert_eq!(detail(memory, "First"), &Detail::time("First", NOW - 3 * HOUR));
    assert_eq!(detail(memory, "Last"), &Detail::time("Last", NOW - 2 * HOUR));
    assert_eq!(detail(memory, "Instances"), &Detail::text("Instances", "a/1 (1 of 2)"));
    assert_eq!(detail(memory, "Requests drained"), &Detail::text("Requests drained", "6"));
    assert_eq!(memory.actions[0].link, Some(Target::Detector { id: "memory-analysis" }));
}

#[test]
fn failed_requests_are_critical_while_they_are_new_and_failed_attempts_are_no_restarts() {
    for (ago, severity) in [(HOUR / 4, Severity::Critical), (HOUR, Severity::Warning)] {
        let mut costly = by_memory(NOW - ago, false);
        costly.failed = 4;
        let mut attempt = by_memory(NOW - 2 * HOUR, false);
        attempt.outcome = RestartOutcome::Failed {
            why: RestartFailure::Recorded("The new worker did not listen.".to_owned()),
        };
        let report = report_of(vec![costly, attempt], vec![]);
        assert_eq!(
            said(&report),
            [
                (severity, "4 requests failed during 1 restart"),
                (Severity::Warning, "1 restart failed: the old worker stayed"),
                (Severity::Warning, "1 restart by rule Percent memory"),
            ]
        );
        let why = detail(&report.insights[1], "Failure (latest)");
        assert_eq!(why, &Detail::text("Failure (latest)", "The new worker did not listen."));
    }
}

#[test]
fn workers_that_crashed_are_counted_beside_and_are_no_good_news() {
    let report = report_of(vec![], vec![crashes(NOW - HOUR, 1), crashes(NOW - 2 * HOUR, 4)]);
    assert_eq!(said(&report), [(Severity::Warning, "5 restarts after a crash")]);
}

#[test]
fn the_chart_has_a_series_a_reason() {
    let mut attempt = by_memory(NOW - HOUR, false);
    attempt.outcome = RestartOutcome::Failed { why: RestartFailure::Recorded(String::new()) };
    let restarts = vec![
        restart(DAY.start, RestartReason::ByHand { by: None }),
        by_memory(NOW - HOUR, true),
        by_memory(NOW - HOUR, false),
        attempt,
    ];
    let report = report_of(restarts, vec![crashes(NOW - HOUR, 3)]);
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
            ("After a crash", 96, 3)
        ]
    );
    assert_eq!(report.charts[0].series[1].values[0], 1);
}

#[test]
fn the_table_lists_the_newest_and_says_how_many_there_are() {
    let at = |number: u64| NOW - Duration::from_secs(number + 1);
    let restarts: Vec<Restart> =
        (0..=100).map(|number| restart(at(number), RestartReason::ByHand { by: None })).collect();
    let report = report_of(restarts, vec![]);
    let table = &report.tables[0];
    assert_eq!((table.rows.len(), table.rows[0][0].clone()), (100, Cell::Time(at(0))));
    assert_eq!(table.notes[0].text, "The newest 100 of 101 are listed.");
    assert_eq!(report.total.unwrap().count, 101);
}

#[test]
fn where_streams_ended_it_is_not_said_that_nothing_failed() {
    let cut = Restart { streams_ended: 6, tunnels_ended: 1, ..by_memory(NOW - HOUR, false) };
    let none = Restart { streams_ended: 0, tunnels_ended: 0, ..by_memory(NOW - 2 * HOUR, false) };
    let report = report_of(vec![cut, none.clone()], vec![]);
    assert_eq!(
        said(&report),
        [
            (Severity::Warning, "2 restarts by rule Percent memory"),
            (Severity::Info, "6 streams and 1 tunnel ended during 1 restart"),
        ]
    );
    let ended = Detail::text("Streams ended", "6 streams and 1 tunnel");
    assert_eq!(detail(&report.insights[0], "Streams ended"), &ended);
    assert_eq!(detail(&report.insights[1], "Requests failed"), &Detail::text("Requests failed", "0"));
    let quiet = report_of(vec![none], vec![]);
    assert!(said(&quiet).contains(&(Severity::Healthy, "No requests failed during 1 restart")));
}
