//! What detectors ask for. Who gathers it reads [`crate::detector::Detector::evidence`] and fills [`Evidence`] accordingly; what
//! was not asked for stays empty.

use std::collections::BTreeSet;

use model::auto_heal::event::HealEvent;
use model::auto_heal::restart::Restart;
use model::crash::{Audit, Crash, Incident, IncidentInRange};
use model::crash_monitor::Numbers;
use model::deploy::Deploy;
use model::memory::MemoryHistory;
use model::process::Process;
use model::status::AppStatus;
use model::{CrashId, IncidentId, Place, TimeRange, Timestamp};

/// One kind of evidence, all of it within the range. A limit keeps the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// [`Evidence::crash_counts`].
    CrashCounts,
    /// [`Evidence::incidents`].
    Incidents { limit: u32 },
    /// [`Evidence::incidents_in_range`].
    IncidentsInRange { limit: u32 },
    /// [`Evidence::incident_count`].
    IncidentCount,
    /// [`Evidence::crashes`].
    Crashes { limit: u32 },
    /// [`Evidence::audits`].
    Audits { limit: u32 },
    /// [`Evidence::restarts`].
    Restarts { limit: u32 },
    /// [`Evidence::heal_events`].
    HealEvents { limit: u32 },
    /// [`Evidence::memory`].
    MemoryMinutes,
    /// [`Evidence::processes`].
    Processes,
    /// [`Evidence::deploys`].
    Deploys { limit: u32 },
}

/// What is known of one app, as far as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The range that is asked about; of what is recorded, nothing lies outside.
    pub range: TimeRange,
    /// The wall clock, by which severities are told.
    pub now: Timestamp,
    /// The app now. Always there.
    pub status: AppStatus,
    /// Every instance that exists. Always there.
    pub places: Vec<Place>,
    /// What the app's crash monitoring goes by. Always there.
    pub crash_monitoring: Numbers,
    /// How many crashes, in any order.
    pub crash_counts: Vec<CrashCount>,
    /// With all that is known of them, last seen first. An incident's counts and times are of its whole life, not of the range.
    pub incidents: Vec<Incident>,
    /// In a line each, last seen first.
    pub incidents_in_range: Vec<IncidentInRange>,
    /// How many incidents crashed within the range.
    pub incident_count: u64,
    /// Newest first.
    pub crashes: Vec<Crash>,
    /// The dumps that were taken, newest first.
    pub audits: Vec<DumpAudit>,
    /// Newest first, with their rules' evidence in brief.
    pub restarts: Vec<Restart>,
    /// What auto-heal did short of a restart, newest first, with evidence in brief.
    pub heal_events: Vec<HealEvent>,
    /// Of each instance that has any, those that are gone too.
    pub memory: Vec<MemoryHistory>,
    /// Of each instance its processes now, the worker first; none where no worker runs.
    pub processes: Vec<(Place, Vec<Process>)>,
    /// Other code began to run, newest first.
    pub deploys: Vec<Deploy>,
}

/// Crashes on one instance within [`crate::buckets::part`] of the range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashCount {
    pub place: Place,
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last of them was.
    pub at: Timestamp,
    pub count: u64,
    /// How many of them were kills for want of memory.
    pub out_of_memory: u64,
}

/// A dump that was taken: whose, of which incident, and the proof of its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DumpAudit {
    pub crash: CrashId,
    pub incident: IncidentId,
    pub audit: Audit,
}

/// Their names, once each.
pub(crate) fn names<'e>(places: impl Iterator<Item = &'e Place>) -> String {
    let places: BTreeSet<&Place> = places.collect();
    places.into_iter().map(Place::within_app).collect::<Vec<_>>().join(", ")
}

impl Evidence {
    /// What is always there, and nothing that must be asked for.
    pub fn new(
        range: TimeRange,
        now: Timestamp,
        status: AppStatus,
        places: Vec<Place>,
        crash_monitoring: Numbers,
    ) -> Self {
        Self {
            range,
            now,
            status,
            places,
            crash_monitoring,
            crash_counts: Vec::new(),
            incidents: Vec::new(),
            incidents_in_range: Vec::new(),
            incident_count: 0,
            crashes: Vec::new(),
            audits: Vec::new(),
            restarts: Vec::new(),
            heal_events: Vec::new(),
            memory: Vec::new(),
            processes: Vec::new(),
            deploys: Vec::new(),
        }
    }
}
