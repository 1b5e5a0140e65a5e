//! What a busy day is made of, as large as it comes from real programs.

use std::time::Duration;

use model::auto_heal::Measured;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::evidence::{Evidence, POINTS_LIMIT, Reading, Rule, RuleState, Sample, Unit};
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::crash::{
    Audit, Crash, Findings, Frame, InFlightRequest, Module, ProcessRole, RequestEvidence, Runtime, Thread,
    Trust,
};
use model::memory::MemoryMinute;
use model::requests::RequestMinute;
use model::{CrashCause, Place, Timestamp, WorkerId};

/// The kinds of crashes, by the sample's process id.
pub(super) const EXIT: u32 = 1;
pub(super) const OUT_OF_MEMORY: u32 = 2;
pub(super) const CAPTURED: u32 = 3;

const MIB: u64 = 1 << 20;
const LIMIT: u64 = 1_792 * MIB;

/// One of each kind.
pub(super) fn crashes(place: &Place) -> [Crash; 3] {
    [exit(place), out_of_memory(place), captured(place)]
}

/// An exception that Node.js printed.
fn exit(place: &Place) -> Crash {
    let at = Timestamp::from_ms(1_000_000);
    let frame = |number: u32| Frame {
        module: None,
        function: Some(format!("Cart.totalOf{number}")),
        file: Some("/srv/shop/src/cart/total.js".to_owned()),
        line: Some(40 + number),
        offset: None,
        trust: Trust::Runtime,
        inline: false,
    };
    Crash {
        worker: WorkerId { place: place.clone(), started_at: at },
        place: place.clone(),
        pid: EXIT,
        role: ProcessRole::Main,
        process_started_at: at,
        at,
        uptime_ms: 60_000,
        cause: CrashCause::Exit,
        signal: None,
        exit_code: Some(1),
        findings: Findings {
            exception_type: "TypeError".to_owned(),
            runtime: Runtime::Node,
            signature: "Cart.totalOf0".to_owned(),
            crashing_thread: Thread {
                name: None,
                frames: (0..8).map(frame).collect(),
                truncated: false,
                telling: Some(0),
            },
            modules: vec![],
            notes: vec![],
            executable: None,
        },
        in_flight: vec![in_flight(12), in_flight(3)],
        in_flight_count: 2,
        memory: vec![],
        audit: None,
        incident: "00000000000000e1".parse().unwrap(),
    }
}

fn out_of_memory(place: &Place) -> Crash {
    let mut crash = exit(place);
    crash.worker.started_at = crash.worker.started_at + Duration::from_millis(1);
    (crash.pid, crash.cause, crash.exit_code) = (OUT_OF_MEMORY, CrashCause::OutOfMemory, None);
    crash.signal = Some("SIGKILL".to_owned());
    "SIGKILL".clone_into(&mut crash.findings.exception_type);
    crash.findings.crashing_thread = Thread::default();
    crash.memory = points(crash.at, LIMIT - 120 * MIB, MIB);
    crash.incident = "00000000000000e2".parse().unwrap();
    crash
}

/// A dump of a native program that had many libraries loaded.
fn captured(place: &Place) -> Crash {
    let mut crash = exit(place);
    crash.worker.started_at = crash.worker.started_at + Duration::from_millis(2);
    (crash.pid, crash.cause, crash.exit_code) = (CAPTURED, CrashCause::Signal, None);
    crash.signal = Some("SIGSEGV".to_owned());
    "SIGSEGV / SEGV_MAPERR".clone_into(&mut crash.findings.exception_type);
    crash.findings.runtime = Runtime::Native;
    let frame = |number: u32| Frame {
        module: Some("libcart.so.3".to_owned()),
        function: Some(format!("shop::cart::Total<std::pair<int, std::string>>::price_of_{number}")),
        file: Some("src/shop/cart/total.cpp".to_owned()),
        line: Some(100 + number),
        offset: Some(0x1f_2000 + u64::from(number)),
        trust: Trust::CallFrameInfo,
        inline: number % 4 == 1,
    };
    crash.findings.crashing_thread = Thread {
        name: Some("worker-1".to_owned()),
        frames: (0..30).map(frame).collect(),
        truncated: false,
        telling: Some(0),
    };
    let module = |number: u32| Module {
        name: format!("libsomething-{number}.so.1"),
        build_id: Some(format!("{number:08x}{}", "0123abcd".repeat(4))),
    };
    crash.findings.modules = (0..60).map(module).collect();
    crash.audit = Some(Audit {
        size_bytes: 34 * MIB,
        sha256: "ab".repeat(32),
        captured_at: crash.at,
        dropped_at: crash.at + Duration::from_millis(900),
        stopped_us: 1_400,
        result: "analysed".to_owned(),
    });
    crash.incident = "00000000000000e3".parse().unwrap();
    crash
}

fn in_flight(age_ms: u64) -> InFlightRequest {
    InFlightRequest {
        method: "GET".to_owned(),
        path: "/cart/*/checkout".to_owned(),
        age_ms,
        evidence: RequestEvidence::InFlight,
    }
}

/// As long as evidence gets, a second apart.
fn points(last: Timestamp, first_value: u64, step: u64) -> Vec<Sample> {
    let ago = |number: u64| Duration::from_secs(POINTS_LIMIT as u64 - number);
    let point = |number: u64| Sample { at: last - ago(number), value: first_value + number * step };
    (0..POINTS_LIMIT as u64).map(point).collect()
}

/// Latencies between 30 µs and 0.7 s, spread over five dozen parts of a sketch, and one request that took 12 s.
pub(super) fn requests(place: Place, minute: Timestamp, count: u64) -> RequestMinute {
    let mut random = minute.as_ms().unsigned_abs() ^ (u64::from(place.instance) << 48) | 1;
    let mut row = RequestMinute::empty(place, minute);
    for number in 0..count {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let part = |shift: u32| (random >> shift) % 29 + 1;
        row.latency.record(if number == 0 { 12_000_000 } else { 30 * part(8) * part(24) * part(40) });
        row.by_class[match random >> 56 {
            0..200 => 1,
            200..240 => 2,
            240..254 => 3,
            _ => 4,
        }] += 1;
    }
    row.most_in_flight = 17;
    row
}

/// Between 600 and 900 MiB, as a collector of garbage leaves it.
pub(super) fn memory(place: &Place, minute: Timestamp) -> MemoryMinute {
    let number = minute.as_ms().unsigned_abs() / 60_000 + u64::from(place.instance) * 13;
    MemoryMinute { minute, private_bytes_max: (600 + number * 7 % 300) * MIB, limit_bytes: LIMIT }
}

pub(super) fn restart(place: Place, at: Timestamp) -> Restart {
    let worker = |started_at| WorkerId { place: place.clone(), started_at };
    Restart {
        old: worker(at - Duration::from_mins(10)),
        new: Some(worker(at)),
        at,
        reason: RestartReason::Rule { rule: Rule::PrivateBytes, blew_fuse: false },
        evidence: Some(evidence(at)),
        duration_ms: 1_200,
        drained: 3,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
        place,
    }
}

pub(super) fn heal_event(place: Place, at: Timestamp) -> HealEvent {
    let worker = WorkerId { place, started_at: at - Duration::from_mins(10) };
    HealEvent { worker, at, evidence: evidence(at), what: EventKind::Logged }
}

/// With what four other rules saw.
fn evidence(at: Timestamp) -> Evidence {
    let measured = |bytes| Measured::PrivateBytes { threshold_bytes: 900 * MIB, bytes };
    let reading = |rule| Reading {
        rule,
        state: RuleState::Watching,
        seen: measured(None).into(),
        fired_too: false,
        value: Some(600 * MIB),
        threshold: Some(900 * MIB),
        unit: Unit::Bytes,
    };
    let rules = [Rule::PercentMemory, Rule::PercentRequest, Rule::NotResponding, Rule::Requests];
    Evidence {
        rule: Rule::PrivateBytes,
        seen: measured(Some(901 * MIB)).into(),
        threshold: 900 * MIB,
        unit: Unit::Bytes,
        window_ms: 120_000,
        samples: points(at, 700 * MIB, MIB),
        not_fired: rules.map(reading).to_vec(),
    }
}
