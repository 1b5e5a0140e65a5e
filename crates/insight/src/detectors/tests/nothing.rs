//! An app of which nothing is recorded and an incident of which the least is, for the tests of detectors and, beside the pages, of
//! what they look like.

use insight::evidence::Evidence;
use model::crash::{Incident, ProcessRole, Runtime, Thread};
use model::crash_monitor::Numbers;
use model::incident_state::IncidentState;
use model::status::{AppStatus, Health};
use model::{CrashCause, IncidentId, Place, TimeRange, Timestamp};

pub(crate) fn nothing_recorded(range: TimeRange, now: Timestamp, places: Vec<Place>) -> Evidence {
    let status = AppStatus {
        name: "shop".parse().unwrap(),
        health: Health::Healthy,
        listen: "127.0.0.1:8080".to_owned(),
        not_listening: None,
        instances: vec![],
        crash_monitoring_enabled: true,
        auto_heal_enabled: true,
    };
    Evidence::new(range, now, status, places, Numbers::default())
}

/// One crash, without signal, stack and dump.
pub(crate) fn bare_incident(id: IncidentId, cause: CrashCause, at: Timestamp) -> Incident {
    Incident {
        id,
        app: "shop".parse().unwrap(),
        signature: "price_of".to_owned(),
        exception_type: "SIGSEGV".to_owned(),
        runtime: Runtime::Native,
        cause,
        signal: None,
        exit_code: None,
        pid: 7,
        role: ProcessRole::Main,
        count: 1,
        first_seen: at,
        last_seen: at,
        instances: vec!["a/0".to_owned()],
        crashing_thread: Thread::default(),
        modules: vec![],
        in_flight: vec![],
        in_flight_count: 0,
        memory: vec![],
        audit: None,
        notes: vec![],
        probable: 0,
        captured: 0,
        joins: true,
        matches: vec![],
        state: IncidentState::Open,
    }
}
