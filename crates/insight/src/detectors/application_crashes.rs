//! Application Crashes: did the app's workers crash, where, how often, and what is the next thing to look at?

use model::crash::Incident;

use crate::buckets::over_time;
use crate::detector::{Category, Detector, Span};
use crate::evidence::{Ask, Evidence};
use crate::incident::{actions, termination};
use crate::monitoring;
use crate::report::{Action, Detail, IncidentExcerpt, Insight, Report, Severity, Target, Total};
use crate::tables::{self, AuditRow, RestartColumns};

/// The detector.
pub static DETECTOR: Detector = Detector {
    id: "application-crashes",
    title: "Application Crashes",
    category: Category::AvailabilityAndPerformance,
    description: "Which crashes happened, on which instances, and in which line of code.",
    keywords: "crash exception signal segfault SIGSEGV SIGABRT abort exit code out of memory OOM stack trace 502 debugger \
               dump panic crash monitoring",
    span: Span::Range,
    evidence: &[
        Ask::CrashCounts,
        Ask::Incidents { limit: 200 },
        Ask::Crashes { limit: 50 },
        Ask::Audits { limit: 50 },
        Ask::Restarts { limit: 20 },
    ],
    report,
};

fn report(evidence: &Evidence) -> Report {
    let Evidence { range, now, incidents, crash_counts, .. } = evidence;
    let mut insights: Vec<Insight> = incidents
        .iter()
        .filter_map(|incident| {
            let count = evidence.incident_counts.get(&incident.id)?;
            let mut insight = insight(evidence, incident, *count);
            insight.actions.splice(0..0, captured_one(incident, incidents));
            Some(insight)
        })
        .collect();
    let has_stack = |insight: &Insight| {
        insight.incident.as_ref().is_some_and(|incident| !incident.crashing_thread.frames.is_empty())
    };
    insights.sort_by_key(|insight| (insight.severity, !has_stack(insight)));
    let total = crash_counts.iter().map(|crashes| crashes.count).sum();
    if total == 0 {
        insights.push(Insight::new(Severity::Healthy, "No crashes in this time range"));
    }
    let points = crash_counts.iter().map(|crashes| (crashes.place.clone(), crashes.at, crashes.count));
    let chart = over_time("Crashes over time by instance", "crashes", *range, &evidence.places, points);
    let audits: Vec<AuditRow<'_>> = evidence
        .audits
        .iter()
        .map(|of| AuditRow { worker: Some(&of.worker), incident: Some(&of.incident), audit: &of.audit })
        .collect();
    let mut restarts = tables::restarts(
        "Restarts in this time range",
        &evidence.restarts,
        RestartColumns::Beside,
        "No restarts in this time range",
    );
    restarts.notes.push(tables::evidence_note());
    let mut audits = tables::audits(&audits);
    audits.folded = true;
    Report {
        range: *range,
        total: Some(Total { count: total, one: "crash", many: "crashes" }),
        insights,
        charts: vec![chart],
        lines: vec![],
        tables: vec![
            tables::crashes(&evidence.crashes, true),
            monitoring::table(&evidence.status, evidence.crash_monitoring, *now),
            restarts,
            audits,
        ],
    }
}

fn insight(evidence: &Evidence, incident: &Incident, count: u64) -> Insight {
    let mut details = vec![
        Detail::time("First seen", incident.first_seen),
        Detail::time("Last seen", incident.last_seen),
        Detail::text("Instances", incident.instances.join(", ")),
        Detail::text(
            "Termination",
            termination(incident.cause, incident.signal.as_deref(), incident.exit_code),
        ),
        Detail::code("Signature", incident.signature.clone()),
    ];
    if incident.count != count {
        details.insert(2, Detail::text("Crashes since first seen", incident.count.to_string()));
    }
    if incident.in_flight_count > 0 {
        details.push(Detail::text("In-flight requests", incident.in_flight_count.to_string()));
    }
    Insight {
        severity: Severity::of_failure(incident.last_seen, evidence.now),
        title: Incident { count, ..incident.clone() }.title(),
        details,
        actions: actions(incident),
        incident: Some(IncidentExcerpt::from(incident)),
    }
}

/// A crash of which only the signal is known is probably the one that was captured with its stack after it.
fn captured_one(incident: &Incident, incidents: &[Incident]) -> Option<Action> {
    if !incident.crashing_thread.frames.is_empty() {
        return None;
    }
    let is_captured_one = |other: &&Incident| {
        other.signal.is_some() && other.signal == incident.signal && other.audit.is_some()
    };
    let captured = incidents.iter().find(is_captured_one)?;
    Some(Action::at(
        format!(
            "Open the captured crash with the same signal, which is probably the same one: {}.",
            captured.signature
        ),
        Target::Incident { id: captured.id.clone() },
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::detectors::tests::{NOW, evidence};
    use std::collections::BTreeMap;

    use model::IncidentId;

    use crate::evidence::CrashCount;
    use model::crash::{Audit, Frame, InFlightRequest, Runtime, Thread, Trust};
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
            id: digit.to_string().repeat(16).parse().unwrap(),
            app: "shop".parse().unwrap(),
            signature: function.into(),
            exception_type: "SIGSEGV / SEGV_MAPERR".into(),
            runtime: Runtime::Native,
            cause: CrashCause::Signal,
            signal: Some("SIGSEGV".into()),
            exit_code: None,
            count: 9,
            first_seen: last_seen,
            last_seen,
            instances: vec!["a/0".into()],
            crashing_thread: Thread { name: None, frames: vec![frame], truncated: false, telling: Some(0) },
            modules: vec![],
            in_flight: vec![],
            in_flight_count: 0,
            memory: vec![],
            audit: None,
            notes: vec![],
        }
    }

    /// As `crash_counts` and `incident_counts` have them.
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

    fn report_of(range: TimeRange, incidents: Vec<Incident>, counted: Counted) -> Report {
        let mut incident_counts = BTreeMap::new();
        for (incident, counted) in &counted {
            *incident_counts.entry(incident.clone()).or_default() += counted.count;
        }
        let crash_counts = counted.into_iter().map(|(_, counted)| counted).collect();
        report(&Evidence { crash_counts, incidents, incident_counts, ..evidence(range) })
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
            let request = |path: &str| InFlightRequest { method: "GET".into(), path: path.into(), age_ms: 1 };
            let mut one = incident('a', "pay", NOW);
            (one.cause, one.signal, one.in_flight_count) = (cause, signal.map(str::to_owned), count);
            one.in_flight = [request("/old"), request("/new")][2 - count as usize..].to_vec();
            let trigger = crate::incident::likely_trigger(&one);
            assert_eq!(trigger.map(|request| &*request.path), expected, "{cause:?} {signal:?} {count}");
            assert_eq!(actions(&one).iter().any(|step| step.text.contains("GET /new")), expected.is_some());
        }
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
}
