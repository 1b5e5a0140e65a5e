use std::time::Duration;

use model::auto_heal::Rule;
use model::auto_heal::evidence::{Evidence as RuleEvidence, Reading, RuleState, Sample, Seen, Unit};
use model::auto_heal::measured::Measured;
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome, RestartReason};
use model::auto_heal::watch::Watch;
use model::crash::{
    Audit, Crash, Executable, Findings, Frame, InFlightRequest, Incident, IncidentInRange, Module, Note,
    ProcessRole, RequestEvidence, Runtime, Thread, Trust,
};
use model::crash_monitor::LastEnd;
use model::deploy::{Code, Deploy, Revision};
use model::incident_state::IncidentState;
use model::memory::{MemoryHistory, MemoryMinute};
use model::share::Included;
use model::status::AppStatus;
use model::{CrashCause, Place, TimeRange, Timestamp, WorkerId};

use super::SharedReport;
use crate::detector::Sharing;
use crate::detectors::DETECTORS;
use crate::detectors::tests::nothing;
use crate::evidence::{CrashCount, DumpAudit, Evidence};

const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const ALL: Included = Included { app: true, hosts: true, paths: true };

/// Everything that nobody may read has `zq` in it, and so has what is shared where that is asked for.
fn worker() -> WorkerId {
    "zqhost.internal/zq-app/0/1769847000000".parse().unwrap()
}

fn place() -> Place {
    worker().place
}

fn thread() -> Thread {
    let frame = |function: Option<&str>, file: &str| Frame {
        module: Some("zq-app".to_owned()),
        function: function.map(str::to_owned),
        file: Some(file.to_owned()),
        line: Some(33),
        offset: Some(1),
        trust: Trust::Runtime,
        inline: false,
    };
    Thread {
        name: Some("zqthread".to_owned()),
        frames: vec![
            frame(Some("price_of"), "/home/zquser/zq/cart.rs"),
            frame(Some("{closure:/home/zquser/zq/x.php:3}"), "src/main.rs"),
            frame(None, "C:\\Users\\zquser\\y.cs"),
        ],
        truncated: false,
        telling: Some(0),
    }
}

fn audit() -> Audit {
    Audit {
        size_bytes: 1,
        sha256: "zqhash".to_owned(),
        captured_at: NOW,
        dropped_at: NOW,
        stopped_us: 1,
        result: "zqaudit".to_owned(),
    }
}

fn request() -> InFlightRequest {
    let (method, path) = ("zqmethod".to_owned(), "/zqroute".to_owned());
    InFlightRequest { method, path, age_ms: 12, evidence: RequestEvidence::InFlight }
}

fn incident(cause: CrashCause) -> Incident {
    let said = |text: &str| format!("zq{text}");
    let id = "a".repeat(16).parse().unwrap();
    Incident {
        app: place().app,
        signature: "SIGSEGV | price_of | zq-app | include('/home/zquser/zq/index.php')".to_owned(),
        signal: Some("SIGSEGV".to_owned()),
        instances: vec!["zqhost.internal/0".to_owned(), "zqother.internal/1".to_owned()],
        crashing_thread: thread(),
        modules: vec![Module { name: said("module"), build_id: Some(said("build")) }],
        in_flight: vec![request()],
        in_flight_count: 1,
        memory: vec![Sample { at: NOW - Duration::from_secs(5), value: 1 }, Sample { at: NOW, value: 2 }],
        audit: Some(audit()),
        notes: vec![
            Note::CausedBy { exception: "KeyError".to_owned() },
            Note::ShimKilled,
            Note::FileMissing { file: said("file") },
            Note::MessageNotWritten { folder: said("folder"), error: said("error") },
            Note::ProcessLeft { pid: 7, name: said("process"), error: None },
            Note::Recorded(said("sentence")),
        ],
        state: IncidentState::Ignored { until: NOW, by: Some(said("user")) },
        ..nothing::bare_incident(id, cause, NOW - Duration::from_mins(3))
    }
}

fn crash() -> Crash {
    Crash {
        worker: worker(),
        place: place(),
        pid: 7,
        role: ProcessRole::Main,
        process_started_at: NOW,
        at: NOW - Duration::from_mins(3),
        uptime_ms: 1,
        cause: CrashCause::Signal,
        signal: Some("SIGSEGV".to_owned()),
        exit_code: None,
        findings: Findings {
            exception_type: "SIGSEGV".to_owned(),
            runtime: Runtime::Native,
            signature: "SIGSEGV | /home/zquser/x".to_owned(),
            crashing_thread: thread(),
            modules: vec![],
            notes: vec![],
            executable: Some(Executable { name: "zqexe".to_owned(), build: "zq".to_owned() }),
        },
        in_flight: vec![request()],
        in_flight_count: 1,
        memory: vec![],
        audit: Some(audit()),
        incident: "a".repeat(16).parse().unwrap(),
    }
}

fn restart(reason: RestartReason, outcome: RestartOutcome) -> Restart {
    let watch = Watch {
        statuses: None,
        at_least: Duration::from_secs(5),
        path: Some("/zqroute/*".parse().unwrap()),
        except: vec![],
    };
    let measured = Measured::Requests {
        counted: Some(watch),
        at_least: 5,
        interval: Duration::from_mins(1),
        count: 6,
        running: 0,
    };
    let reading = Reading::new(Rule::SlowRequests, measured.clone(), Some(1), 5, Unit::Requests);
    let older = serde_json::from_value(serde_json::json!({"standing": "off", "why": "zqwhy"})).unwrap();
    let evidence = RuleEvidence {
        rule: Rule::SlowRequestsWithPath { index: 0 },
        seen: Seen::Measured { measured },
        threshold: 5,
        unit: Unit::Requests,
        window_ms: 60_000,
        samples: vec![Sample { at: NOW, value: 6 }],
        not_fired: vec![reading.clone(), reading.in_state(RuleState::Recorded(older))],
    };
    Restart {
        old: worker(),
        new: Some(worker()),
        place: place(),
        at: NOW - Duration::from_mins(2),
        reason,
        evidence: Some(evidence),
        duration_ms: 1_200,
        drained: 3,
        failed: 1,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome,
    }
}

fn restarts() -> Vec<Restart> {
    let failed = |why| RestartOutcome::Failed { why };
    let end = |end| failed(RestartFailure::NewWorker { end });
    let rule = RestartReason::Rule { rule: Rule::SlowRequestsWithPath { index: 0 }, blew_fuse: false };
    vec![
        restart(RestartReason::ByHand { by: Some("zquser (uid 1)".to_owned()) }, RestartOutcome::Done),
        restart(rule.clone(), RestartOutcome::Done),
        restart(rule.clone(), end(LastEnd::StartFailed { reason: "zqreason".to_owned() })),
        restart(rule, failed(RestartFailure::Recorded("zqsentence".to_owned()))),
    ]
}

fn evidence() -> Evidence {
    let range = TimeRange::last(NOW, Duration::from_hours(24));
    let at = NOW - Duration::from_mins(3);
    let code = |name: &str| Code {
        revision: Some(Revision { name: format!("zq{name}"), source: "zqsource".to_owned() }),
        executable: None,
        script: None,
        command: "zqcommand".to_owned(),
    };
    let nothing = nothing::nothing_recorded(range, NOW, vec![place()]);
    let status = AppStatus { name: place().app, listen: "zqaddress".to_owned(), ..nothing.status.clone() };
    let known = incident(CrashCause::Signal);
    let other = Incident { id: "b".repeat(16).parse().unwrap(), ..known.clone() };
    Evidence {
        status,
        crash_counts: vec![CrashCount { place: place(), first: at, at, count: 2, out_of_memory: 1 }],
        incidents_in_range: [&known, &other]
            .map(|incident| IncidentInRange { incident: incident.summary(), count: 1 })
            .to_vec(),
        incidents: vec![known],
        incident_count: 2,
        crashes: vec![crash()],
        audits: vec![DumpAudit { crash: crash().id(), incident: crash().incident, audit: audit() }],
        restarts: restarts(),
        memory: vec![MemoryHistory {
            place: place(),
            minutes: vec![MemoryMinute { minute: at, private_bytes_max: 10, limit_bytes: 11 }],
        }],
        deploys: vec![Deploy {
            app: place().app,
            node: place().node,
            at,
            to: code("new"),
            from: Some(code("old")),
        }],
        ..nothing
    }
}

/// All that can be shared of it.
fn shared(included: Included) -> Vec<SharedReport> {
    let evidence = evidence();
    let causes = [CrashCause::Signal, CrashCause::OutOfMemory, CrashCause::KilledByMaster];
    let incidents =
        causes.map(|cause| SharedReport::of_incident(&incident(cause), &[crash()], included, NOW));
    let reports =
        DETECTORS.into_iter().filter_map(|detector| SharedReport::of_report(detector, &evidence, included));
    let restarts = restarts().into_iter().map(|restart| SharedReport::of_restart(&restart, included, NOW));
    incidents.into_iter().chain(reports).chain(restarts).collect()
}

#[test]
fn nothing_private_is_in_any_snapshot() {
    for report in shared(Included::default()) {
        let text = serde_json::to_string_pretty(&report).unwrap();
        let found: Vec<&str> = text.lines().filter(|line| line.to_lowercase().contains("zq")).collect();
        assert!(found.is_empty(), "{}: {found:#?}", report.title);
        assert!(!text.contains("1769847000000"), "a worker's name");
    }
}

#[test]
fn what_is_ticked_is_there_and_nothing_else() {
    for report in shared(ALL) {
        let text = serde_json::to_string(&report).unwrap();
        assert!(text.contains("zq-app"), "{}", report.title);
        for private in [
            "zquser (uid",
            "zqthread",
            "zqhash",
            "zqaudit",
            "zqmethod",
            "zqmodule",
            "zqbuild",
            "zqfile",
            "zqfolder",
            "zqerror",
            "zqprocess",
            "zqsentence",
            "zqexe",
            "zqreason",
            "zqwhy",
            "zqnew",
            "zqold",
            "zqsource",
            "zqcommand",
            "zqaddress",
        ] {
            assert!(!text.contains(private), "{private} in {text}");
        }
    }
    let incident = &shared(ALL)[0];
    let text = serde_json::to_string(incident).unwrap();
    for ticked in ["zqhost.internal/0", "/home/zquser/zq/cart.rs", "/zqroute"] {
        assert!(text.contains(ticked), "{ticked} in {text}");
    }
    assert_eq!(incident.full_title(), "zq-app: 1 crash of SIGSEGV in price_of");
}

#[test]
fn a_snapshot_says_what_the_pages_say() {
    let all = shared(Included::default());
    let incident = serde_json::to_string(&all[0]).unwrap();
    for said in [
        "1 crash of SIGSEGV in price_of",
        "node-1/0, node-2/1",
        "Start at price_of (cart.rs:33), the most relevant frame.",
        "{closure:x.php:3}",
        "\"y.cs\"",
        "KeyError",
        "No stack trace: the shim process was killed before the crash was analyzed.",
        "Likely trigger",
    ] {
        assert!(incident.contains(said), "{said} in {incident}");
    }
    let titled = |title: &str| all.iter().find(|report| report.title == title).unwrap();
    let crashes = titled("Application Crashes");
    let tables: Vec<&str> = crashes.tables.iter().map(|table| &*table.title).collect();
    assert_eq!(tables, ["Other signatures", "Latest crashes", "Restarts in this time range"]);
    assert!(crashes.tables.iter().flat_map(|table| &table.rows).all(|row| row.len() > 5));
    assert_eq!(crashes.charts[0].series[0].name, "node-1/0");
    assert_eq!(crashes.charts[0].deploys.len(), 1);
    assert_eq!(titled("Memory Analysis").lines.len(), 1);
    assert!(all.iter().all(|report| report.title != "Process Full List"));
    let restart = serde_json::to_string(&all[7]).unwrap();
    assert!(restart.contains("Restart of instance node-1/0: Slow requests with path 1"), "{restart}");
    assert!(restart.contains("6 requests") || restart.contains("6 slow requests"), "{restart}");
}

#[test]
fn a_snapshot_reads_back_and_its_charts_are_drawn_as_they_were() {
    for report in shared(Included::default()) {
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<SharedReport>(&json).unwrap(), report);
    }
    let crashes = &shared(Included::default())[3..5];
    for chart in crashes.iter().flat_map(|report| report.charts.clone()) {
        let drawn = crate::report::Chart::from(chart.clone());
        assert_eq!((drawn.title, drawn.deploys.len()), (chart.title, chart.deploys.len()));
    }
}

/// A table or column that its detector names and that does not exist would silently be left out.
#[test]
fn the_tables_and_columns_that_detectors_share_exist() {
    for detector in DETECTORS {
        let Sharing::Snapshot { tables: shared } = detector.sharing else { continue };
        let tables = (detector.report)(&evidence()).tables;
        for (title, columns) in shared {
            let table = tables.iter().find(|table| table.title == *title).unwrap();
            for key in *columns {
                assert!(table.columns.iter().any(|column| column.key == *key), "{title}: {key}");
            }
        }
    }
}
