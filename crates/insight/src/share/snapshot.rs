//! Snapshots, made of what was redacted.

use std::time::Duration;

use model::auto_heal::restart::{Restart, RestartOutcome};
use model::crash::{Crash, Frame, Incident, Thread};
use model::share::Included;
use model::time::humanise;
use model::{CrashCause, Timestamp};

use super::redaction::{Redaction, method};
use super::{
    SharedCell, SharedChart, SharedColumn, SharedDetail, SharedFinding, SharedFrame, SharedLine, SharedLines,
    SharedMark, SharedReport, SharedSeries, SharedStack, SharedTable, SharedValue,
};
use crate::detector::{Detector, SharedColumns, Sharing, Span};
use crate::evidence::Evidence;
use crate::exception::{exception, signature};
use crate::healing;
use crate::incident::{actions, crash_count, likely_trigger, termination, title};
use crate::notes;
use crate::report::{Action, Cell, Chart, Detail, DetailValue, Insight, Layout, LineChart, Table};
use crate::rules;
use crate::tables;
use crate::words::{capitalized, counted};

/// Rows of a table, and findings. Ours: who reads a snapshot has no range to narrow.
const ROWS: usize = 100;
const FINDINGS: usize = 20;
/// Of an incident's crashes.
pub const CRASHES: u32 = 20;

/// What is shown of an incident's crashes.
const CRASH_COLUMNS: SharedColumns =
    &["at", "instance", "termination", "uptime", "in_flight", "stack_source", "process"];

impl SharedReport {
    /// Of an incident and its latest crashes.
    pub fn of_incident(incident: &Incident, crashes: &[Crash], included: Included, now: Timestamp) -> Self {
        let mut redaction = Redaction::new(included);
        let redacted = redaction.incident(incident);
        let crashes: Vec<Crash> = crashes.iter().map(|crash| redaction.crash(crash)).collect();
        let mut details = exception(&redacted);
        details.extend([
            Detail::text("Runtime", redacted.runtime.to_string()),
            Detail::text(
                "Termination",
                termination(redacted.cause, redacted.signal.as_deref(), redacted.exit_code),
            ),
            Detail::code("Signature", signature(&redacted.signature)),
            Detail::text("Crashes", crash_count(&redacted)),
            Detail::time("First seen", redacted.first_seen),
            Detail::time("Last seen", redacted.last_seen),
            Detail::text("Instances", redacted.instances.join(", ")),
        ]);
        let finding = SharedFinding {
            heading: None,
            details: details_of(&redaction, details),
            stack: Some(stack(redacted.crashing_thread.clone())),
            notes: notes::sentences(&redacted.notes),
            actions: actions_of(&redaction, actions(&redacted)),
        };
        let memory = (redacted.cause == CrashCause::OutOfMemory).then(|| {
            let unit = model::auto_heal::evidence::Unit::Bytes;
            LineChart::of_samples("Private bytes before the kill", "Private bytes", unit, &redacted.memory)
        });
        let mut latest = table(&redaction, tables::crashes(&crashes, false), CRASH_COLUMNS);
        "No crashes".clone_into(&mut latest.empty);
        Self {
            kind: "Incident".to_owned(),
            title: redaction.text(&title(&redacted)),
            app: included.app.then(|| incident.app.clone()),
            made_at: now,
            range: None,
            findings: vec![finding],
            charts: vec![],
            lines: memory.flatten().map(|chart| lines(&redaction, chart)).into_iter().collect(),
            tables: vec![in_flight(&redaction, incident, included), latest],
        }
    }

    /// Of what a detector says; nothing where that is not to be shared.
    pub fn of_report(detector: &Detector, evidence: &Evidence, included: Included) -> Option<Self> {
        let Sharing::Snapshot { tables: shared } = detector.sharing else { return None };
        let mut redaction = Redaction::new(included);
        let redacted = redaction.evidence(evidence);
        let report = (detector.report)(&redacted);
        let tables = report.tables.into_iter().filter_map(|found| {
            let (_, columns) = shared.iter().find(|(title, _)| *title == found.title)?;
            Some(table(&redaction, found, columns))
        });
        let insights = report.insights.into_iter().take(FINDINGS);
        Some(Self {
            kind: "Report".to_owned(),
            title: detector.title.to_owned(),
            app: included.app.then(|| evidence.status.name.clone()),
            made_at: evidence.now,
            range: (detector.span == Span::Range).then_some(report.range),
            findings: insights.map(|insight| finding(&redaction, insight)).collect(),
            tables: tables.collect(),
            charts: report.charts.into_iter().map(|found| chart(&redaction, found)).collect(),
            lines: report.lines.into_iter().map(|found| lines(&redaction, found)).collect(),
        })
    }

    /// Of one restart, with its evidence whole.
    pub fn of_restart(restart: &Restart, included: Included, now: Timestamp) -> Self {
        let mut redaction = Redaction::new(included);
        let redacted = redaction.restart(restart);
        let evidence = redacted.evidence.as_ref();
        let (outcome, failure) = match &redacted.outcome {
            RestartOutcome::Done => ("Restarted", None),
            RestartOutcome::Failed { why } => ("Failed", Some(healing::failure(why))),
        };
        let mut details = vec![
            Detail::time("Time", redacted.at),
            Detail::text("Instance", redacted.place.within_app()),
            Detail::text("Reason", capitalized(&healing::reason(&redacted.reason))),
            Detail::text("Outcome", outcome),
            Detail::text("Duration", humanise(Duration::from_millis(redacted.duration_ms))),
            Detail::text("Requests drained", redacted.drained.to_string()),
            Detail::text("Requests failed", redacted.failed.to_string()),
            Detail::text("Streams ended", redacted.streams_ended.to_string()),
            Detail::text("Tunnels ended", redacted.tunnels_ended.to_string()),
        ];
        details.extend(failure.map(|failure| Detail::text("Failure", failure)));
        if let Some(evidence) = evidence {
            let said = rules::evidence(evidence);
            details.extend([
                Detail::text("Observed", capitalized(&said.observed)),
                Detail::text("Condition", capitalized(&said.condition)),
                Detail::text("Time window", rules::window(evidence)),
            ]);
        }
        let measured = evidence.and_then(|evidence| {
            let name = rules::title(evidence.rule);
            let mut chart =
                LineChart::of_samples("Observed values", &name, evidence.unit, &evidence.samples)?;
            for line in &mut chart.lines {
                line.limits = vec![Some(evidence.threshold); line.values.len()];
            }
            Some(lines(&redaction, chart))
        });
        let reason = capitalized(&healing::reason(&redacted.reason));
        Self {
            kind: "Restart".to_owned(),
            title: redaction.text(&format!("Restart of instance {}: {reason}", redacted.place.within_app())),
            app: included.app.then(|| restart.place.app.clone()),
            made_at: now,
            range: None,
            findings: vec![SharedFinding {
                details: details_of(&redaction, details),
                ..SharedFinding::default()
            }],
            charts: vec![],
            lines: measured.into_iter().collect(),
            tables: evidence.map(|evidence| readings(&redaction, evidence)).into_iter().collect(),
        }
    }
}

fn finding(redaction: &Redaction, insight: Insight) -> SharedFinding {
    let Insight { severity, title, mut details, actions, incident } = insight;
    // a process's number says nothing elsewhere
    details.retain(|detail| detail.name != "Process");
    let (stack, notes) = match incident {
        Some(excerpt) => (Some(stack(excerpt.crashing_thread)), excerpt.notes),
        None => (None, Vec::new()),
    };
    SharedFinding {
        heading: Some((severity, redaction.text(&title))),
        details: details_of(redaction, details),
        stack,
        notes,
        actions: actions_of(redaction, actions),
    }
}

fn details_of(redaction: &Redaction, details: Vec<Detail>) -> Vec<SharedDetail> {
    let value = |value| match value {
        DetailValue::Text(text) => SharedValue::Text(redaction.text(&text)),
        DetailValue::Code(text) => SharedValue::Code(redaction.text(&text)),
        DetailValue::Time(at) => SharedValue::Time(at),
    };
    details.into_iter().map(|Detail { name, value: of }| SharedDetail { name, value: value(of) }).collect()
}

/// What leads to a page is of no use to who cannot open it.
fn actions_of(redaction: &Redaction, actions: Vec<Action>) -> Vec<String> {
    let here = actions.into_iter().filter(|action| action.link.is_none());
    here.map(|action| redaction.text(&action.text)).collect()
}

fn stack(thread: Thread) -> SharedStack {
    let frame = |frame: Frame| {
        let Frame { module, function, file, line, offset, trust, inline } = frame;
        SharedFrame { module, function, file, line, offset, trust, inline }
    };
    SharedStack {
        frames: thread.frames.into_iter().map(frame).collect(),
        telling: thread.telling,
        truncated: thread.truncated,
    }
}

fn chart(redaction: &Redaction, chart: Chart) -> SharedChart {
    let Chart { title, unit, range, bucket_ms, series, deploys } = chart;
    let series = series.into_iter();
    let series =
        series.map(|series| SharedSeries { name: redaction.text(&series.name), values: series.values });
    let deploys = deploys.into_iter().map(|deploy| deploy.at).collect();
    SharedChart { title, unit, range, bucket_ms, series: series.collect(), deploys }
}

fn lines(redaction: &Redaction, chart: LineChart) -> SharedLines {
    let LineChart { title, unit, range, bucket_ms, lines, marks, deploys, note } = chart;
    let line = |line: crate::report::Line| SharedLine {
        name: redaction.text(&line.name),
        values: line.values,
        limits: line.limits,
    };
    let mark = |mark: crate::report::Mark| SharedMark {
        at: mark.at,
        place: mark.place,
        kind: mark.kind,
        count: mark.count,
        text: redaction.text(&mark.text),
    };
    SharedLines {
        title,
        unit,
        range,
        bucket_ms,
        lines: lines.into_iter().map(line).collect(),
        marks: marks.into_iter().map(mark).collect(),
        deploys: deploys.into_iter().map(|deploy| deploy.at).collect(),
        note: note.map(str::to_owned),
    }
}

/// The columns that are named, of the first rows.
fn table(redaction: &Redaction, table: Table, shared: SharedColumns) -> SharedTable {
    let Table { title, columns, rows, empty, notes, folded: _ } = table;
    let kept: Vec<bool> = columns.iter().map(|column| shared.contains(&column.key)).collect();
    let count = rows.len();
    let row = |cells: Vec<Cell>| {
        let cells = cells.into_iter().zip(&kept).filter(|(_, kept)| **kept);
        cells.map(|(found, _)| cell(redaction, found)).collect()
    };
    let mut notes: Vec<String> =
        notes.into_iter().filter(|note| note.link.is_none()).map(|note| redaction.text(&note.text)).collect();
    if count > ROWS {
        notes.push(format!("The first {ROWS} of {} are shared.", counted(count, "row", "rows")));
    }
    SharedTable {
        title: title.to_owned(),
        columns: columns
            .iter()
            .zip(&kept)
            .filter(|(_, kept)| **kept)
            .map(|(column, _)| SharedColumn { title: column.title.to_owned(), layout: column.layout })
            .collect(),
        rows: rows.into_iter().take(ROWS).map(row).collect(),
        empty,
        notes,
    }
}

fn cell(redaction: &Redaction, cell: Cell) -> SharedCell {
    match cell {
        // what is left of a dump, and processes, are never shared
        Cell::None | Cell::Hash(_) | Cell::Branch { .. } => SharedCell::None,
        Cell::Text(text) => SharedCell::Text(redaction.text(&text)),
        Cell::Code(text) | Cell::Link { text, to: _ } => SharedCell::Code(redaction.text(&text)),
        Cell::Time(at) => SharedCell::Time(at),
        Cell::Count(count) => SharedCell::Count(count),
        Cell::Bytes(bytes) => SharedCell::Bytes(bytes),
        Cell::DurationMs(ms) => SharedCell::DurationMs(ms),
        Cell::DurationUs(us) => SharedCell::DurationMs(us / 1_000),
        Cell::Percent(percent) => SharedCell::Percent(percent.into()),
        Cell::Status { severity, word, details } => {
            SharedCell::Status { severity, word, details: details.map(|details| redaction.text(&details)) }
        }
    }
}

fn column(title: &str, layout: Layout) -> SharedColumn {
    SharedColumn { title: title.to_owned(), layout }
}

/// Requests by their method, and by their paths where those are shared.
fn in_flight(redaction: &Redaction, incident: &Incident, included: Included) -> SharedTable {
    let trigger = likely_trigger(incident);
    let mut columns = vec![column("Method", Layout::Short)];
    columns.extend(included.paths.then(|| column("Path", Layout::Long)));
    columns.extend([column("Duration", Layout::Number), column("Role", Layout::Short)]);
    let row = |request: &model::crash::InFlightRequest| {
        let is_trigger = trigger.is_some_and(|trigger| std::ptr::eq(trigger, request));
        let mut row = vec![SharedCell::Code(method(&request.method).to_owned())];
        row.extend(included.paths.then(|| SharedCell::Code(redaction.text(&request.path))));
        row.push(SharedCell::DurationMs(request.age_ms));
        row.push(if is_trigger { SharedCell::Text("Likely trigger".to_owned()) } else { SharedCell::None });
        row
    };
    let unlisted = usize::try_from(incident.in_flight_count)
        .unwrap_or(usize::MAX)
        .saturating_sub(incident.in_flight.len());
    SharedTable {
        title: "In-flight requests".to_owned(),
        columns,
        rows: incident.in_flight.iter().map(row).collect(),
        empty: "No in-flight requests at this crash".to_owned(),
        notes: (unlisted > 0).then(|| format!("… and {unlisted} more.")).into_iter().collect(),
    }
}

/// How far the other rules were from acting.
fn readings(redaction: &Redaction, evidence: &model::auto_heal::evidence::Evidence) -> SharedTable {
    let row = |reading: &model::auto_heal::evidence::Reading| {
        vec![
            SharedCell::Text(rules::title(reading.rule)),
            reading.towards_percent().map_or(SharedCell::None, SharedCell::Percent),
            SharedCell::Text(redaction.text(&capitalized(&rules::reading(reading)))),
        ]
    };
    SharedTable {
        title: "Other rules at that time".to_owned(),
        columns: vec![
            column("Rule", Layout::Short),
            column("% of threshold", Layout::Number),
            column("Details", Layout::Long),
        ],
        rows: evidence.not_fired.iter().map(row).collect(),
        empty: "No other rules were active".to_owned(),
        notes: vec![],
    }
}
