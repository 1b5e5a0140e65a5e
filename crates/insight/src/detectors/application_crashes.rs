//! Application Crashes: did the app's workers crash, where, how often, and what is the next thing to look at?

use model::crash::{Incident, IncidentInRange, IncidentSummary};

use crate::buckets::over_time;
use crate::deploys;
use crate::detector::{Category, Detector, Sharing, Span};
use crate::evidence::{Ask, Evidence};
use crate::exception::{exception, signature, type_name};
use crate::incident::{actions, process, termination, titled};
use crate::monitoring;
use crate::report::{
    Action, Cell, Chart, Column, Detail, IncidentExcerpt, Insight, Note, Report, Severity, Table, Target,
    Total,
};
use crate::tables::{self, AuditRow, RestartColumns};
use crate::words::counted;

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
        Ask::IncidentsInRange { limit: LISTED },
        Ask::Incidents { limit: EXPLAINED },
        Ask::Crashes { limit: 50 },
        Ask::Audits { limit: 50 },
        Ask::Restarts { limit: 20 },
        Ask::Deploys { limit: deploys::MARKED },
    ],
    sharing: Sharing::Snapshot {
        tables: &[
            (
                OTHER_SIGNATURES,
                &["last_seen", "incident", "exception", "termination", "crashes", "instances"],
            ),
            (
                tables::LATEST_CRASHES,
                &[
                    "at",
                    "instance",
                    "exception",
                    "termination",
                    "incident",
                    "uptime",
                    "in_flight",
                    "stack_source",
                    "process",
                ],
            ),
            (RESTARTS, &["at", "instance", "reason", "outcome", "failed", "streams", "tunnels"]),
        ],
    },
    report,
};

/// The same in one sentence and a chart, for the overview. It is in no list of detectors.
pub static SUMMARY: Detector = Detector {
    id: "application-crashes",
    title: "Application Crashes",
    category: Category::AvailabilityAndPerformance,
    description: "How many crashes happened, and when.",
    keywords: "",
    span: Span::Range,
    evidence: &[Ask::CrashCounts, Ask::IncidentCount, Ask::Deploys { limit: deploys::MARKED }],
    sharing: Sharing::Private,
    report: summary,
};

/// So many incidents are findings with stack and advice: nobody reads more of them.
const EXPLAINED: u32 = 10;
/// So many have a line at least.
const LISTED: u32 = 100;
const OTHER_SIGNATURES: &str = "Other signatures";
const RESTARTS: &str = "Restarts in this time range";

fn report(evidence: &Evidence) -> Report {
    let Evidence { range, incidents, incidents_in_range, .. } = evidence;
    let count = |incident: &Incident| {
        let found = incidents_in_range.iter().find(|listed| listed.incident.id == incident.id);
        found.map(|listed| listed.count)
    };
    let mut insights: Vec<Insight> = incidents
        .iter()
        .filter_map(|incident| {
            let mut insight = insight(evidence, incident, count(incident)?);
            insight.actions.splice(0..0, captured_one(incident, incidents_in_range));
            Some(insight)
        })
        .collect();
    let has_stack = |insight: &Insight| {
        insight.incident.as_ref().is_some_and(|incident| !incident.crashing_thread.frames.is_empty())
    };
    insights.sort_by_key(|insight| (insight.severity, !has_stack(insight)));
    let total = total(evidence);
    if total.count == 0 {
        insights.push(Insight::new(Severity::Healthy, "No crashes in this time range"));
    }
    let is_explained = |listed: &&IncidentInRange| incidents.iter().any(|one| one.id == listed.incident.id);
    let (_, others): (Vec<_>, Vec<_>) = incidents_in_range.iter().partition(is_explained);
    let mut tables: Vec<Table> =
        (!others.is_empty()).then(|| other_signatures(&others)).into_iter().collect();
    tables.extend(recorded(evidence));
    let report = Report {
        range: *range,
        total: Some(total),
        insights,
        charts: vec![chart(evidence)],
        lines: vec![],
        tables,
    };
    deploys::marked(report, &evidence.deploys)
}

fn summary(evidence: &Evidence) -> Report {
    let total = total(evidence);
    let latest = evidence.crash_counts.iter().map(|crashes| crashes.at).max();
    let insight = match latest {
        None => Insight::new(Severity::Healthy, "No crashes in the last 24 hours"),
        Some(latest) => Insight::new(
            Severity::of_failure(latest, evidence.now),
            format!(
                "{} in the last 24 hours, of {}",
                counted(total.count, "crash", "crashes"),
                counted(evidence.incident_count, "signature", "signatures")
            ),
        ),
    };
    let report = Report {
        range: evidence.range,
        total: Some(total),
        insights: vec![insight],
        charts: vec![chart(evidence)],
        lines: vec![],
        tables: vec![],
    };
    deploys::marked(report, &evidence.deploys)
}

fn total(evidence: &Evidence) -> Total {
    let count = evidence.crash_counts.iter().map(|crashes| crashes.count).sum();
    Total { count, one: "crash", many: "crashes" }
}

fn chart(evidence: &Evidence) -> Chart {
    let Evidence { range, places, crash_counts, .. } = evidence;
    let points = crash_counts.iter().map(|crashes| (crashes.place.clone(), crashes.at, crashes.count));
    over_time("Crashes over time by instance", "crashes", *range, places, points)
}

/// The incidents that are not explained, a line each.
fn other_signatures(incidents: &[&IncidentInRange]) -> Table {
    let columns = vec![
        Column::short("last_seen", "Last seen (UTC)"),
        Column::long("incident", "Signature"),
        Column::long("exception", "Exception"),
        Column::short("termination", "Termination"),
        Column::number("crashes", "Crashes"),
        Column::long("instances", "Instances"),
    ];
    let mut table = Table::new(OTHER_SIGNATURES, columns, "No other signatures");
    let row = |IncidentInRange { incident, count }: &IncidentInRange| {
        let IncidentSummary { id, cause, signal, exit_code, .. } = incident;
        vec![
            Cell::Time(incident.last_seen),
            Cell::Link {
                text: signature(&incident.signature).into_owned(),
                to: Target::Incident { id: id.clone() },
            },
            Cell::Code(type_name(&incident.exception_type).into_owned()),
            Cell::Text(termination(*cause, signal.as_deref(), *exit_code)),
            Cell::Count(*count),
            Cell::Text(incident.instances.join(", ")),
        ]
    };
    table.rows = incidents.iter().map(|incident| row(incident)).collect();
    if incidents.len() as u64 + u64::from(EXPLAINED) >= u64::from(LISTED) {
        let note =
            format!("The {LISTED} signatures that crashed last are listed, {EXPLAINED} of them above.");
        table.notes.push(Note::new(note));
    }
    table
}

/// What is recorded of single crashes, and what Medic does about them.
fn recorded(evidence: &Evidence) -> [Table; 4] {
    let audits: Vec<AuditRow<'_>> = evidence
        .audits
        .iter()
        .map(|of| AuditRow { crash: Some(&of.crash), incident: Some(&of.incident), audit: &of.audit })
        .collect();
    let mut restarts = tables::restarts(
        RESTARTS,
        &evidence.restarts,
        RestartColumns::Beside,
        "No restarts in this time range",
    );
    restarts.notes.push(tables::evidence_note());
    let mut audits = tables::audits(&audits);
    audits.folded = true;
    [
        tables::crashes(&evidence.crashes, true),
        monitoring::table(&evidence.status, evidence.crash_monitoring, evidence.now),
        restarts,
        audits,
    ]
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
        Detail::code("Signature", signature(&incident.signature)),
    ];
    details.extend(exception(incident));
    details.extend(process(incident));
    if incident.count != count {
        details.insert(2, Detail::text("Crashes since first seen", incident.count.to_string()));
    }
    if incident.probable > 0 {
        details.push(Detail::text(
            "Probably the same",
            format!(
                "{} of {} since first seen (only the signal is known)",
                incident.probable, incident.count
            ),
        ));
    }
    if incident.in_flight_count > 0 {
        details.push(Detail::text("In-flight requests", incident.in_flight_count.to_string()));
    }
    Insight {
        severity: Severity::of_failure(incident.last_seen, evidence.now),
        title: titled(incident, count),
        details,
        actions: actions(incident),
        incident: Some(IncidentExcerpt::from(incident)),
    }
}

/// A crash of which only the signal is known is probably the one that was captured with its stack after it.
fn captured_one(incident: &Incident, listed: &[IncidentInRange]) -> Option<Action> {
    if !incident.crashing_thread.frames.is_empty() {
        return None;
    }
    let is_captured_one = |other: &&IncidentSummary| {
        other.signal.is_some() && other.signal == incident.signal && other.has_dump
    };
    let captured = listed.iter().map(|listed| &listed.incident).find(is_captured_one)?;
    Some(Action::at(
        format!(
            "Open the captured crash with the same signal, which is probably the same one: {}.",
            signature(&captured.signature)
        ),
        Target::Incident { id: captured.id.clone() },
    ))
}

#[cfg(test)]
mod tests;
