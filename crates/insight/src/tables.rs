//! Tables of what is recorded, the same wherever they stand: crashes, restarts, and what is left of memory dumps.

use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::crash::{Audit, Crash};
use model::{CrashId, IncidentId};

use crate::exception::{signature, type_name};
use crate::incident::{role, termination};
use crate::report::{Cell, Column, Note, Severity, Table, Target};
use crate::{healing, rules, words};

pub(crate) const LATEST_CRASHES: &str = "Latest crashes";

/// Single crashes, newest first. `with_incident`: with a column that leads to each one's incident.
pub fn crashes(crashes: &[Crash], with_incident: bool) -> Table {
    let mut columns = vec![
        Column::short("at", "Time (UTC)"),
        Column::short("instance", "Instance"),
        Column::long("exception", "Exception"),
        Column::short("termination", "Termination"),
    ];
    if with_incident {
        columns.push(Column::long("incident", "Signature"));
    }
    columns.extend([
        Column::number("uptime", "Uptime"),
        Column::number("in_flight", "In-flight requests"),
        Column::short("stack_source", "Stack source"),
        Column::number("pid", "PID"),
        Column::short("process", "Process"),
    ]);
    let empty = "No crashes in this time range. A crash is a fatal signal, a nonzero exit code, or an out-of-memory kill.";
    let mut table = Table::new(LATEST_CRASHES, columns, empty);
    table.rows = crashes.iter().map(|crash| crash_row(crash, with_incident)).collect();
    table
}

fn crash_row(crash: &Crash, with_incident: bool) -> Vec<Cell> {
    let source = match (&crash.audit, crash.findings.crashing_thread.frames.is_empty()) {
        (Some(_), _) => "Memory dump",
        (None, false) => "stderr",
        (None, true) => "None",
    };
    let mut row = vec![
        Cell::Time(crash.at),
        Cell::Text(crash.place.within_app()),
        Cell::Code(type_name(&crash.findings.exception_type).into_owned()),
        Cell::Text(termination(crash.cause, crash.signal.as_deref(), crash.exit_code)),
    ];
    row.extend(with_incident.then(|| Cell::Link {
        text: signature(&crash.findings.signature).into_owned(),
        to: Target::Incident { id: crash.incident.clone() },
    }));
    row.extend([
        Cell::DurationMs(crash.uptime_ms),
        Cell::Count(crash.in_flight_count.into()),
        Cell::Text(source.to_owned()),
        Cell::Count(crash.pid.into()),
        Cell::Text(role(crash.role).to_owned()),
    ]);
    row
}

/// How much of a restart a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartColumns {
    /// All that is known in a line.
    Whole,
    /// What tells one from the other, beside crashes.
    Beside,
}

/// Single restarts, newest first.
pub fn restarts(
    title: &'static str,
    restarts: &[Restart],
    has: RestartColumns,
    empty: &'static str,
) -> Table {
    let is_whole = has == RestartColumns::Whole;
    let mut columns = vec![
        Column::short("at", "Time (UTC)"),
        Column::short("instance", "Instance"),
        Column::short("reason", "Reason"),
        Column::long("outcome", "Outcome"),
    ];
    if is_whole {
        columns
            .extend([Column::number("duration", "Duration"), Column::number("drained", "Requests drained")]);
    }
    columns.extend([
        Column::number("failed", "Requests failed"),
        Column::number("streams", "Streams ended"),
        Column::number("tunnels", "Tunnels ended"),
    ]);
    if is_whole {
        columns.push(Column::long("observed", "Observed"));
    }
    let mut table = Table::new(title, columns, empty);
    table.rows = restarts.iter().map(|restart| restart_row(restart, is_whole)).collect();
    table
}

/// Where the evidence of each restart is.
pub(crate) fn evidence_note() -> Note {
    Note::at(
        "For each restart's samples, threshold and the other rules at that time, open the history.",
        Target::AutoHealHistory,
    )
}

fn restart_row(restart: &Restart, is_whole: bool) -> Vec<Cell> {
    let (word, details) = match &restart.outcome {
        RestartOutcome::Done => ("Done", None),
        RestartOutcome::Failed { why } => ("Failed", Some(healing::failure(why))),
    };
    let severity = Severity::of_restart(restart);
    let mut row = vec![
        Cell::Time(restart.at),
        Cell::Text(restart.place.within_app()),
        Cell::Text(reason(&restart.reason)),
        Cell::Status { severity, word: word.to_owned(), details },
    ];
    if is_whole {
        row.extend([Cell::DurationMs(restart.duration_ms), Cell::Count(restart.drained)]);
    }
    row.extend([restart.failed, restart.streams_ended, restart.tunnels_ended].map(Cell::Count));
    if is_whole {
        let observed = restart.evidence.as_ref().map(|evidence| rules::evidence(evidence).observed);
        row.push(Cell::text(observed.map(|observed| words::capitalized(&observed))));
    }
    row
}

/// As a cell begins.
fn reason(reason: &RestartReason) -> String {
    match reason {
        RestartReason::ByHand { by: None } => "Manual restart".to_owned(),
        RestartReason::ByHand { by: Some(by) } => format!("Manual restart by {by}"),
        RestartReason::ConfigurationChanged => "Configuration changed".to_owned(),
        RestartReason::Rule { rule, blew_fuse: false } => rules::title(*rule),
        RestartReason::Rule { rule, blew_fuse: true } => {
            format!("{} (restart limit reached)", rules::title(*rule))
        }
    }
}

/// One dump: whose it was, where that is known; of which incident, where the page is not about it; and what is left of it.
pub struct AuditRow<'a> {
    pub crash: Option<&'a CrashId>,
    pub incident: Option<&'a IncidentId>,
    pub audit: &'a Audit,
}

/// The proofs of deletion, newest first.
pub fn audits(rows: &[AuditRow<'_>]) -> Table {
    let with_incident = rows.iter().any(|row| row.incident.is_some());
    let mut columns = vec![
        Column::short("captured_at", "Captured (UTC)"),
        Column::short("deleted_at", "Deleted (UTC)"),
        Column::number("retained", "Retained"),
        Column::number("paused", "Process paused"),
        Column::number("size", "Size"),
        Column::short("sha256", "SHA-256"),
        Column::short("analysis", "Analysis"),
        Column::short("worker", "Worker"),
    ];
    if with_incident {
        columns.push(Column::short("incident", "Incident"));
    }
    let mut table = Table::new("Deleted memory dumps", columns, "No memory dumps were taken");
    table
        .notes
        .push(Note::new("Dumps stay in memory and are deleted after analysis. Only these facts are kept."));
    table.rows = rows.iter().map(|row| audit_row(row, with_incident)).collect();
    table
}

fn audit_row(AuditRow { crash, incident, audit }: &AuditRow<'_>, with_incident: bool) -> Vec<Cell> {
    let retained = audit.dropped_at.since(audit.captured_at);
    let mut row = vec![
        Cell::Time(audit.captured_at),
        Cell::Time(audit.dropped_at),
        Cell::DurationMs(u64::try_from(retained.as_millis()).unwrap_or(u64::MAX)),
        Cell::DurationUs(audit.stopped_us),
        Cell::Bytes(audit.size_bytes),
        Cell::Hash(audit.sha256.clone()),
        Cell::Text(audit.result.clone()),
        crash.map_or(Cell::None, |crash| Cell::Code(crash.to_string())),
    ];
    if with_incident {
        row.push(incident.map_or(Cell::None, |id| Cell::Link {
            text: id.to_string(),
            to: Target::Incident { id: id.clone() },
        }));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::Rule;
    use model::auto_heal::restart::RestartFailure;
    use model::{Timestamp, WorkerId};

    #[test]
    fn every_row_has_a_cell_for_each_column_and_says_what_it_cost() {
        let old: WorkerId = "node/shop/1/1769847300000".parse().unwrap();
        let restart = Restart {
            place: old.place.clone(),
            old: old.clone(),
            new: None,
            at: Timestamp::from_ms(1_769_847_300_000),
            reason: RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse: true },
            evidence: None,
            duration_ms: 1_200,
            drained: 17,
            failed: 4,
            streams_ended: 6,
            tunnels_ended: 2,
            outcome: RestartOutcome::Failed {
                why: RestartFailure::Recorded("It did not listen.".to_owned()),
            },
        };
        for (has, drained) in [(RestartColumns::Whole, true), (RestartColumns::Beside, false)] {
            let table = restarts("Restarts", std::slice::from_ref(&restart), has, "None.");
            assert_eq!(table.rows[0].len(), table.columns.len());
            assert_eq!(table.rows[0].contains(&Cell::Count(17)), drained);
            assert!([4, 6, 2].iter().all(|count| table.rows[0].contains(&Cell::Count(*count))));
            assert!(table.rows[0].contains(&Cell::Text("Percent memory (restart limit reached)".to_owned())));
            assert!(table.rows[0].contains(&Cell::Status {
                severity: Severity::Warning,
                word: "Failed".to_owned(),
                details: Some("It did not listen.".to_owned())
            }));
        }
        let audit = Audit {
            size_bytes: 35_651_584,
            sha256: "ab".repeat(32),
            captured_at: Timestamp::from_ms(1_769_847_300_000),
            dropped_at: Timestamp::from_ms(1_769_847_300_850),
            stopped_us: 12_400,
            result: "analysed".to_owned(),
        };
        let incident: IncidentId = "a".repeat(16).parse().unwrap();
        for incident in [None, Some(&incident)] {
            let table =
                audits(&[AuditRow { crash: Some(&CrashId::of_main(old.clone())), incident, audit: &audit }]);
            assert_eq!(table.rows[0].len(), table.columns.len());
            for cell in [
                Cell::DurationMs(850),
                Cell::DurationUs(12_400),
                Cell::Hash("ab".repeat(32)),
                Cell::Code("node/shop/1/1769847300000".to_owned()),
            ] {
                assert!(table.rows[0].contains(&cell), "{cell:?}");
            }
        }
    }
}
