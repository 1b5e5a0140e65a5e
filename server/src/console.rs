//! What the pages and the API are answered: the console port over the store and the loop's snapshot.

mod healing;
mod reports;
mod saving;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use app::{
    ConfigurationLine, Console, ConsoleError, CrashMonitoringNumbers, CrashReport, ProactiveNumbers,
    RestartReport, RulesChange, SettingChanges, StoreFailure,
};
use async_trait::async_trait;
use insight::detectors::application_crashes;
use insight::detectors::application_crashes::CrashPoint;
use insight::dry_run::DryRun;
use insight::report::Report;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::event::HealEvent;
use model::auto_heal::restart::Restart;
use model::crash::{Crash, Incident};
use model::crash_monitor::Numbers;
use model::settings::AppSettings;
use model::status::Snapshot;
use model::{AppName, Clock, IncidentId, TimeRange, Timestamp};
use store::{Cause, Store, StoreError};
use tokio::sync::{Mutex, watch};

use crate::apps::Saved;
use crate::config::{App, Config, Line};
use crate::supervision::Supervision;

/// How many incidents a report speaks of.
const INCIDENTS_LIMIT: u32 = 200;

/// What of an app only a start of Medic can change.
const ONLY_AT_START: [&str; 5] = ["name", "listen", "instances", "request_wait", "retry_requests"];

/// The one implementation of the console port.
pub struct LiveConsole {
    node: String,
    clock: Arc<dyn Clock>,
    store: Store,
    supervision: Supervision,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    configured: RwLock<Configured>,
    /// Held while something is changed, so that what is saved last is also what the loop is told last.
    changing: Mutex<()>,
    /// What people have saved, as it was recalled or written last.
    saved: std::sync::Mutex<BTreeMap<AppName, Saved>>,
    /// Held from asking for a restart until it has begun.
    restarting: Mutex<()>,
}

/// What the configuration says.
struct Configured {
    apps: BTreeMap<AppName, ConfiguredApp>,
    lines: Vec<Line>,
}

/// What it says of one app.
#[derive(Clone)]
struct ConfiguredApp {
    crash_monitoring: Numbers,
    proactive: ProactiveNumbers,
    /// The settings where nothing is saved.
    settings: AppSettings,
}

impl Configured {
    fn of(config: &Config) -> Self {
        let apps = config.apps.iter().map(|app| (app.name.clone(), ConfiguredApp::of(app))).collect();
        Self { apps, lines: config.lines.clone() }
    }

    /// Takes over what a running Medic takes over from a configuration that is read again; of the rest, what is obeyed stays.
    fn replace(&mut self, new: Self) {
        let is_obeyed = |line: &Line| {
            let runs = |app: &String| self.apps.keys().any(|name| name.as_str() == app);
            line.app.as_ref().is_some_and(runs) && !ONLY_AT_START.contains(&line.key.as_str())
        };
        let obeyed: Vec<Line> = new.lines.into_iter().filter(is_obeyed).collect();
        let is_given = |app: &String| new.apps.keys().any(|name| name.as_str() == app);
        self.lines.retain(|line| {
            !line.app.as_ref().is_some_and(is_given) || ONLY_AT_START.contains(&line.key.as_str())
        });
        self.lines.extend(obeyed);
        for (name, app) in new.apps {
            self.apps.entry(name).and_modify(|old| *old = app);
        }
    }
}

impl ConfiguredApp {
    fn of(app: &App) -> Self {
        Self {
            crash_monitoring: app.crash_monitoring,
            proactive: ProactiveNumbers {
                fuse: app.fuse,
                worker_size: app.worker_size,
                memory_limit_bytes: app.memory_limit_bytes,
                not_responding: app.not_responding,
                cpu: app.cpu,
            },
            settings: AppSettings::of_environment(&app.environment),
        }
    }
}

impl LiveConsole {
    /// A console on what runs.
    pub fn new(
        node: String,
        clock: Arc<dyn Clock>,
        store: Store,
        supervision: Supervision,
        config: &Config,
        saved: BTreeMap<AppName, Saved>,
    ) -> Self {
        let snapshot = supervision.snapshot();
        Self {
            node,
            clock,
            store,
            supervision,
            snapshot,
            configured: RwLock::new(Configured::of(config)),
            changing: Mutex::default(),
            saved: std::sync::Mutex::new(saved),
            restarting: Mutex::default(),
        }
    }

    /// What the pages say of this machine from now on, in place of the line with the same key.
    pub fn note(&self, line: Line) {
        let mut configured =
            self.configured.write().expect("nothing panics while it holds the configuration");
        configured.lines.retain(|known| known.app.is_some() || known.key != line.key);
        configured.lines.push(line);
    }

    fn configured(&self) -> RwLockReadGuard<'_, Configured> {
        self.configured.read().expect("nothing panics while it holds the configuration")
    }

    fn app(&self, app: &AppName) -> Option<ConfiguredApp> {
        self.configured().apps.get(app).cloned()
    }

    fn known(&self, app: &AppName) -> Result<ConfiguredApp, ConsoleError> {
        self.app(app).ok_or_else(|| ConsoleError::NoSuchApp(app.clone()))
    }

    async fn crash_points(&self, app: &AppName, range: TimeRange) -> Result<Vec<CrashPoint>, ConsoleError> {
        let times = self.store.crash_times(app, range).await.map_err(|error| failed(&error))?;
        let point = |time: store::CrashTime| CrashPoint {
            at: time.at,
            place: format!("{}/{}", time.node, time.instance),
            incident: time.incident,
        };
        Ok(times.into_iter().map(point).collect())
    }

    fn places(&self, app: &AppName) -> Vec<String> {
        let snapshot = self.snapshot();
        let instances = snapshot.app(app).map(|app| app.instances.as_slice()).unwrap_or_default();
        instances.iter().map(|instance| format!("{}/{}", self.node, instance.index)).collect()
    }
}

/// The cause goes into Medic's log; the reader is told what to do. That there is no database was logged when it went.
fn failed(error: &StoreError) -> ConsoleError {
    if matches!(error, StoreError::Unavailable { .. }) {
        return ConsoleError::Store(StoreFailure::Unavailable(error.reason()));
    }
    tracing::error!(%error, "the database failed");
    ConsoleError::Store(match error.cause() {
        Some(Cause::DiskFull) => StoreFailure::Full,
        Some(
            Cause::Unreachable
            | Cause::Busy
            | Cause::Damaged
            | Cause::Locked
            | Cause::Disk
            | Cause::Permission
            | Cause::Closed,
        ) => StoreFailure::Unavailable(error.reason()),
        _ => StoreFailure::Failed,
    })
}

#[async_trait]
impl Console for LiveConsole {
    fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    fn node(&self) -> String {
        self.node.clone()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    async fn crash_report(&self, app: &AppName, range: TimeRange) -> Result<CrashReport, ConsoleError> {
        self.known(app)?;
        let incidents = self
            .store
            .incidents(Some(app), Some(range), INCIDENTS_LIMIT)
            .await
            .map_err(|error| failed(&error))?;
        let points = self.crash_points(app, range).await?;
        let latest =
            self.store.crashes(app, range, CrashReport::LATEST_KEPT).await.map_err(|error| failed(&error))?;
        let audits =
            self.store.audits(app, range, CrashReport::LATEST_KEPT).await.map_err(|error| failed(&error))?;
        Ok(CrashReport {
            report: application_crashes::report(range, &incidents, &points, &self.places(app)),
            latest,
            audits: audits.into_iter().map(|row| (row.worker, row.incident, row.audit)).collect(),
        })
    }

    async fn crashes(&self, app: &AppName, range: TimeRange, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        self.known(app)?;
        self.store.crashes(app, range, limit).await.map_err(|error| failed(&error))
    }

    async fn incidents(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Incident>, ConsoleError> {
        if let Some(app) = app {
            self.known(app)?;
        }
        self.store.incidents(app, None, limit).await.map_err(|error| failed(&error))
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError> {
        self.store.incident(id).await.map_err(|error| failed(&error))
    }

    async fn crashes_of(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        self.store.crashes_of_incident(id, limit).await.map_err(|error| failed(&error))
    }

    async fn settings(&self, app: &AppName) -> Result<AppSettings, ConsoleError> {
        self.settings_in_force(app).await
    }

    async fn change_settings(&self, app: &AppName, changes: SettingChanges) -> Result<(), ConsoleError> {
        self.change_some_settings(app, changes).await
    }

    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>> {
        self.known(app).ok()?;
        // An app has numbers of its own, which have taken in the general ones.
        let concerns = |line: &&Line| match &line.app {
            Some(name) => name == app.as_str(),
            None => !["crash_monitoring.", "auto_heal."].iter().any(|general| line.key.starts_with(general)),
        };
        let line = |line: &Line| ConfigurationLine {
            key: line.key.clone(),
            value: line.value.clone(),
            source: line.source.clone(),
        };
        Some(self.configured().lines.iter().filter(concerns).map(line).collect())
    }

    fn crash_monitoring(&self, app: &AppName) -> Option<CrashMonitoringNumbers> {
        let numbers = self.app(app)?.crash_monitoring;
        Some(CrashMonitoringNumbers {
            crashes: numbers.crashes,
            window: numbers.window,
            pause: numbers.pause,
        })
    }

    async fn auto_heal(&self, app: &AppName) -> Result<AutoHealConfig, ConsoleError> {
        self.rules(app).await
    }

    async fn change_auto_heal(&self, app: &AppName, change: RulesChange<'_>) -> Result<(), ConsoleError> {
        self.change_rules(app, change).await
    }

    async fn dry_run(&self, app: &AppName, config: &AutoHealConfig) -> Result<DryRun, ConsoleError> {
        self.run_dry(app, config).await
    }

    fn proactive(&self, app: &AppName) -> Option<ProactiveNumbers> {
        self.app(app).map(|app| app.proactive)
    }

    async fn rearm_fuse(&self, app: &AppName) -> Result<bool, ConsoleError> {
        self.rearm(app).await
    }

    async fn restart(&self, app: &AppName, instance: u16) -> Result<(), ConsoleError> {
        self.restart_by_hand(app, instance).await
    }

    async fn restarts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError> {
        self.restarts_in(app, range, limit).await
    }

    async fn heal_events(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError> {
        self.heal_events_in(app, range, limit).await
    }

    async fn restart_report(&self, app: &AppName, range: TimeRange) -> Result<RestartReport, ConsoleError> {
        self.report_on_restarts(app, range).await
    }

    async fn memory_report(&self, app: &AppName, range: TimeRange) -> Result<Report, ConsoleError> {
        self.report_on_memory(app, range).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::limit::WorkerSize;
    use std::path::Path;

    fn configured(apps: &str) -> Configured {
        let config = Config::parse(apps, "medic.toml", Path::new("/"), &BTreeMap::new());
        Configured::of(&config.unwrap())
    }

    fn app(name: &str, port: u16, more: &str) -> String {
        format!("[[app]]\nname = \"{name}\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:{port}\"\n{more}\n")
    }

    #[test]
    fn a_configuration_that_is_read_again_is_shown_as_far_as_it_is_obeyed() {
        let mut shown = configured(&(app("shop", 1, "instances = 2") + &app("old", 2, "")));
        let shop = app("shop", 3, "instances = 4\nworker_size = \"large\"");
        shown.replace(configured(&(app("new", 4, "") + &shop)));
        let line = |app: &str, key: &str| {
            let mut lines =
                shown.lines.iter().filter(|line| line.app.as_deref() == Some(app) && line.key == key);
            let value = lines.next().map(|line| line.value.as_str());
            assert!(lines.next().is_none(), "{app} {key} stands twice");
            value
        };
        assert_eq!(line("shop", "worker_size"), Some("large"));
        assert_eq!(shown.apps[&"shop".parse().unwrap()].proactive.worker_size, WorkerSize::Large);
        assert_eq!((line("shop", "instances"), line("shop", "listen")), (Some("2"), Some("127.0.0.1:1")));
        assert_eq!((line("old", "worker_size"), line("new", "worker_size")), (Some("small"), None));
        assert_eq!(shown.apps.len(), 2);
    }
}
