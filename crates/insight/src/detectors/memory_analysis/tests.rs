use super::*;
use crate::detectors::tests::{DAY, NOW, evidence};
use crate::report::{DetailValue, MarkKind};
use model::auto_heal::restart::RestartFailure;
use model::{CrashCause, WorkerId};

const MB: u64 = 1 << 20;
const LIMIT: u64 = 1_000 * MB;

fn ago(minutes: u64) -> Timestamp {
    NOW - Duration::from_mins(minutes)
}

/// The last `minutes` minutes of an instance of node `a`, told the minute's number from the first.
fn history(instance: u16, minutes: u64, private_bytes: impl Fn(u64) -> u64) -> Vec<MemoryHistory> {
    let place = Place { node: "a".parse().unwrap(), app: "shop".parse().unwrap(), instance };
    let minute = |number: u64| MemoryMinute {
        minute: ago(minutes - number),
        private_bytes_max: private_bytes(number),
        limit_bytes: LIMIT,
    };
    vec![MemoryHistory { place, minutes: (0..minutes).map(minute).collect() }]
}

fn restart(at: Timestamp, rule: Rule) -> Restart {
    let old: WorkerId = "a/shop/0/1769747300000".parse().unwrap();
    Restart {
        place: old.place.clone(),
        new: None,
        old,
        at,
        reason: RestartReason::Rule { rule, blew_fuse: false },
        evidence: None,
        duration_ms: 2_000,
        drained: 0,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
    }
}

fn end(at: Timestamp, cause: CrashCause, count: u64) -> CrashCount {
    let out_of_memory = if cause == CrashCause::OutOfMemory { count } else { 0 };
    CrashCount { first: at, at, place: "a/shop/0".parse().unwrap(), count, out_of_memory }
}

/// Of an app of one instance, unless more have memory.
fn report_of(memory: Vec<MemoryHistory>, restarts: Vec<Restart>, crash_counts: Vec<CrashCount>) -> Report {
    let places = vec!["a/shop/0".parse().unwrap()];
    report(&Evidence { places, crash_counts, restarts, memory, ..evidence(DAY) })
}

fn said(report: &Report) -> Vec<(Severity, &str)> {
    report.insights.iter().map(|insight| (insight.severity, insight.title.as_str())).collect()
}

fn detail(insight: &Insight, name: &str) -> DetailValue {
    insight.details.iter().find(|detail| detail.name == name).unwrap().value.clone()
}

#[test]
fn nothing_recorded_is_said_and_is_not_healthy() {
    let report = report_of(vec![], vec![], vec![]);
    assert_eq!(said(&report), [(Severity::Info, "No memory recorded in this time range")]);
    assert!(report.lines[0].lines.is_empty());
}

#[test]
fn a_calm_app_is_healthy_with_its_figures() {
    let memory = history(0, 600, |minute| 420 * MB + MB * (minute % 5));
    let report = report(&Evidence { memory, ..evidence(DAY) });
    assert_eq!(
        said(&report),
        [
            (Severity::Info, "No memory recorded of a/1"),
            (Severity::Healthy, "Memory below threshold: peak 424 MiB of 1000 MiB (42%)"),
        ]
    );
    let figures = DetailValue::Text("peak 424 MiB of 1000 MiB (42%); last 424 MiB".to_owned());
    assert_eq!(detail(&report.insights[1], "a/0"), figures);
}

#[test]
fn little_is_not_nothing() {
    let report = report_of(history(0, 10, |_| MB), vec![], vec![]);
    assert_eq!(said(&report), [(Severity::Healthy, "Memory below threshold: peak 1 MiB of 1000 MiB (<1%)")]);
}

#[test]
fn above_90_percent_is_a_warning_and_said_to_last_while_it_does() {
    for (bytes, ago_minutes, title) in [
        (900 * MB, 1, None),
        (900 * MB + 1, 1, Some("a/0 is above 90% of its memory limit")),
        (900 * MB + 1, 15, Some("a/0 is above 90% of its memory limit")),
        (900 * MB + 1, 16, Some("a/0 was above 90% of its memory limit")),
    ] {
        let mut memory = history(0, 1, |_| bytes);
        memory[0].minutes[0].minute = ago(ago_minutes);
        let report = report_of(memory, vec![], vec![]);
        let near = said(&report).into_iter().find(|(_, title)| title.contains("above 90%"));
        assert_eq!(near, title.map(|title| (Severity::Warning, title)), "{bytes} {ago_minutes}");
    }
    let memory = history(0, 10, |minute| if minute == 5 { 950 * MB } else { 100 * MB });
    let report = report_of(memory, vec![], vec![]);
    assert_eq!(
        said(&report),
        [
            (Severity::Warning, "a/0 was above 90% of its memory limit"),
            (Severity::Info, "Peak memory: 950 MiB of 1000 MiB (95%)")
        ]
    );
}

#[test]
fn growth_says_its_rate_and_when_the_limit_is_reached() {
    // 60 MiB an hour, from 400 MiB to 699 MiB of 1000 MiB: 5 h 1 min are left
    let memory = history(0, 300, |minute| 400 * MB + MB * minute);
    let report = report_of(memory, vec![], vec![]);
    assert_eq!(said(&report)[0], (Severity::Warning, "a/0 grows by 60 MiB an hour: possible memory leak"));
    let insight = &report.insights[0];
    assert_eq!(detail(insight, "Time to limit"), DetailValue::Text("about 5 h 10 min".to_owned()));
    assert_eq!(detail(insight, "Observed for"), DetailValue::Text("4 h 59 min".to_owned()));
}

#[test]
fn how_soon_the_limit_is_reached_decides_how_bad_it_is() {
    for (begin, step, severity) in
        [(780, 2, Severity::Warning), (990, 2, Severity::Warning), (100, 1, Severity::Warning)]
    {
        let memory = history(0, 60, |minute| begin * MB + step * MB * minute);
        let report = report_of(memory, vec![], vec![]);
        let grows = said(&report).into_iter().find(|(_, title)| title.contains("grows by")).unwrap();
        assert_eq!(grows.0, severity, "{begin} {step}");
        assert!(grows.1.ends_with("possible memory leak"));
    }
    let slow = history(0, 1_400, |minute| 100 * MB + MB * minute / 100);
    let slow = report_of(slow, vec![], vec![]);
    assert_eq!(
        said(&slow),
        [
            (Severity::Info, "a/0 grows by 614 KiB an hour"),
            (Severity::Healthy, "Memory below threshold: peak 113.98 MiB of 1000 MiB (11%)"),
        ]
    );
}

#[test]
fn growth_is_looked_for_in_the_present_worker_alone() {
    let history = |restarted_ago: u64| {
        history(
            0,
            200,
            move |minute| {
                if minute < 200 - restarted_ago { 300 * MB + MB * minute } else { 250 * MB }
            },
        )
    };
    let restarts = vec![restart(ago(100) - Duration::from_millis(2_500), Rule::PercentMemory)];
    let by_restart = report_of(history(100), restarts, vec![]);
    assert_eq!(said(&by_restart)[0], (Severity::Warning, "1 restart because of memory"));
    assert_eq!(by_restart.insights.len(), 2, "{:?}", said(&by_restart));
    let kills = vec![end(ago(100) - Duration::from_millis(1), CrashCause::OutOfMemory, 1)];
    let by_kill = report_of(history(100), vec![], kills);
    assert_eq!(said(&by_kill)[0], (Severity::Warning, "1 out-of-memory kill"));
    assert_eq!(by_kill.insights.len(), 2, "{:?}", said(&by_kill));

    // a replaced worker that begins far below
    let falls = super::tests::history(0, 200, |minute| {
        if minute < 100 { 600 * MB } else { 100 * MB + 2 * MB * (minute - 100) }
    });
    let falls = report_of(falls, vec![], vec![]);
    assert!(falls.insights[0].title.contains("grows by 120 MiB an hour"), "{:?}", said(&falls));
}

#[test]
fn a_kill_is_critical_while_it_is_new_and_counts_as_often_as_it_happened() {
    let kills = end(ago(15), CrashCause::OutOfMemory, 3);
    let report = report_of(history(0, 60, |_| MB), vec![], vec![kills, end(ago(1), CrashCause::Signal, 1)]);
    assert_eq!(said(&report)[0], (Severity::Critical, "3 out-of-memory kills"));
}

#[test]
fn restarts_of_another_kind_or_that_failed_are_not_for_memory() {
    let mut failed = restart(ago(10), Rule::PrivateBytes);
    failed.outcome =
        RestartOutcome::Failed { why: RestartFailure::Recorded("It did not listen.".to_owned()) };
    let restarts = vec![restart(ago(20), Rule::SlowRequests), failed];
    let report = report_of(history(0, 60, |_| 500 * MB), restarts, vec![]);
    assert!(!said(&report).iter().any(|(_, title)| title.contains("because of memory")));
    let marks: Vec<_> = report.lines[0].marks.iter().map(|mark| (mark.kind, mark.text.as_str())).collect();
    assert_eq!(marks, [(MarkKind::Restart, "Slow requests"), (MarkKind::Restart, "Private bytes (failed)")]);
}

#[test]
fn the_chart_has_a_line_an_instance_with_gaps_its_limit_and_the_marks() {
    let mut memory = history(0, 20, |minute| 500 * MB + minute);
    memory.extend(history(3, 5, |_| 600 * MB));
    let crashes = vec![
        end(ago(6), CrashCause::Signal, 1),
        end(ago(8), CrashCause::Signal, 4),
        end(ago(7), CrashCause::OutOfMemory, 1),
    ];
    let rules = [(9, Rule::PercentMemory), (3, Rule::PercentMemory), (2, Rule::PercentRequest)];
    let restarts = rules.map(|(minutes, rule)| restart(ago(minutes), rule)).to_vec();
    let report = report_of(memory, restarts, crashes);
    let chart = &report.lines[0];
    let lines: Vec<_> = chart
        .lines
        .iter()
        .map(|line| (line.name.as_str(), line.values.iter().flatten().count(), line.values[143]))
        .collect();
    assert_eq!(lines, [("a/0", 2, Some(500 * MB + 19)), ("a/3", 1, Some(600 * MB))]);
    assert_eq!((chart.lines[0].limits[143], chart.lines[0].limits[0]), (Some(LIMIT), None));
    let marks: Vec<_> =
        chart.marks.iter().map(|mark| (mark.at, mark.kind, mark.count, mark.text.as_str())).collect();
    let expected = [
        (ago(9), MarkKind::Restart, 2, "Percent memory"),
        (ago(8), MarkKind::Crash, 5, ""),
        (ago(7), MarkKind::OutOfMemory, 1, ""),
        (ago(2), MarkKind::Restart, 1, "Percent request"),
    ];
    assert_eq!(marks, expected, "what happens alike within a bucket is one mark");
    assert_eq!(chart.bucket_start(144), DAY.end);
}
