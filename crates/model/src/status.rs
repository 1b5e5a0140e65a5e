//! What is true now: the numbered snapshot that the engine's loop publishes and that pages and the API read.

mod medic;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::auto_heal::fuse::FuseStatus;
use crate::auto_heal::restart::{RestartFailure, RestartReason};
use crate::auto_heal::{HealStatus, Refusal};
use crate::crash_monitor::{EndsInARow, LastEnd, RecentCrashes};
use crate::start::Starting;
use crate::streams::OpenStreams;
use crate::{AppName, Timestamp};

pub use medic::{
    BegunAnew, ClosedAddress, DatabaseHealth, DatabaseState, DiskSpace, MedicHealth, NearQuota,
    NearlyFullDisk, StorageHealth, Undeleted,
};

/// Everything, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Grows by one with every change that a reader could see.
    pub number: u64,
    /// Sorted by name.
    pub apps: Vec<AppStatus>,
    /// What auto-heal sees. It moves every second, so it does not count as a change.
    pub heal: BTreeMap<AppName, AppHeal>,
    /// How Medic itself does.
    pub medic: MedicHealth,
}

impl Snapshot {
    /// How Medic does, and what of that concerns the apps: one that nobody can reach is down, whatever its workers
    /// do, and one that is reached where it should not be any more is not healthy.
    pub fn set_medic(&mut self, medic: MedicHealth) {
        for app in &mut self.apps {
            let closed = medic.not_listening.iter().find(|closed| closed.app.as_ref() == Some(&app.name));
            match closed {
                Some(closed) if closed.still_listening.is_none() && app.health != Health::Stopped => {
                    app.health = Health::Down;
                }
                Some(_) if app.health == Health::Healthy => app.health = Health::Degraded,
                _ => {}
            }
            app.not_listening = closed.cloned();
        }
        self.medic = medic;
    }

    /// What is to be known by whoever must not hear of other apps than these.
    #[must_use]
    pub fn only(&self, is_seen: impl Fn(&AppName) -> bool) -> Self {
        let mut some = self.clone();
        some.apps.retain(|app| is_seen(&app.name));
        some.heal.retain(|app, _| is_seen(app));
        let is_told = |app: &Option<AppName>| app.as_ref().is_none_or(&is_seen);
        some.medic.not_listening.retain(|closed| is_told(&closed.app));
        some.medic.storage.near_quotas.retain(|near| is_told(&near.app));
        // a path may be another app's
        some.medic.storage.undeleted = None;
        some
    }

    /// The app of that name.
    pub fn app(&self, name: &AppName) -> Option<&AppStatus> {
        self.apps.iter().find(|app| app.name == *name)
    }
}

/// How an app does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Health {
    /// Every instance answers.
    Healthy,
    /// Some do.
    Degraded,
    /// None does, or Medic cannot listen on the app's address.
    Down,
    /// Medic was told to stop it.
    Stopped,
}

/// One app now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AppStatus {
    /// Its name.
    pub name: AppName,
    /// How it does.
    pub health: Health,
    /// The address of its front door.
    pub listen: String,
    /// Why nobody can reach it there, while that is so.
    pub not_listening: Option<ClosedAddress>,
    /// Its places, sorted by index.
    pub instances: Vec<InstanceStatus>,
    /// Proactive crash monitoring is on for it.
    pub crash_monitoring_enabled: bool,
    /// Proactive auto-heal is on for it.
    pub auto_heal_enabled: bool,
}

/// One instance now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InstanceStatus {
    /// Its number.
    pub index: u16,
    /// The worker's process id; absent while none runs.
    pub pid: Option<u32>,
    /// When that worker was started, which with the instance is its name.
    pub started_at: Option<Timestamp>,
    /// What it is doing.
    pub state: InstanceState,
    /// Since when.
    pub since: Timestamp,
    /// The worker's port on the loopback address.
    pub port: Option<u16>,
    /// In `waiting`: when the next worker is started.
    pub next_start: Option<Timestamp>,
    /// Why it is not running, why the last start failed, or what is wrong with its worker. What tells of an instance as JSON
    /// adds it in words.
    #[serde(skip_serializing, default)]
    pub message: Option<InstanceMessage>,
    /// The worker runs and sends no byte to anybody, and the rule Not responding got no answer from it either.
    pub not_responding: bool,
    /// Since when it does not, while that is so: from when the last byte came.
    pub not_responding_since: Option<Timestamp>,
    /// How many workers in a row ended soon after their start.
    pub ends_in_a_row: u32,
    /// Those workers, from the first, across restarts of Medic; absent once one stays up.
    pub ends: Option<EndsInARow>,
    /// The crashes of the last minutes.
    pub recent_crashes: Option<RecentCrashes>,
    /// What the crash monitoring of this instance is doing.
    pub monitoring: Monitoring,
    /// The overlapped restart that is under way. What tells of an instance as JSON adds it in words.
    #[serde(skip_serializing, default)]
    pub restarting: Option<Restarting>,
    /// The start that is under way, of the first worker or of one that is to take over. What tells of an instance as JSON adds it
    /// in words.
    #[serde(skip_serializing, default)]
    pub starting: Option<Starting>,
}

impl InstanceStatus {
    pub fn restart_refused(&self) -> Option<RestartRefused> {
        match (&self.restarting, self.state) {
            (Some(restarting), _) => Some(RestartRefused::UnderWay(restarting.clone())),
            (None, InstanceState::Running) => None,
            (None, state) => Some(RestartRefused::NotRunning { state }),
        }
    }
}

/// Why an instance cannot be restarted now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartRefused {
    NotRunning { state: InstanceState },
    UnderWay(Restarting),
}

/// What is to be said of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum InstanceMessage {
    /// How its last worker ended.
    Ended { end: LastEnd },
    /// Its worker runs on, since the last restart failed.
    RestartFailed { why: RestartFailure },
    /// Its worker runs, and the rule Not responding got no answer from it.
    NotResponding,
}

/// An overlapped restart that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restarting {
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: RestartReason,
    /// How far it is.
    pub stage: RestartStage,
}

/// How far an overlapped restart is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RestartStage {
    /// The new worker is warming up; the old one takes the requests.
    WarmingUp,
    /// The new worker takes the requests; the old one finishes its own and ends.
    Draining,
}

/// Auto-heal of one app now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppHeal {
    /// The proactive rules' fuse.
    pub fuse: FuseStatus,
    /// Sorted by index.
    pub instances: Vec<InstanceHeal>,
}

/// Auto-heal of one instance now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceHeal {
    /// Its number.
    pub index: u16,
    /// What each rule sees, and when it acts.
    pub status: HealStatus,
    /// The last time that a rule was broken and did nothing.
    pub refused: Option<Refusal>,
    /// Requests that wait for a first byte of their answer.
    pub waiting: u64,
    /// Requests that their clients gave up on since the last byte came from the worker.
    pub given_up: u64,
    /// Streams and tunnels that are open at the worker that takes requests.
    pub open: OpenStreams,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum InstanceState {
    /// A worker runs and does not listen yet.
    Starting,
    /// A worker listens.
    Running,
    /// The next worker's start is put off.
    Waiting,
    /// A worker was asked to end.
    Stopping,
    /// None runs and none will be started.
    Stopped,
}

/// What the crash monitoring of one instance is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Monitoring {
    /// Counting crashes; more than `limit` of them within the window arm the debugger.
    Counting {
        /// Crashes within the window.
        crashes: u32,
        /// The number that must be exceeded.
        limit: u32,
    },
    /// To be armed, and the debugger is not attached yet.
    Arming {
        /// Why the last attempt failed, where one did.
        refused: Option<String>,
    },
    /// The debugger waits for the fatal signal.
    Armed,
    /// A dump was taken and is being analysed.
    Analysing,
    /// A dump was captured; no further one before `until`.
    Paused {
        /// The pause's end.
        until: Timestamp,
    },
    /// The app opted out.
    OptedOut,
}
