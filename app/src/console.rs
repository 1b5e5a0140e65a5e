//! The console port: the one trait through which the pages ask what they show. `server` implements it and puts it into Leptos'
//! context; so this crate knows neither the store nor the engine's loop, and a page can be looked at with any implementation.
//!
//! An implementation answers from memory where the method is not `async`: those are called while a page is being rendered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use engine::crash::{Audit, Crash, Incident};
use engine::report::Report;
use engine::settings::AppSettings;
use engine::status::Snapshot;
use engine::{AppName, IncidentId, TimeRange, Timestamp, WorkerId};

/// What the pages ask.
#[async_trait]
pub trait Console: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// The name of the machine that answers.
    fn node(&self) -> String;
    /// What is true now.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// What the crash detector says about `range`, with the crashes and proofs behind it.
    async fn crash_report(&self, app: &AppName, range: TimeRange) -> Result<CrashReport, ConsoleError>;
    /// The crashes of one app in `range`, newest first, at most `limit`.
    async fn crashes(&self, app: &AppName, range: TimeRange, limit: u32) -> Result<Vec<Crash>, ConsoleError>;
    /// The incidents of one app or of all, last seen first, at most `limit`.
    async fn incidents(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Incident>, ConsoleError>;
    /// One incident; `None` where there is none of that name.
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError>;
    /// The crashes of one incident, newest first, at most `limit`.
    async fn crashes_of(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, ConsoleError>;
    /// The settings that hold: what was saved, and the app's environment where nothing was.
    async fn settings(&self, app: &AppName) -> Result<AppSettings, ConsoleError>;
    /// Replaces an app's settings; all of them or none.
    async fn save_settings(&self, app: &AppName, settings: AppSettings) -> Result<(), ConsoleError>;
    /// The configuration that an app runs with, in the order to be read; `None` where there is no such app.
    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>>;
    /// The numbers that an app's crash monitoring goes by; `None` where there is no such app.
    fn crash_monitoring(&self, app: &AppName) -> Option<CrashMonitoringNumbers>;
}

/// A detector's report on an app's crashes, and what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// Insights and chart.
    pub report: Report,
    /// The newest crashes of the range, newest first, at most [`CrashReport::LATEST_KEPT`].
    pub latest: Vec<Crash>,
    /// The dumps that were taken in the range, newest first: whose, of which incident, and the proof of its deletion.
    pub audits: Vec<(WorkerId, IncidentId, Audit)>,
}

impl CrashReport {
    /// How many crashes the table lists.
    pub const LATEST_KEPT: u32 = 50;
}

/// One line of an app's effective configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationLine {
    /// As it is written in the configuration, such as `stop_grace`.
    pub key: String,
    /// As it is obeyed; secrets are `***` already.
    pub value: String,
    /// Where it comes from: `medic.toml line 12`, `default`, `MEDIC_…`.
    pub source: String,
}

/// The numbers of the crash monitoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrashMonitoringNumbers {
    /// More than so many crashes on one instance within `window` arm the debugger; 0: always armed.
    pub crashes: u32,
    /// How far back crashes count.
    pub window: Duration,
    /// After a dump, no further one on the same instance for so long.
    pub pause: Duration,
}

/// Why the console has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleError {
    /// 404.
    #[error("there is no app named `{0}`")]
    NoSuchApp(AppName),
    /// 400: what was asked cannot be done, and why.
    #[error("{0}")]
    Refused(String),
    /// 500: the store failed; what the reader is told of it.
    #[error("{0}")]
    Store(String),
}

impl ConsoleError {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoSuchApp(_) => 404,
            Self::Refused(_) => 400,
            Self::Store(_) => 500,
        }
    }
}
