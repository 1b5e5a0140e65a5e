//! Application Crashes: did the app's workers crash, where, how often, and what is the next thing to look at?

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::detectors::buckets::over_time;
use crate::report::{Detail, Insight, Report, Severity};
use model::crash::{InFlightRequest, Incident, Trust};
use model::{CrashCause, IncidentId, TimeRange, Timestamp};

/// One crash, for counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashPoint {
    /// When.
    pub at: Timestamp,
    /// Where, as `node/instance`.
    pub place: String,
    /// Of which incident.
    pub incident: IncidentId,
}

/// A crash this close to the range's end makes an incident critical: it is going on.
pub const GOING_ON: Duration = Duration::from_mins(15);
/// More crashes than this in the range make an incident critical (the number that arms the debugger).
pub const MANY: u64 = 3;

/// What is recorded, as insights and a chart. `places`: every instance that exists, so that one without crashes has its line.
pub fn report(range: TimeRange, incidents: &[Incident], points: &[CrashPoint], places: &[String]) -> Report {
    let mut counts: BTreeMap<&IncidentId, u64> = BTreeMap::new();
    for point in points {
        *counts.entry(&point.incident).or_default() += 1;
    }
    let mut insights: Vec<Insight> = incidents
        .iter()
        .filter_map(|incident| counts.get(&incident.id).map(|count| insight(range, incident, *count)))
        .collect();
    for insight in &mut insights {
        point_to_captured(insight, incidents);
    }
    let has_stack =
        |insight: &Insight| insight.incident.as_ref().is_some_and(|i| !i.crashing_thread.frames.is_empty());
    insights.sort_by_key(|insight| (insight.severity, !has_stack(insight)));
    if insights.is_empty() {
        insights.push(Insight {
            severity: Severity::Success,
            title: "No crashes in this time range".to_owned(),
            details: Vec::new(),
            advice: Vec::new(),
            incident: None,
        });
    }
    let points = points.iter().map(|point| (point.place.clone(), point.at));
    let chart = over_time("Crashes over time by instance", "crashes", range, places, points);
    Report { range, insights, charts: vec![chart], lines: vec![] }
}

fn insight(range: TimeRange, incident: &Incident, count: u64) -> Insight {
    let going_on = range.end.since(incident.last_seen) <= GOING_ON;
    let shown = Incident { count, ..incident.clone() };
    let mut details = vec![
        Detail::time("First seen", incident.first_seen),
        Detail::time("Last seen", incident.last_seen),
        Detail::text("Instances", incident.instances.join(", ")),
        Detail::text("Ended by", ended_by(incident)),
        Detail::code("Signature", incident.signature.clone()),
    ];
    if incident.count != count {
        details.insert(2, Detail::text("Crashes since first seen", incident.count.to_string()));
    }
    if incident.in_flight_count > 0 {
        details.push(Detail::text(
            "Requests in flight",
            format!("{} at the crash shown", incident.in_flight_count),
        ));
    }
    Insight {
        severity: if going_on || count > MANY { Severity::Critical } else { Severity::Warning },
        title: shown.title(),
        details,
        advice: advice(incident),
        incident: Some(incident.clone()),
    }
}

/// A crash of which only the signal is known is probably the one that was captured with its stack after it.
fn point_to_captured(insight: &mut Insight, incidents: &[Incident]) {
    let Some(incident) =
        insight.incident.as_ref().filter(|incident| incident.crashing_thread.frames.is_empty())
    else {
        return;
    };
    let is_captured_one = |other: &&Incident| {
        other.signal.is_some() && other.signal == incident.signal && other.audit.is_some()
    };
    if let Some(captured) = incidents.iter().find(is_captured_one) {
        let advice = format!(
            "A crash by the same signal was captured with its stack, and is probably the same: {}.",
            captured.signature
        );
        insight.advice.insert(0, advice);
    }
}

fn ended_by(incident: &Incident) -> String {
    match (&incident.cause, &incident.signal, incident.exit_code) {
        (CrashCause::OutOfMemory, _, _) => "the kernel, for want of memory".to_owned(),
        (_, Some(signal), _) => signal.clone(),
        (_, None, Some(code)) => format!("exit status {code}"),
        (_, None, None) => "unknown".to_owned(),
    }
}

/// The request that most likely killed the worker at the crash shown: the newest, since what had run for long was survived for
/// long. SIGKILL comes from outside and blames none, unless it was the only one.
pub fn suspect(incident: &Incident) -> Option<&InFlightRequest> {
    let from_outside = incident.cause == CrashCause::Signal && incident.signal.as_deref() == Some("SIGKILL");
    // Oldest first.
    incident.in_flight.last().filter(|_| incident.in_flight_count == 1 || !from_outside)
}

/// What to do next, most promising first.
pub fn advice(incident: &Incident) -> Vec<String> {
    let mut advice = Vec::new();
    let kind = incident.exception_type.to_ascii_lowercase();
    match () {
        () if incident.cause == CrashCause::OutOfMemory => advice.push(
            "The machine or the worker's cgroup ran out of memory. Look at Memory Analysis for what grew before the crash, or give the app more memory.".to_owned(),
        ),
        () if kind.contains("stack overflow") || kind.contains("recursionerror") || kind.contains("stackoverflow") => {
            advice.push("A function called itself without end. Look for the function that repeats in the stack and for what should have ended it.".to_owned());
        }
        () if kind.contains("double free") || kind.contains("corrupt") => {
            advice.push("The heap was damaged before this point. Run the same requests under AddressSanitizer or valgrind to find who damaged it.".to_owned());
        }
        () => {}
    }
    if let Some(frame) = incident.top_frame() {
        let place =
            frame.source().map_or_else(|| frame.place(), |source| format!("{} ({source})", frame.place()));
        advice.push(format!(
            "Begin at {place}: it is the first frame of the stack that tells this crash from others."
        ));
    }
    if let Some(suspect) = suspect(incident) {
        let which = if incident.in_flight_count == 1 { "only" } else { "newest" };
        advice.push(format!(
            "Try {} {} again in a test: it was the {which} request at the crash, and is the suspect.",
            suspect.method, suspect.path
        ));
    }
    if incident.crashing_thread.frames.is_empty() {
        advice.push(match incident.cause {
            CrashCause::Signal => "No stack is known. When the crash monitoring is armed, the next crash by a signal is captured with its stack.".to_owned(),
            _ => "The worker said nothing on its standard error. Its last lines are in logfiles/application in the app's data folder.".to_owned(),
        });
    } else if incident
        .crashing_thread
        .frames
        .iter()
        .all(|frame| frame.function.is_none() && frame.trust != Trust::Runtime)
    {
        advice.push("No function names are known: install the debug symbols beside the program, or build it without stripping them.".to_owned());
    }
    advice.push("The full message is in logfiles/crashdumps in the app's data folder, for the last 10 crashes; it is kept nowhere else.".to_owned());
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::crash::{Frame, Runtime, Thread};

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
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

    fn points(incident: &Incident, times: &[Timestamp]) -> Vec<CrashPoint> {
        times
            .iter()
            .map(|at| CrashPoint { at: *at, place: "a/0".into(), incident: incident.id.clone() })
            .collect()
    }

    #[test]
    fn one_insight_a_signature_worst_first() {
        let range = TimeRange::last(NOW, 24 * HOUR);
        let (old, new) = (incident('a', "pay", NOW - 5 * HOUR), incident('b', "cart::total", NOW));
        let mut all = points(&old, &[NOW - 5 * HOUR]);
        all.extend(points(&new, &[NOW, NOW]));
        let report = report(range, &[old, new], &all, &["a/0".into(), "a/1".into()]);
        let titles: Vec<_> = report.insights.iter().map(|i| (i.severity, i.title.as_str())).collect();
        assert_eq!(
            titles,
            [
                (Severity::Critical, "2 crashes of SIGSEGV / SEGV_MAPERR in cart::total"),
                (Severity::Warning, "1 crash of SIGSEGV / SEGV_MAPERR in pay"),
            ]
        );
        assert!(report.insights[0].advice[0].contains("cart::total (cart.rs:7)"));
    }

    #[test]
    fn the_chart_has_every_crash_in_its_bucket_and_a_line_for_the_quiet_instance() {
        let range = TimeRange { start: NOW - 24 * HOUR, end: NOW };
        let one = incident('a', "pay", NOW - HOUR);
        let report = report(
            range,
            std::slice::from_ref(&one),
            &points(&one, &[range.start, NOW - HOUR, NOW]),
            &["a/1".into()],
        );
        let chart = &report.charts[0];
        let sums: Vec<_> = chart
            .series
            .iter()
            .map(|s| (s.name.as_str(), s.values.len(), s.values.iter().sum::<u64>()))
            .collect();
        assert_eq!(sums, [("a/0", 96, 2), ("a/1", 96, 0)], "the crash at the range's end is not in it");
        assert_eq!(chart.series[0].values[0], 1);
        assert_eq!(chart.bucket_start(95) + Duration::from_millis(chart.bucket_ms), range.end);
    }

    #[test]
    fn a_crash_without_a_stack_points_to_the_captured_one_and_stands_below_it() {
        let range = TimeRange::last(NOW, HOUR);
        let mut bare = incident('a', "SIGSEGV | shop", NOW);
        bare.crashing_thread = Thread::default();
        let mut captured = incident('b', "cart::total", NOW);
        captured.audit = Some(model::crash::Audit {
            size_bytes: 1,
            sha256: String::new(),
            captured_at: NOW,
            dropped_at: NOW,
            stopped_us: 1,
            result: "analysed".into(),
        });
        let all = [points(&bare, &[NOW]), points(&captured, &[NOW])].concat();
        let report = report(range, &[bare, captured], &all, &[]);
        assert!(report.insights[0].title.contains("cart::total"));
        assert!(report.insights[1].advice[0].ends_with("probably the same: cart::total."));
    }

    #[test]
    fn the_newest_request_is_the_suspect_unless_the_kill_came_from_outside() {
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
            assert_eq!(suspect(&one).map(|request| &*request.path), expected, "{cause:?} {signal:?} {count}");
            assert_eq!(advice(&one).iter().any(|step| step.contains("GET /new")), expected.is_some());
        }
    }

    #[test]
    fn nothing_happened_is_a_success() {
        let report = report(TimeRange::last(NOW, HOUR), &[], &[], &[]);
        assert_eq!(report.insights[0].severity, Severity::Success);
    }

    #[test]
    fn four_in_the_range_are_critical_three_long_ago_are_a_warning() {
        let range = TimeRange::last(NOW, 24 * HOUR);
        for (count, severity) in [(3, Severity::Warning), (4, Severity::Critical)] {
            let one = incident('a', "pay", NOW - HOUR);
            let all = points(&one, &vec![NOW - HOUR; count]);
            assert_eq!(report(range, std::slice::from_ref(&one), &all, &[]).insights[0].severity, severity);
        }
    }
}
