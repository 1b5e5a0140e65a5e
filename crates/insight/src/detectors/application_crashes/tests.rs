use std::time::Duration;

use super::*;
use crate::detectors::tests::{NOW, bare_incident, evidence};
use model::IncidentId;

use crate::evidence::CrashCount;
use model::crash::{Audit, Frame, InFlightRequest, RequestEvidence, Thread, Trust};
use model::{CrashCause, TimeRange, Timestamp};

const HOUR: Duration = Duration::from_hours(1);

fn incident(digit: char, function: &str, last_seen: Timestamp) -> Incident {
    let frame = Frame {
        module: Some("shop".into()),
        function: Some(function.into()),
        file: Some("cart.rs".into()),
        line: Some(7),
        offset: Some(16),
        trust: Trust::Context,
        inline: false,
    };
    Incident {
        signature: function.into(),
        exception_type: "SIGSEGV / SEGV_MAPERR".into(),
        signal: Some("SIGSEGV".into()),
        count: 9,
        crashing_thread: Thread { name: None, frames: vec![frame], truncated: false, telling: Some(0) },
        ..bare_incident(digit.to_string().repeat(16).parse().unwrap(), CrashCause::Signal, last_seen)
    }
}

/// As `crash_counts` and `incidents_in_range` have them.
type Counted = Vec<(IncidentId, CrashCount)>;

fn counts(incident: &Incident, counts: &[(Timestamp, u64)]) -> Counted {
    let count = |(at, count): &(Timestamp, u64)| CrashCount {
        first: *at,
        at: *at,
        place: "a/shop/0".parse().unwrap(),
        count: *count,
        out_of_memory: 0,
    };
    counts.iter().map(|counted| (incident.id.clone(), count(counted))).collect()
}

fn in_range(incident: &Incident, count: u64) -> IncidentInRange {
    IncidentInRange { incident: incident.summary(), count }
}

fn report_of(range: TimeRange, incidents: Vec<Incident>, counted: Counted) -> Report {
    let mut incidents_in_range: Vec<_> = incidents.iter().map(|one| in_range(one, 0)).collect();
    for (incident, counted) in &counted {
        let listed = incidents_in_range.iter_mut().find(|listed| listed.incident.id == *incident);
        listed.unwrap().count += counted.count;
    }
    let crash_counts = counted.into_iter().map(|(_, counted)| counted).collect();
    report(&Evidence { crash_counts, incidents, incidents_in_range, ..evidence(range) })
}

#[test]
fn one_insight_a_signature_worst_first() {
    let range = TimeRange::last(NOW, 24 * HOUR);
    let (old, new) = (incident('a', "pay", NOW - 5 * HOUR), incident('b', "cart::total", NOW));
    let mut all = counts(&old, &[(NOW - 5 * HOUR, 1)]);
    all.extend(counts(&new, &[(NOW, 2)]));
    let report = report_of(range, vec![old, new], all);
    let titles: Vec<_> = report.insights.iter().map(|i| (i.severity, i.title.as_str())).collect();
    assert_eq!(
        titles,
        [
            (Severity::Critical, "2 crashes of SIGSEGV / SEGV_MAPERR in cart::total"),
            (Severity::Warning, "1 crash of SIGSEGV / SEGV_MAPERR in pay"),
        ]
    );
    assert!(report.insights[0].actions[0].text.contains("cart::total (cart.rs:7)"));
    assert_eq!(report.total.unwrap().count, 3);
}

#[test]
fn the_chart_has_every_crash_in_its_bucket_and_a_line_for_the_quiet_instance() {
    let range = TimeRange { start: NOW - 24 * HOUR, end: NOW };
    let one = incident('a', "pay", NOW - HOUR);
    let all = counts(&one, &[(range.start, 1), (NOW - HOUR, 4), (NOW, 1)]);
    let report = report_of(range, vec![one], all);
    let chart = &report.charts[0];
    let sums: Vec<_> = chart
        .series
        .iter()
        .map(|s| (s.name.as_str(), s.values.len(), s.values.iter().sum::<u64>()))
        .collect();
    assert_eq!(sums, [("a/0", 96, 5), ("a/1", 96, 0)], "the crash at the range's end is not in it");
    assert_eq!(chart.series[0].values[0], 1);
    assert_eq!(chart.bucket_start(95) + Duration::from_millis(chart.bucket_ms), range.end);
}

#[test]
fn a_crash_without_a_stack_points_to_the_captured_one_and_stands_below_it() {
    let range = TimeRange::last(NOW, HOUR);
    let mut bare = incident('a', "SIGSEGV | shop", NOW);
    bare.crashing_thread = Thread::default();
    let mut captured = incident('b', "cart::total", NOW);
    captured.audit = Some(Audit {
        size_bytes: 1,
        sha256: String::new(),
        captured_at: NOW,
        dropped_at: NOW,
        stopped_us: 1,
        result: "analysed".into(),
    });
    let all = [counts(&bare, &[(NOW, 1)]), counts(&captured, &[(NOW, 1)])].concat();
    let link = Some(Target::Incident { id: captured.id.clone() });
    let report = report_of(range, vec![bare, captured], all);
    assert!(report.insights[0].title.contains("cart::total"));
    let action = &report.insights[1].actions[0];
    assert!(action.text.ends_with("probably the same one: cart::total."), "{}", action.text);
    assert_eq!(action.link, link);
}

#[test]
fn the_newest_request_is_the_likely_trigger_unless_the_kill_came_from_outside() {
    let cases = [
        (CrashCause::Signal, Some("SIGSEGV"), 2, Some("/new")),
        (CrashCause::Exit, None, 2, Some("/new")),
        (CrashCause::OutOfMemory, Some("SIGKILL"), 2, Some("/new")),
        (CrashCause::Signal, Some("SIGKILL"), 2, None),
        (CrashCause::Signal, Some("SIGKILL"), 1, Some("/new")),
        (CrashCause::Signal, Some("SIGSEGV"), 0, None),
    ];
    for (cause, signal, count, expected) in cases {
        let request = |path: &str| InFlightRequest {
            method: "GET".into(),
            path: path.into(),
            age_ms: 1,
            evidence: RequestEvidence::InFlight,
        };
        let mut one = incident('a', "pay", NOW);
        (one.cause, one.signal, one.in_flight_count) = (cause, signal.map(str::to_owned), count);
        one.in_flight = [request("/old"), request("/new")][2 - count as usize..].to_vec();
        let trigger = crate::incident::likely_trigger(&one);
        assert_eq!(trigger.map(|request| &*request.path), expected, "{cause:?} {signal:?} {count}");
        assert_eq!(actions(&one).iter().any(|step| step.text.contains("GET /new")), expected.is_some());
    }
}

#[test]
fn how_a_child_ended_that_its_master_timed_out_is_told_with_the_master() {
    let cases = [
        (Some("SIGABRT"), None, "SIGABRT from its master process"),
        (Some("SIGTERM"), None, "SIGTERM from its master process"),
        (None, Some(0), "Exit code 0 after its master process aborted it"),
    ];
    for (signal, exit_code, expected) in cases {
        assert_eq!(termination(CrashCause::KilledByMaster, signal, exit_code), expected);
    }
}

#[test]
fn an_endless_recursion_is_told_by_every_runtimes_word_for_it() {
    for (exception_type, is_recursion) in [
        ("Stack overflow", true),
        ("RecursionError", true),
        ("java.lang.StackOverflowError", true),
        ("System.StackOverflowException", true),
        ("SystemStackError", true),
        ("AddressSanitizer: stack-overflow", true),
        ("EXCEPTION_STACK_OVERFLOW", true),
        ("SIGSEGV / SEGV_MAPERR", false),
    ] {
        let one = Incident { exception_type: exception_type.to_owned(), ..incident('a', "pay", NOW) };
        let told = actions(&one).iter().any(|step| step.text.starts_with("Infinite recursion"));
        assert_eq!(told, is_recursion, "{exception_type}");
    }
}

#[test]
fn what_is_not_explained_has_a_line_that_leads_to_it() {
    let range = TimeRange::last(NOW, HOUR);
    let explained = incident('a', "pay", NOW);
    let mut other = in_range(&incident('b', "cart::total", NOW), 7);
    other.incident.has_dump = true;
    let evidence = Evidence {
        incidents_in_range: vec![in_range(&explained, 2), other],
        incidents: vec![explained],
        ..evidence(range)
    };
    let report = report(&evidence);
    let [table, crashes, ..] = &*report.tables else { panic!("{:?}", report.tables) };
    assert_eq!((table.title, crashes.title, table.rows.len()), ("Other signatures", "Latest crashes", 1));
    let id = "b".repeat(16).parse().unwrap();
    let link = Cell::Link { text: "cart::total".to_owned(), to: Target::Incident { id } };
    assert_eq!((&table.rows[0][1], &table.rows[0][4]), (&link, &Cell::Count(7)));
    assert!(table.notes.is_empty());
    let many: Vec<_> = (0..90).map(|_| &evidence.incidents_in_range[1]).collect();
    assert_eq!(
        other_signatures(&many).notes[0].text,
        "The 100 signatures that crashed last are listed, 10 of them above."
    );
}

#[test]
fn the_summary_says_how_many_of_how_many_signatures() {
    let range = TimeRange::last(NOW, 24 * HOUR);
    let said = |report: Report| {
        let [insight] = &*report.insights else { panic!("{:?}", report.insights) };
        (insight.severity, insight.title.clone())
    };
    assert_eq!(
        said(summary(&evidence(range))),
        (Severity::Healthy, "No crashes in the last 24 hours".to_owned())
    );
    let counted = counts(&incident('a', "pay", NOW), &[(NOW - 2 * HOUR, 4), (NOW - 5 * HOUR, 1)]);
    let crash_counts = counted.into_iter().map(|(_, counted)| counted).collect();
    let evidence = Evidence { crash_counts, incident_count: 2, ..evidence(range) };
    let expected = "5 crashes in the last 24 hours, of 2 signatures".to_owned();
    assert_eq!(said(summary(&evidence)), (Severity::Warning, expected));
    assert_eq!(summary(&evidence).charts, report(&evidence).charts);
}

#[test]
fn nothing_happened_is_healthy() {
    let report = report_of(TimeRange::last(NOW, HOUR), vec![], vec![]);
    assert_eq!(report.insights[0].severity, Severity::Healthy);
}

#[test]
fn how_long_ago_it_was_decides_how_bad_it_is_not_the_range_that_is_asked_for() {
    for (ago, severity) in
        [(HOUR / 4, Severity::Critical), (HOUR, Severity::Warning), (25 * HOUR, Severity::Info)]
    {
        for length in [HOUR / 4, 24 * HOUR] {
            let range = TimeRange { start: NOW - ago, end: NOW - ago + length };
            let one = incident('a', "pay", NOW - ago);
            let all = counts(&one, &[(NOW - ago, 9)]);
            let report = report_of(range, vec![one], all);
            assert_eq!(report.insights[0].severity, severity, "{ago:?} {length:?}");
        }
    }
}
