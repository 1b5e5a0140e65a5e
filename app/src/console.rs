//! The console port: the one trait through which the pages ask what they show. `server` implements it and puts it into Leptos'
//! context; so this crate knows neither the store nor the engine's loop, and a page can be looked at with any implementation.
//!
//! An implementation answers from memory where the method is not `async`: those are called while a page is being rendered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use insight::detector::Detector;
use insight::dry_run::DryRun;
use insight::report::Report;
use insight::share::SharedReport;
use model::account::{Account, AccountRole, Session, SessionId};
use model::auto_heal::config::Violation;
use model::auto_heal::cpu::CpuRule;
use model::auto_heal::event::HealEvent;
use model::auto_heal::fuse::FuseNumbers;
use model::auto_heal::limit::WorkerSize;
use model::auto_heal::path_glob::PathGlob;
use model::auto_heal::restart::{Restart, RestartKey};
use model::auto_heal::{AutoHealConfig, NotRespondingNumbers};
use model::change::Change;
use model::crash::{Crash, Incident, IncidentSummary};
use model::crash_monitor::Numbers;
use model::deploy::Deploy;
use model::incident_state::IncidentDecision;
use model::settings::{AppSettings, Setting};
use model::share::{Included, Share, ShareId};
use model::status::Snapshot;
use model::{AppName, IncidentId, NodeName, TimeRange, Timestamp};

/// What the pages ask.
#[async_trait]
pub trait Console: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Who asks.
    fn reader(&self) -> Reader;
    /// The role that whoever asks lacks to do that; none where they may.
    fn lacks(&self, action: Action) -> Option<AccountRole>;
    /// The sessions of whoever asks, last used first.
    fn sessions(&self) -> Vec<Session>;
    /// Everybody who may sign in, by name.
    fn accounts(&self) -> Result<Vec<Account>, ConsoleError>;
    /// The name of the machine that answers.
    fn node(&self) -> NodeName;
    /// What is true now.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// What a detector says about `range`.
    async fn report(
        &self,
        app: &AppName,
        detector: &'static Detector,
        range: TimeRange,
    ) -> Result<Report, ConsoleError>;
    /// The crashes of one app in `range`, newest first, at most `limit`.
    async fn crashes(&self, app: &AppName, range: TimeRange, limit: u32) -> Result<Vec<Crash>, ConsoleError>;
    /// The incidents of one app or of all, last seen first, at most `limit`.
    async fn incidents(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Incident>, ConsoleError>;
    /// The incidents of one app in a line each, last seen first, at most `limit`.
    async fn incident_summaries(
        &self,
        app: &AppName,
        limit: u32,
    ) -> Result<Vec<IncidentSummary>, ConsoleError>;
    /// One incident; `None` where there is none of that name.
    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError>;
    /// Resolves an incident, ignores it for a time or opens it again, and says what it is then; `None` where there is none of that
    /// name.
    async fn change_incident(
        &self,
        id: &IncidentId,
        decision: IncidentDecision,
    ) -> Result<Option<Incident>, ConsoleError>;
    /// Counts crashes of which only the signal is known with a captured incident or apart from it, and says what it is then; `None`
    /// where there is none of that name.
    async fn join_signal_only(&self, id: &IncidentId, joined: bool)
    -> Result<Option<Incident>, ConsoleError>;
    /// The crashes of one incident, newest first, at most `limit`.
    async fn crashes_of(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, ConsoleError>;
    /// The settings that hold: what was saved, and the app's environment where nothing was.
    async fn settings(&self, app: &AppName) -> Result<AppSettings, ConsoleError>;
    /// Changes an app's settings, all that are named or none. What is not named stays; a setting that is in force already, by
    /// the app's environment or by default, is not saved.
    async fn change_settings(&self, app: &AppName, changes: SettingChanges) -> Result<(), ConsoleError>;

    /// What people call a setting, in the form, in an app's environment and in the API.
    fn setting_name(&self, setting: Setting) -> &'static str;
    /// The configuration that an app runs with, in the order to be read; `None` where there is no such app.
    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>>;
    /// The numbers that an app's crash monitoring goes by; `None` where there is no such app.
    fn crash_monitoring(&self, app: &AppName) -> Option<Numbers>;

    /// The user's rules for an app; none are set where nothing was saved.
    async fn auto_heal(&self, app: &AppName) -> Result<AutoHealConfig, ConsoleError>;
    /// Puts what `change` makes of the saved rules in their place, whole or not at all; nobody else changes them meanwhile. They
    /// are obeyed at once and no worker is restarted.
    async fn change_auto_heal(&self, app: &AppName, change: RulesChange<'_>) -> Result<(), ConsoleError>;
    /// What these rules would have done in the last 24 hours, saved or not.
    async fn dry_run(&self, app: &AppName, config: &AutoHealConfig) -> Result<DryRun, ConsoleError>;
    /// The numbers that an app's proactive rules go by; `None` where there is no such app.
    fn proactive(&self, app: &AppName) -> Option<ProactiveNumbers>;
    /// Arms the fuse of an app again; says whether it was blown.
    async fn rearm_fuse(&self, app: &AppName) -> Result<bool, ConsoleError>;
    /// Asks for an overlapped restart of one instance. Returns when it has begun.
    async fn restart(&self, app: &AppName, instance: u16) -> Result<(), ConsoleError>;
    /// The end of what an instance wrote, read now; `None` where there is no such instance.
    async fn output(&self, app: &AppName, instance: u16) -> Result<Option<WorkerOutput>, ConsoleError>;
    /// The restarts of one app in `range`, newest first, at most `limit`.
    async fn restarts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError>;
    /// The same with evidence that lacks samples and the other rules' readings.
    async fn restarts_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError>;
    /// When an app's workers began to run other code, newest first, at most `limit`.
    async fn deploys(&self, app: &AppName, range: TimeRange, limit: u32)
    -> Result<Vec<Deploy>, ConsoleError>;
    /// What a link to this would show; `None` where there is no such thing.
    async fn share_preview(
        &self,
        what: &ToShare,
        included: Included,
    ) -> Result<Option<SharedReport>, ConsoleError>;
    /// Makes a link to a snapshot of this; `None` where there is no such thing.
    async fn share(
        &self,
        what: &ToShare,
        included: Included,
        expires_in: Duration,
    ) -> Result<Option<MadeShare>, ConsoleError>;
    /// The links of one app or of all, made last first, at most `limit`.
    async fn shares(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Share>, ConsoleError>;
    /// Ends a link; says whether there is one of that name.
    async fn end_share(&self, id: &ShareId) -> Result<bool, ConsoleError>;
    /// What people changed for one app in `range`, and who it was, newest first, at most `limit`.
    async fn changes(&self, app: &AppName, range: TimeRange, limit: u32)
    -> Result<Vec<Change>, ConsoleError>;
    /// The last change of one app's settings.
    async fn last_settings_change(&self, app: &AppName) -> Result<Option<Change>, ConsoleError>;
    /// What auto-heal did in `range` short of a restart, newest first, at most `limit`.
    async fn heal_events(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError>;
    /// The same with evidence that lacks samples and the other rules' readings.
    async fn heal_events_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError>;
}

/// What somebody wants to share.
#[derive(Clone, Debug)]
pub enum ToShare {
    Incident(IncidentId),
    /// What a detector says of a range.
    Report {
        app: AppName,
        detector: &'static Detector,
        range: TimeRange,
    },
    Restart {
        app: AppName,
        restart: RestartKey,
    },
}

/// A link that has just been made.
#[derive(Debug)]
pub struct MadeShare {
    pub id: ShareId,
    pub token: ShareToken,
    pub expires_at: Timestamp,
    /// The time that was asked for is longer than what the snapshot shows is kept.
    pub is_shortened: bool,
}

/// What a link is opened with. Shown once, to whoever made it.
pub struct ShareToken(pub String);

impl std::fmt::Debug for ShareToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// There is no account: a user of this machine.
    Machine,
    /// Medic's own user or root by the Unix socket, while there are accounts.
    Operator,
    /// Somebody who has signed in.
    Person(Box<Person>),
    /// Nobody who has.
    Stranger,
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub account: Account,
    /// The session that asks.
    pub session: SessionId,
}

/// What pages offer to those alone who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Restart,
    ChangeIncidents,
    ChangeSettings,
    ChangeRules,
    ChangeCustomAction,
    Resume,
    SeeOutput,
    SeeConfiguration,
    SeeAccounts,
    Share,
}

/// A new value for each setting, or none to leave the setting to the app's environment and the default.
pub type SettingChanges = BTreeMap<Setting, Option<String>>;

/// Makes new rules of those that are saved, or says why whoever asks may not have them.
pub type RulesChange<'a> =
    &'a (dyn Fn(&AutoHealConfig) -> Result<AutoHealConfig, ConsoleError> + Send + Sync);

/// What the proactive rules of an app go by. What is fixed (90% for 30 s, 80% of at least 5 requests) is in `engine`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProactiveNumbers {
    /// When too many restarts switch the rules off, and for how long.
    pub fuse: FuseNumbers,
    /// The app's worker size.
    pub worker_size: WorkerSize,
    /// The app's own limit of private bytes, in place of the worker size's.
    pub memory_limit_bytes: Option<u64>,
    /// Paths that percent request leaves out, such as long polls.
    pub percent_request_exclude: Vec<PathGlob>,
    /// The rule on workers that answer nobody.
    pub not_responding: NotRespondingNumbers,
    /// Proactive CPU monitoring, where it is set.
    pub cpu: Option<CpuRule>,
}

/// The end of an instance's output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerOutput {
    /// The log file; none where nothing was written yet.
    pub file: Option<String>,
    /// Oldest first.
    pub lines: Vec<String>,
}

/// One line of an app's effective configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationLine {
    /// As it is written in the configuration, such as `stop_grace`.
    pub key: String,
    /// As it is obeyed; secrets are `***` already.
    pub value: String,
    /// Where it comes from: `medic.toml:12`, `default`, `MEDIC_…`.
    pub source: String,
    /// Why it is probably not meant, and what to do.
    pub hint: Option<String>,
}

/// Why the console has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsoleError {
    #[error("App \"{0}\" not found.")]
    NoSuchApp(AppName),
    /// 400: what was asked cannot be done, and why.
    #[error("{0}")]
    Refused(String),
    /// 400: these fields do not fit.
    #[error("{}", insight::violation::list(.0))]
    Invalid(Vec<Violation>),
    /// 403: whoever asked may not, and why.
    #[error("{0}")]
    Forbidden(String),
    /// 409: it cannot be done now, and why.
    #[error("{0}")]
    Conflict(String),
    /// 500: a file cannot be read, and why.
    #[error("{0}")]
    Unreadable(String),
    /// 500, 503 or 507: the database failed.
    #[error("{0}")]
    Store(StoreFailure),
}

/// What the reader is told of a database that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// 503: there is none, and why; a sentence without a capital and a period.
    #[error("Database unavailable: {0}.")]
    Unavailable(String),
    /// 507: nothing more can be written.
    #[error("Not saved: the disk that holds the database is full. Free some space.")]
    Full,
    /// 500: anything else.
    #[error("The database failed. See Medic's log for the reason.")]
    Failed,
}

impl ConsoleError {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::NoSuchApp(_) => 404,
            Self::Refused(_) | Self::Invalid(_) => 400,
            Self::Forbidden(_) => 403,
            Self::Conflict(_) => 409,
            Self::Unreadable(_) | Self::Store(StoreFailure::Failed) => 500,
            Self::Store(StoreFailure::Unavailable(_)) => 503,
            Self::Store(StoreFailure::Full) => 507,
        }
    }
}
