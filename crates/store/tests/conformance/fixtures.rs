//! Crashes, restarts and events to record.

use std::time::Duration;

use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::evidence::{Evidence, EvidenceText, Reading, Rule, RuleState, Sample, Seen, Unit};
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome, RestartReason};
use model::auto_heal::{Measured, Watch};
use model::change::{Change, Changed};
use model::crash::{
    Audit, Crash, Findings, Frame, InFlightRequest, Module, Note, ProcessRole, RequestEvidence, Runtime,
    Thread, Trust,
};
use model::crash_monitor::LastEnd;
use model::memory::MemoryMinute;
use model::{AppName, CrashCause, IncidentId, NodeName, Place, TimeRange, Timestamp, WorkerId};

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// 2026-01-31T08:15:00Z.
pub(crate) const NOON_MS: i64 = 1_769_847_300_000;

pub(crate) fn app(name: &str) -> AppName {
    name.parse().unwrap()
}

pub(crate) fn node(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// An instance on `node-a`.
pub(crate) fn instance(app_name: &str, number: u16) -> Place {
    place("node-a", app_name, number)
}

pub(crate) fn place(node_name: &str, app_name: &str, instance: u16) -> Place {
    Place { node: node(node_name), app: app(app_name), instance }
}

/// `offset_ms` after [`NOON_MS`].
pub(crate) fn at(offset_ms: i64) -> Timestamp {
    Timestamp::from_ms(NOON_MS + offset_ms)
}

/// From and to, as offsets from [`NOON_MS`].
pub(crate) fn range(start_ms: i64, end_ms: i64) -> TimeRange {
    TimeRange { start: at(start_ms), end: at(end_ms) }
}

pub(crate) const EVER: TimeRange =
    TimeRange { start: Timestamp::from_ms(0), end: Timestamp::from_ms(4_000_000_000_000) };

pub(crate) fn incident(number: u64) -> IncidentId {
    format!("{number:016x}").parse().unwrap()
}

/// A crash of `app`'s instance 0, `offset_ms` after [`NOON_MS`], of incident `number`, without a dump.
pub(crate) fn crash(app_name: &str, offset_ms: i64, number: u64) -> Crash {
    Crash {
        worker: WorkerId { place: instance(app_name, 0), started_at: at(offset_ms - 60_000) },
        place: instance(app_name, 0),
        pid: 4_711,
        role: ProcessRole::Main,
        process_started_at: at(offset_ms - 60_000),
        at: at(offset_ms),
        uptime_ms: 60_000,
        cause: CrashCause::Exit,
        signal: None,
        exit_code: Some(1),
        findings: Findings {
            exception_type: "TypeError".to_owned(),
            runtime: Runtime::Node,
            signature: format!("handle_request_{number}"),
            crashing_thread: Thread {
                name: None,
                frames: vec![frame("handle_request", None)],
                truncated: false,
                telling: Some(0),
            },
            modules: vec![],
            notes: vec![],
            executable: None,
        },
        in_flight: vec![],
        in_flight_count: 0,
        memory: vec![],
        audit: None,
        incident: incident(number),
    }
}

/// The same by the kernel for want of memory, with what it had over its last minutes.
pub(crate) fn out_of_memory(app_name: &str, offset_ms: i64, number: u64) -> Crash {
    let sample =
        |second: i64| Sample { at: at(offset_ms - 1_000 * second), value: u64::MAX - second.unsigned_abs() };
    Crash {
        cause: CrashCause::OutOfMemory,
        signal: Some("SIGKILL".to_owned()),
        exit_code: None,
        memory: (0..120).rev().map(sample).collect(),
        ..crash(app_name, offset_ms, number)
    }
}

/// The same with a dump, everything that can be known, and a fatal signal.
pub(crate) fn captured(app_name: &str, offset_ms: i64, number: u64) -> Crash {
    let mut crash = crash(app_name, offset_ms, number);
    (crash.cause, crash.signal, crash.exit_code) = (CrashCause::Signal, Some("SIGSEGV".to_owned()), None);
    "SIGSEGV / SEGV_MAPERR".clone_into(&mut crash.findings.exception_type);
    crash.findings.runtime = Runtime::Native;
    crash.findings.crashing_thread = Thread {
        name: Some("worker-1".to_owned()),
        frames: vec![frame("std::map<int, 'quoted'>::at", Some("shop")), frame("main", Some("libc.so.6"))],
        truncated: true,
        telling: None,
    };
    crash.findings.modules = ["ld.so", "libc.so.6", "shop"].map(module).to_vec();
    crash.findings.notes = vec![
        Note::Recorded("the program was replaced while it ran".to_owned()),
        Note::FileReplaced { file: "shop".to_owned() },
    ];
    crash.in_flight = vec![InFlightRequest {
        method: "GET".to_owned(),
        path: "/orders/*".to_owned(),
        age_ms: 250,
        evidence: RequestEvidence::Closed,
    }];
    crash.in_flight_count = 31;
    crash.audit = Some(Audit {
        size_bytes: 34 << 20,
        sha256: "ab".repeat(32),
        captured_at: at(offset_ms + 5),
        dropped_at: at(offset_ms + 900),
        stopped_us: 41_000,
        result: "analysed".to_owned(),
    });
    crash
}

pub(crate) fn frame(function: &str, module: Option<&str>) -> Frame {
    Frame {
        module: module.map(str::to_owned),
        function: Some(function.to_owned()),
        file: Some("src/shop.cpp".to_owned()),
        line: Some(42),
        offset: Some(u64::MAX),
        trust: Trust::CallFrameInfo,
        inline: true,
    }
}

fn module(name: &str) -> Module {
    Module { name: name.to_owned(), build_id: Some("0123abcd".to_owned()) }
}

/// A restart by hand of `app`'s instance 0, `offset_ms` after [`NOON_MS`].
pub(crate) fn restart(app_name: &str, offset_ms: i64) -> Restart {
    let worker = |offset_ms| WorkerId { place: instance(app_name, 0), started_at: at(offset_ms) };
    Restart {
        old: worker(-60_000),
        new: Some(worker(offset_ms)),
        place: instance(app_name, 0),
        at: at(offset_ms),
        reason: RestartReason::ByHand { by: None },
        evidence: None,
        duration_ms: 1_200,
        drained: 3,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
    }
}

/// The same by a rule, with everything that can be known, that failed.
pub(crate) fn healed(app_name: &str, offset_ms: i64) -> Restart {
    Restart {
        new: None,
        place: instance(app_name, 7),
        reason: RestartReason::Rule { rule: Rule::StatusCode { index: 2 }, blew_fuse: true },
        evidence: Some(evidence(Rule::StatusCode { index: 2 })),
        failed: 1,
        streams_ended: 6,
        tunnels_ended: 2,
        outcome: RestartOutcome::Failed {
            why: RestartFailure::NewWorker {
                end: LastEnd::NotReady { limit_ms: 5_000, readiness: None, fault: None },
            },
        },
        ..restart(app_name, offset_ms)
    }
}

/// The proactive rules of `app` were resumed, `offset_ms` after [`NOON_MS`].
pub(crate) fn change(app_name: &str, offset_ms: i64) -> Change {
    Change {
        app: app(app_name),
        node: node("node-a"),
        at: at(offset_ms),
        by: Some("alice (uid 1000)".to_owned()),
        what: Changed::Resumed { was_paused: true },
    }
}

/// A line in the log about `app`'s instance 0, `offset_ms` after [`NOON_MS`].
pub(crate) fn heal_event(app_name: &str, offset_ms: i64) -> HealEvent {
    HealEvent {
        worker: WorkerId { place: instance(app_name, 0), started_at: at(-60_000) },
        at: at(offset_ms),
        evidence: evidence(Rule::SlowRequests),
        what: EventKind::Logged,
    }
}

pub(crate) fn evidence(rule: Rule) -> Evidence {
    Evidence {
        rule,
        seen: measured(),
        threshold: 5,
        unit: Unit::Requests,
        window_ms: 120_000,
        samples: (0..120).map(|second| Sample { at: at(second * 1_000), value: u64::MAX }).collect(),
        not_fired: vec![
            reading(RuleState::Watching),
            reading(RuleState::Overridden { by: Rule::PrivateBytes }),
        ],
    }
}

fn measured() -> Seen<EvidenceText> {
    let except = vec!["/poll/*".parse().unwrap()];
    let counted =
        Watch { statuses: None, at_least: Duration::from_secs(30), path: "/api/*".parse().ok(), except };
    let (at_least, interval) = (5, Duration::from_mins(2));
    Measured::Requests { counted: Some(counted), at_least, interval, count: u64::MAX, running: 1 }.into()
}

pub(crate) fn reading(state: RuleState) -> Reading {
    Reading {
        rule: Rule::PercentMemory,
        state,
        seen: Measured::PrivateBytes { threshold_bytes: 1 << 30, bytes: None }.into(),
        fired_too: true,
        value: Some(1_200_000_000),
        threshold: None,
        unit: Unit::Bytes,
    }
}

/// A minute of an instance's memory; `number` from the minute of [`NOON_MS`].
pub(crate) fn memory(
    app_name: &str,
    index: u16,
    number: i64,
    private_bytes_max: u64,
) -> (Place, MemoryMinute) {
    let minute = MemoryMinute { minute: at(number * 60_000), private_bytes_max, limit_bytes: 1_750_000_000 };
    (instance(app_name, index), minute)
}

/// A flush that was never sent before.
pub(crate) fn flush() -> store::Flush {
    static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    store::Flush { boot: number.to_string(), number: 1, at: at(0) }
}
