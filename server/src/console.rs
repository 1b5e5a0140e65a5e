//! What the pages and the API are answered: the console port over the store and the loop's snapshot.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{ConfigurationLine, Console, ConsoleError, CrashMonitoringNumbers, CrashReport};
use async_trait::async_trait;
use engine::crash::{Crash, Incident};
use engine::crash_monitor::Numbers;
use engine::detectors::application_crashes::{self, CrashPoint};
use engine::settings::AppSettings;
use engine::status::Snapshot;
use engine::{AppName, Clock, IncidentId, TimeRange, Timestamp};
use store::{Store, StoreError};
use tokio::sync::watch;

use crate::config::{App, Config};
use crate::supervision::Supervision;

/// How many incidents a report speaks of.
const INCIDENTS_LIMIT: u32 = 200;

/// The one implementation of the console port.
pub struct LiveConsole {
    node: String,
    clock: Arc<dyn Clock>,
    store: Store,
    supervision: Supervision,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    apps: BTreeMap<AppName, (Numbers, AppSettings)>,
    lines: Vec<crate::config::Line>,
}

impl LiveConsole {
    /// A console on what runs.
    pub fn new(
        node: String,
        clock: Arc<dyn Clock>,
        store: Store,
        supervision: Supervision,
        config: &Config,
    ) -> Self {
        let snapshot = supervision.snapshot();
        let of_app = |app: &App| {
            (app.name.clone(), (app.crash_monitoring, AppSettings::of_environment(&app.environment)))
        };
        let apps = config.apps.iter().map(of_app).collect();
        Self { node, clock, store, supervision, snapshot, apps, lines: config.lines.clone() }
    }

    /// The app's settings where nothing is saved.
    fn known(&self, app: &AppName) -> Result<&AppSettings, ConsoleError> {
        self.apps.get(app).map(|(_, defaults)| defaults).ok_or_else(|| ConsoleError::NoSuchApp(app.clone()))
    }

    fn places(&self, app: &AppName) -> Vec<String> {
        let snapshot = self.snapshot();
        let instances = snapshot.app(app).map(|app| app.instances.as_slice()).unwrap_or_default();
        instances.iter().map(|instance| format!("{}/{}", self.node, instance.index)).collect()
    }
}

/// The cause goes into Medic's log; the reader is told what to do.
fn failed(error: &StoreError) -> ConsoleError {
    tracing::error!(%error, "the store failed");
    ConsoleError::Store("The store does not answer; Medic's log says why.".to_owned())
}

#[async_trait]
impl Console for LiveConsole {
    fn now(&self) -> Timestamp {
        self.clock.now()
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
        let times = self.store.crash_times(app, range).await.map_err(|error| failed(&error))?;
        let point = |time: store::CrashTime| CrashPoint {
            at: time.at,
            place: format!("{}/{}", time.node, time.instance),
            incident: time.incident,
        };
        let points: Vec<CrashPoint> = times.into_iter().map(point).collect();
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
        let defaults = self.known(app)?;
        Ok(self.store.settings(app).await.map_err(|error| failed(&error))?.or(defaults))
    }

    async fn save_settings(&self, app: &AppName, settings: AppSettings) -> Result<(), ConsoleError> {
        let defaults = self.known(app)?;
        settings.check().map_err(|error| ConsoleError::Refused(error.to_string()))?;
        self.store.save_settings(app, &settings).await.map_err(|error| failed(&error))?;
        self.supervision.configure(app.clone(), settings.or(defaults)).await;
        Ok(())
    }

    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>> {
        self.known(app).ok()?;
        // An app has numbers of its own, which have taken in the general ones.
        let concerns = |line: &&crate::config::Line| match &line.app {
            Some(name) => name == app.as_str(),
            None => !line.key.starts_with("crash_monitoring."),
        };
        let line = |line: &crate::config::Line| ConfigurationLine {
            key: line.key.clone(),
            value: line.value.clone(),
            source: line.source.clone(),
        };
        Some(self.lines.iter().filter(concerns).map(line).collect())
    }

    fn crash_monitoring(&self, app: &AppName) -> Option<CrashMonitoringNumbers> {
        let (numbers, _) = self.apps.get(app)?;
        Some(CrashMonitoringNumbers {
            crashes: numbers.crashes,
            window: numbers.window,
            pause: numbers.pause,
        })
    }
}
