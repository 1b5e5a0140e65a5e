use super::*;
use crate::report::DetailValue;
use model::{InstanceKey, WorkerId};

const MB: u64 = 1 << 20;
const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const DAY: TimeRange = TimeRange { start: Timestamp::from_ms(1_769_847_300_000 - 86_400_000), end: NOW };
const LIMIT: u64 = 1_000 * MB;

fn ago(minutes: u64) -> Timestamp {
    NOW - Duration::from_mins(minutes)
}

/// The last `minutes` minutes of an instance of node `a`, told the minute's number from the first.
fn course(index: u16, minutes: u64, private_bytes: impl Fn(u64) -> u64) -> Vec<(String, MemoryMinute)> {
    let instance = InstanceKey { app: "shop".parse().unwrap(), index };
    let minute = |number: u64| MemoryMinute {
        instance: instance.clone(),
        minute: ago(minutes - number),
        private_bytes_max: private_bytes(number),
        limit_bytes: LIMIT,
    };
    (0..minutes).map(|number| ("a".to_owned(), minute(number))).collect()
}

fn restart(at: Timestamp, rule: Rule) -> Restart {
    let old: WorkerId = "shop/0/1769747300000".parse().unwrap();
    Restart {
        app: old.instance.app.clone(),
        instance: old.instance.index,
        new: None,
        old,
        node: "a".to_owned(),
        at,
        reason: RestartReason::Rule { rule, blew_fuse: false },
        evidence: None,
        duration_ms: 2_000,
        drained: 0,
        failed: 0,
        outcome: RestartOutcome::Done,
    }
}

fn end(at: Timestamp, cause: CrashCause) -> CrashEnd {
    CrashEnd { at, place: "a/0".to_owned(), cause }
}

fn places() -> Vec<String> {
    vec!["a/0".to_owned()]
}

fn said(report: &Report) -> Vec<(Severity, &str)> {
    report.insights.iter().map(|insight| (insight.severity, insight.title.as_str())).collect()
}

fn detail(insight: &Insight, name: &str) -> DetailValue {
    insight.details.iter().find(|detail| detail.name == name).unwrap().value.clone()
}

#[test]
fn nothing_recorded_is_said_and_is_no_success() {
    let before = course(0, 3_000, |_| MB);
    let report = report(DAY, &before[..10], &[], &[], &places());
    assert_eq!(said(&report), [(Severity::None, "No memory is recorded in this time range")]);
    assert!(report.lines[0].lines.is_empty());
}

#[test]
fn a_calm_app_is_a_success_with_its_figures() {
    let memory = course(0, 600, |minute| 420 * MB + MB * (minute % 5));
    let report = report(DAY, &memory, &[], &[], &["a/0".to_owned(), "a/1".to_owned()]);
    assert_eq!(
        said(&report),
        [
            (Severity::Success, "No instance had more than 42 % of its memory limit"),
            (Severity::None, "No memory is recorded of a/1"),
        ]
    );
    let figures = DetailValue::Text("at most 424 MB of 1000 MB (42 %); last 424 MB".to_owned());
    assert_eq!(detail(&report.insights[0], "a/0"), figures);
}

#[test]
fn above_90_percent_is_critical_while_it_lasts() {
    for (bytes, ago_minutes, severity) in [
        (900 * MB, 1, None),
        (900 * MB + 1, 1, Some(Severity::Critical)),
        (900 * MB + 1, 15, Some(Severity::Critical)),
        (900 * MB + 1, 16, Some(Severity::Warning)),
    ] {
        let mut memory = course(0, 1, |_| bytes);
        memory[0].1.minute = ago(ago_minutes);
        let report = report(DAY, &memory, &[], &[], &places());
        let near = report.insights.iter().find(|insight| insight.title.contains("above 90 %"));
        assert_eq!(near.map(|insight| insight.severity), severity, "{bytes} {ago_minutes}");
    }
    let mut memory = course(0, 10, |minute| if minute == 5 { 950 * MB } else { 100 * MB });
    memory.reverse();
    let report = report(DAY, &memory, &[], &[], &places());
    assert_eq!(said(&report)[0], (Severity::Warning, "a/0 was above 90 % of its memory limit"));
}

#[test]
fn growth_says_its_rate_and_when_the_limit_is_reached() {
    // 60 MB an hour, from 400 MB to 699 MB of 1000 MB: 5 h 1 min are left
    let memory = course(0, 300, |minute| 400 * MB + MB * minute);
    let report = report(DAY, &memory, &[], &[], &places());
    assert_eq!(said(&report)[0], (Severity::Warning, "a/0 grows by 60 MB an hour: a leak is suspected"));
    let insight = &report.insights[0];
    let left = detail(insight, "At this rate the limit is reached");
    assert_eq!(left, DetailValue::Text("in about 5 h 10 min".to_owned()));
    assert_eq!(detail(insight, "Seen over"), DetailValue::Text("4 h 59 min".to_owned()));
}

#[test]
fn how_soon_the_limit_is_reached_decides_how_bad_it_is() {
    for (begin, step, severity) in
        [(780, 2, Severity::Critical), (400, 2, Severity::Warning), (100, 1, Severity::Warning)]
    {
        let memory = course(0, 60, |minute| begin * MB + step * MB * minute);
        let report = report(DAY, &memory, &[], &[], &places());
        assert_eq!(report.insights[0].severity, severity, "{begin} {step}");
        assert!(report.insights[0].title.contains("grows by"));
    }
    let slow = course(0, 1_400, |minute| 100 * MB + MB * minute / 100);
    let slow = report(DAY, &slow, &[], &[], &places());
    assert_eq!(
        said(&slow),
        [
            (Severity::Info, "a/0 grows by 614 KB an hour"),
            (Severity::Success, "No instance had more than 11 % of its memory limit"),
        ]
    );
}

#[test]
fn growth_is_looked_for_in_the_present_worker_alone() {
    let course = |restarted_ago: u64| {
        course(
            0,
            200,
            move |minute| {
                if minute < 200 - restarted_ago { 300 * MB + MB * minute } else { 250 * MB }
            },
        )
    };
    let restarts = [restart(ago(100) - Duration::from_millis(2_500), Rule::PercentMemory)];
    let by_restart = report(DAY, &course(100), &restarts, &[], &places());
    assert_eq!(said(&by_restart)[0], (Severity::Warning, "1 restart for memory"));
    assert_eq!(by_restart.insights.len(), 2, "{:?}", said(&by_restart));
    let kills = [end(ago(100) - Duration::from_millis(1), CrashCause::OutOfMemory)];
    let by_kill = report(DAY, &course(100), &[], &kills, &places());
    assert_eq!(said(&by_kill)[0], (Severity::Critical, "1 worker was killed for want of memory"));
    assert_eq!(by_kill.insights.len(), 2, "{:?}", said(&by_kill));

    // a replaced worker that begins far below
    let falls = super::tests::course(0, 200, |minute| {
        if minute < 100 { 600 * MB } else { 100 * MB + 2 * MB * (minute - 100) }
    });
    let falls = report(DAY, &falls, &[], &[], &places());
    assert!(falls.insights[0].title.contains("grows by 120 MB an hour"), "{:?}", said(&falls));
}

#[test]
fn restarts_of_another_kind_or_that_failed_are_not_for_memory() {
    let mut failed = restart(ago(10), Rule::PrivateBytes);
    failed.outcome = RestartOutcome::Failed { why: "It did not listen.".to_owned() };
    let restarts = [restart(ago(20), Rule::SlowRequests), failed];
    let report = report(DAY, &course(0, 60, |_| 500 * MB), &restarts, &[], &places());
    assert!(!said(&report).iter().any(|(_, title)| title.contains("for memory")));
    let marks: Vec<_> = report.lines[0].marks.iter().map(|mark| (mark.kind, mark.text.as_str())).collect();
    assert_eq!(
        marks,
        [(MarkKind::Restart, "Slow requests"), (MarkKind::Restart, "Private bytes; it failed")]
    );
}

#[test]
fn the_chart_has_a_line_an_instance_with_gaps_its_limit_and_the_marks() {
    let mut memory = course(0, 20, |minute| 500 * MB + minute);
    memory.extend(course(3, 5, |_| 600 * MB));
    let crashes = [
        end(ago(6), CrashCause::Signal),
        end(ago(7), CrashCause::OutOfMemory),
        end(ago(9_000), CrashCause::OutOfMemory),
    ];
    let report = report(DAY, &memory, &[restart(ago(8), Rule::PercentMemory)], &crashes, &places());
    let chart = &report.lines[0];
    let lines: Vec<_> = chart
        .lines
        .iter()
        .map(|line| (line.name.as_str(), line.values.iter().flatten().count(), line.values[287]))
        .collect();
    assert_eq!(lines, [("a/0", 4, Some(500 * MB + 19)), ("a/3", 1, Some(600 * MB))]);
    assert_eq!((chart.lines[0].limits[287], chart.lines[0].limits[0]), (Some(LIMIT), None));
    let kinds: Vec<_> = chart.marks.iter().map(|mark| mark.kind).collect();
    assert_eq!(kinds, [MarkKind::Restart, MarkKind::OutOfMemory, MarkKind::Crash]);
    assert_eq!(chart.bucket_start(288), DAY.end);
}
