//! What the pages and the API are answered: the console port over the store and the loop's snapshot.

mod healing;
mod incidents;
mod maintenance;
mod output;
mod reports;
mod saving;
mod scoped;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use app::{ConsoleError, ProactiveNumbers, StoreFailure};
use model::crash_monitor::Numbers;
use model::settings::AppSettings;
use model::status::Snapshot;
use model::{AppName, Clock, NodeName, Place};
use store::{Cause, Store, StoreError};
use tokio::sync::{Mutex, watch};

pub use maintenance::Maintenance;
pub use scoped::Consoles;

use crate::apps::{self, Saved};
use crate::config::{App, Config, Line};
use crate::supervision::Supervision;

/// What of an app only a start of Medic can change.
const ONLY_AT_START: [&str; 5] = ["name", "listen", "instances", "request_wait", "retry_requests"];

/// The console on what runs: for whoever asks, and for Medic itself.
pub fn open(
    node: NodeName,
    clock: Arc<dyn Clock>,
    store: Store,
    supervision: Supervision,
    config: &Config,
    saved: BTreeMap<AppName, Saved>,
) -> (Consoles, Maintenance) {
    let live = LiveConsole {
        node,
        clock,
        store,
        snapshot: supervision.snapshot(),
        supervision,
        configured: RwLock::new(Configured::of(config)),
        changing: Mutex::default(),
        saved: std::sync::Mutex::new(saved),
        restarting: Mutex::default(),
        data_dir: config.data_dir.clone(),
    };
    let live = Arc::new(live);
    (Consoles::new(Arc::clone(&live)), Maintenance::new(live))
}

/// What answers, whoever asks; what somebody may ask is [`Consoles`]' to say, so nothing outside gets hold of it.
struct LiveConsole {
    node: NodeName,
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
    data_dir: PathBuf,
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
                percent_request_exclude: app.percent_request_exclude.clone(),
                not_responding: app.not_responding,
                cpu: app.cpu,
            },
            settings: apps::settings_without_saved(app),
        }
    }
}

impl LiveConsole {
    fn configured(&self) -> RwLockReadGuard<'_, Configured> {
        self.configured.read().expect("nothing panics while it holds the configuration")
    }

    fn app(&self, app: &AppName) -> Option<ConfiguredApp> {
        self.configured().apps.get(app).cloned()
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
