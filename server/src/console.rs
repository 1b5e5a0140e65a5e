//! What the pages and the API are answered: the console port over the store and the loop's snapshot.

mod consoles;
mod healing;
mod incidents;
mod maintenance;
mod output;
mod reloading;
mod reports;
mod saving;
mod scoped;
mod shares;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock, RwLockReadGuard};
use std::time::Duration;

use app::{ConsoleError, ProactiveNumbers, StoreFailure};
use model::crash_monitor::Numbers;
use model::settings::AppSettings;
use model::status::Snapshot;
use model::{AppName, Clock, NodeName, Place};
use store::{Cause, Store, StoreError};
use tokio::sync::{Mutex, Notify, watch};

pub use consoles::Consoles;
pub use maintenance::Maintenance;
pub use shares::SharedLinks;

use crate::access::Reach;
use crate::accounts::Accounts;
use crate::apps::{self, Saved};
use crate::config::{App, Config, Line};
use crate::configured::ConfiguredApps;
use crate::supervision::Supervision;

/// The console on what runs: for whoever asks, and for Medic itself.
pub fn open(
    node: NodeName,
    clock: Arc<dyn Clock>,
    store: Store,
    supervision: Supervision,
    (config, apps): (&Config, ConfiguredApps),
    saved: BTreeMap<AppName, Saved>,
    accounts: Accounts,
) -> (Consoles, Maintenance) {
    let live = LiveConsole {
        node,
        clock,
        store,
        snapshot: supervision.snapshot(),
        supervision,
        apps,
        lines: RwLock::new(config.lines.clone()),
        recall_wanted: Notify::new(),
        changing: Mutex::default(),
        saved: std::sync::Mutex::new(saved),
        restarting: Mutex::default(),
        data_dir: config.data_dir.clone(),
        listen: config.listen,
        reach: Arc::new(config.reach.clone()),
        retention: std::sync::Mutex::new(config.retention),
        sharing: Mutex::default(),
    };
    let live = Arc::new(live);
    (Consoles::new(Arc::clone(&live), accounts), Maintenance::new(live))
}

/// What answers, whoever asks; what somebody may ask is [`Consoles`]' to say, so nothing outside gets hold of it.
struct LiveConsole {
    node: NodeName,
    clock: Arc<dyn Clock>,
    store: Store,
    supervision: Supervision,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    apps: ConfiguredApps,
    /// What was read from where, for the settings pages.
    lines: RwLock<Vec<Line>>,
    /// Held while something is changed, so that what is saved last is also what the loop is told last.
    changing: Mutex<()>,
    /// What people have saved, as it was recalled or written last.
    saved: std::sync::Mutex<BTreeMap<AppName, Saved>>,
    /// Held from asking for a restart until it has begun.
    restarting: Mutex<()>,
    /// An app is new whose history could not be read.
    recall_wanted: Notify,
    data_dir: PathBuf,
    /// The dashboard's address.
    listen: SocketAddr,
    /// How others get there.
    reach: Arc<Reach>,
    /// How long what is recorded is kept.
    retention: std::sync::Mutex<Duration>,
    /// Held while a link is made, so that there are no more than may be.
    sharing: Mutex<()>,
}

/// What the configuration says of one app.
#[derive(Clone)]
struct ConfiguredApp {
    crash_monitoring: Numbers,
    proactive: ProactiveNumbers,
    /// The settings where nothing is saved.
    settings: AppSettings,
}

impl ConfiguredApp {
    fn of(app: &App) -> Self {
        Self {
            crash_monitoring: app.crash_monitoring,
            proactive: ProactiveNumbers {
                fuse: app.fuse,
                worker_size: app.worker_size,
                memory_limit_bytes: app.memory_limit_bytes,
                percent_request_exclude: app.percent_request_exclude.clone(),
                not_responding: app.not_responding,
                cpu: app.cpu,
            },
            settings: apps::settings_without_saved(app),
        }
    }
}

impl LiveConsole {
    fn lines(&self) -> RwLockReadGuard<'_, Vec<Line>> {
        self.lines.read().expect("nothing panics while it holds the lines")
    }

    fn app(&self, app: &AppName) -> Option<ConfiguredApp> {
        self.apps.get(app).map(|app| ConfiguredApp::of(&app))
    }

    fn known(&self, app: &AppName) -> Result<ConfiguredApp, ConsoleError> {
        self.app(app).ok_or_else(|| ConsoleError::NoSuchApp(app.clone()))
    }

    /// What the database has of an app, if that is configured.
    async fn recorded<T>(
        &self,
        app: &AppName,
        read: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, ConsoleError> {
        self.known(app)?;
        read.await.map_err(|error| failed(&error))
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    fn place(&self, app: &AppName, instance: u16) -> Place {
        Place { node: self.node.clone(), app: app.clone(), instance }
    }

    fn places(&self, app: &AppName) -> Vec<Place> {
        let snapshot = self.snapshot();
        let instances = snapshot.app(app).map(|app| app.instances.as_slice()).unwrap_or_default();
        instances.iter().map(|instance| self.place(app, instance.index)).collect()
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
