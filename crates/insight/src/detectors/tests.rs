//! What holds of every detector, over the registry.

pub(crate) mod nothing;

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::evidence::{Ask, CrashCount, DumpAudit, Evidence};
use crate::report::Report;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::crash::{Audit, Crash, Findings, Incident, IncidentInRange, ProcessRole, Runtime, Thread};
use model::deploy::{Code, Deploy};
use model::memory::{MemoryHistory, MemoryMinute};
use model::process::Process;
use model::{CrashCause, CrashId, IncidentId, TimeRange, Timestamp, WorkerId};
pub(super) use nothing::bare_incident;
use nothing::nothing_recorded;

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
pub(super) const DAY: TimeRange =
    TimeRange { start: Timestamp::from_ms(1_769_847_300_000 - 86_400_000), end: NOW };

/// Of an app of which nothing is recorded.
pub(super) fn evidence(range: TimeRange) -> Evidence {
    nothing_recorded(range, NOW, ["a/shop/0", "a/shop/1"].map(|place| place.parse().unwrap()).to_vec())
}

#[test]
fn an_id_is_the_title_in_kebab_case_and_nobody_elses() {
    let ids: BTreeSet<&str> = DETECTORS.iter().map(|detector| detector.id).collect();
    assert_eq!(ids.len(), DETECTORS.len());
    for of in DETECTORS {
        assert_eq!(of.id, of.title.to_lowercase().replace(' ', "-"));
        assert!(std::ptr::eq(detector(of.id).unwrap(), of));
        assert!(of.description.ends_with('.') && !of.keywords.is_empty(), "{}", of.id);
    }
    assert!(detector("nope").is_none());
}

#[test]
fn whoever_knows_nothing_still_says_something_and_every_row_has_all_cells() {
    for detector in DETECTORS {
        for length in [Duration::from_mins(15), Duration::from_hours(24)] {
            let range = TimeRange::last(NOW, length);
            let Report { insights, tables, range: said, .. } = (detector.report)(&evidence(range));
            assert!(!insights.is_empty(), "{}", detector.id);
            assert_eq!(said, range);
            for table in tables {
                let keys: BTreeSet<&str> = table.columns.iter().map(|column| column.key).collect();
                assert_eq!(keys.len(), table.columns.len(), "{}: {}", detector.id, table.title);
                assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.title);
                assert!(!table.empty.is_empty());
            }
        }
    }
}

fn out_of_memory(id: IncidentId, at: Timestamp) -> Incident {
    Incident {
        signature: "OOM | shop".to_owned(),
        exception_type: "Out of memory".to_owned(),
        ..bare_incident(id, CrashCause::OutOfMemory, at)
    }
}

/// One of everything that a detector uses by now; what none uses is empty.
fn one_of_each() -> Evidence {
    let worker: WorkerId = "a/shop/0/1769847000000".parse().unwrap();
    let (id, at): (IncidentId, _) = ("a".repeat(16).parse().unwrap(), NOW - Duration::from_mins(3));
    let audit = Audit {
        size_bytes: 1,
        sha256: "ab".to_owned(),
        captured_at: at,
        dropped_at: at,
        stopped_us: 1,
        result: "analysed".to_owned(),
    };
    let incident = out_of_memory(id.clone(), at);
    let in_range = IncidentInRange { incident: incident.summary(), count: 2 };
    let restart = Restart {
        old: worker.clone(),
        new: None,
        place: worker.place.clone(),
        at,
        reason: RestartReason::ConfigurationChanged,
        evidence: None,
        duration_ms: 1,
        drained: 1,
        failed: 1,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
    };
    let memory = MemoryHistory {
        place: worker.place.clone(),
        minutes: vec![MemoryMinute { minute: at, private_bytes_max: 99, limit_bytes: 100 }],
    };
    let process = Process {
        pid: 7,
        parent: 1,
        name: "shop".to_owned(),
        cpu_percent: None,
        private_bytes: None,
        threads: None,
        open_files: None,
        open_files_limit: None,
        started_at: at,
    };
    let code = Code { revision: None, executable: None, script: None, command: "ab".to_owned() };
    let deploy =
        Deploy { app: worker.place.app.clone(), node: worker.place.node.clone(), at, from: None, to: code };
    Evidence {
        crash_counts: vec![CrashCount {
            first: at,
            place: "a/shop/0".parse().unwrap(),
            at,
            count: 2,
            out_of_memory: 1,
        }],
        incidents: vec![incident],
        incidents_in_range: vec![in_range],
        incident_count: 1,
        crashes: vec![crash_of(&worker, &id, at)],
        audits: vec![DumpAudit { crash: CrashId::of_main(worker), incident: id, audit }],
        restarts: vec![restart],
        memory: vec![memory],
        processes: vec![("a/shop/0".parse().unwrap(), vec![process])],
        deploys: vec![deploy],
        ..evidence(DAY)
    }
}

fn crash_of(worker: &WorkerId, incident: &IncidentId, at: Timestamp) -> Crash {
    Crash {
        worker: worker.clone(),
        place: worker.place.clone(),
        pid: 7,
        role: ProcessRole::Main,
        process_started_at: at,
        at,
        uptime_ms: 1,
        cause: CrashCause::OutOfMemory,
        signal: None,
        exit_code: None,
        findings: Findings {
            exception_type: "Out of memory".to_owned(),
            runtime: Runtime::Native,
            signature: "OOM | shop".to_owned(),
            crashing_thread: Thread::default(),
            modules: vec![],
            notes: vec![],
            executable: None,
        },
        in_flight: vec![],
        in_flight_count: 0,
        memory: vec![],
        audit: None,
        incident: incident.clone(),
    }
}

/// What would be gathered of it.
fn gathered(all: &Evidence, asked: &[Ask]) -> Evidence {
    let mut some = evidence(DAY);
    for ask in asked {
        match ask {
            Ask::CrashCounts => some.crash_counts.clone_from(&all.crash_counts),
            Ask::Incidents { .. } => some.incidents.clone_from(&all.incidents),
            Ask::IncidentsInRange { .. } => some.incidents_in_range.clone_from(&all.incidents_in_range),
            Ask::IncidentCount => some.incident_count = all.incident_count,
            Ask::Crashes { .. } => some.crashes.clone_from(&all.crashes),
            Ask::Audits { .. } => some.audits.clone_from(&all.audits),
            Ask::Restarts { .. } => some.restarts.clone_from(&all.restarts),
            Ask::HealEvents { .. } => some.heal_events.clone_from(&all.heal_events),
            Ask::MemoryMinutes => some.memory.clone_from(&all.memory),
            Ask::Processes => some.processes.clone_from(&all.processes),
            Ask::Deploys { .. } => some.deploys.clone_from(&all.deploys),
        }
    }
    some
}

#[test]
fn a_detector_asks_for_all_that_it_uses_and_uses_all_that_it_asks_for() {
    let all = one_of_each();
    for detector in DETECTORS {
        let whole = (detector.report)(&all);
        assert_eq!((detector.report)(&gathered(&all, detector.evidence)), whole, "{}", detector.id);
        for left_out in 0..detector.evidence.len() {
            let mut asked = detector.evidence.to_vec();
            let ask = asked.remove(left_out);
            assert_ne!((detector.report)(&gathered(&all, &asked)), whole, "{}: {ask:?}", detector.id);
        }
    }
}
