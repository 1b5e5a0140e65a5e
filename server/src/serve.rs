//! `medic serve`: the apps first. The data folder is held, then the front doors are opened, then the workers that live are taken
//! over; what cannot be had (an address, the database, the dashboard's own address) is tried again beside it and said on every
//! page. Then it runs until it is told to end, with its workers or without them, and ends in order (see `ending`).
//!
//! What the database holds is waited for a second at most. What comes later is taken over then (see `recall`).

mod dashboard;
mod data_dir;
mod ending;
mod first_owner;
mod people;
mod recall;
mod signals;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use front_door::{ServingThreads, StartError};
use model::{Clock, NodeName};
use shim::cgroup::Home;
use store::{Database, Store, StoreError};
use tokio::sync::watch;

use crate::config::{AtStart, Config, Line, Waiting};
use crate::configured::ConfiguredApps;
use crate::console::{self, Maintenance};
use crate::descriptors::Descriptors;
use crate::doors::Doors;
use crate::health::Health;
use crate::housekeeping::{FileBounds, Files};
use crate::service_manager::{self, ServiceManager};
use crate::supervision::{self, Dependencies, Launcher, MemoryMinutes, Supervision};
use crate::{housekeeping, http, stopping};
use dashboard::Dashboard;
pub use data_dir::lock;
use ending::Ending;
use people::People;
use signals::{Asked, Signals};

/// Why Medic did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error("the data folder {}: {source}; make it writable for this user, or name another as server.data_dir", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        source: io::Error,
    },
    /// Another Medic works there.
    #[error("another Medic is running with the data folder {}; stop it, or name another as server.data_dir", .0.display())]
    InUse(PathBuf),
    /// Nothing could serve the apps.
    #[error(transparent)]
    Serving(#[from] StartError),
    /// The database's address can never be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The dashboard's address is not to be had, nor is any app's.
    #[error(
        "the dashboard cannot listen on {address}: {source}; stop what listens there, or change server.listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        source: io::Error,
    },
    /// The machine refuses something that every machine gives.
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
}

/// What Medic is started for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To serve until it is told to end.
    Serve,
    /// To end the workers that the last one left.
    EndWorkers,
}

/// How long each part may take when Medic ends, beside what `ending` waits for. For answers of the dashboard, which has 5 seconds itself; the last counts; the database.
const HTTP_STOP: Duration = Duration::from_secs(7);
const COUNTS_STOP: Duration = Duration::from_secs(10);
const DATABASE_STOP: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT, which end the workers, or SIGUSR1, which leaves them to the next Medic; SIGHUP reads the
/// configuration at `path` again.
pub async fn serve(
    path: &Path,
    mut config: Config,
    clock: Arc<dyn Clock>,
    service_manager: ServiceManager,
    purpose: Purpose,
) -> Result<(), ServeError> {
    let service_manager = Arc::new(service_manager);
    say_doubts(&config);
    let mut signals = Signals::listen()?;
    let (stopper, stop) = stopping::channel();
    let (_lock, at_start) = data_dir::hold(&config, &*clock)?;
    let health = Health::new(Arc::clone(&clock));
    let descriptors = Descriptors::share_out(ServingThreads::start(0)?, &config.apps);
    let node = node_name();
    let doors = Doors::new(&node, &clock, &descriptors, &health, &service_manager);
    doors.configure(&config.apps).await;
    let listener = dashboard::listen(config.listen, &health, &service_manager).await;
    service_manager.give_up_rest();
    let listener = match listener {
        Err(source) if !doors.all().iter().any(|door| door.is_open()) => {
            return Err(ServeError::Listen { address: config.listen, source });
        }
        listener => listener,
    };
    let (store, keeper) = Store::beside(database(&config), Arc::clone(&clock))?;
    let keeping = tokio::spawn(keeper.run()).abort_handle();
    tokio::spawn(health.clone().follow(store.status()));
    let (groups, said) = control_groups();
    config.lines.push(said);
    let apps = ConfiguredApps::new(&config.apps);
    let launcher = Launcher::new(own_program()?, &config.data_dir, environment(), apps.clone(), groups)
        .with_open_files(descriptors.before(), descriptors.shares().starts);
    let memory = MemoryMinutes::default();
    let dependencies = Dependencies {
        node: node.clone(),
        clock: Arc::clone(&clock),
        store: store.clone(),
        front_doors: doors.clone(),
        launcher,
        memory: memory.clone(),
        health: health.watch(),
        stop: stop.clone(),
    };
    let stored = recall::at_start(&store, &node, &config.apps).await;
    let is_recalled = stored.is_some();
    let people = People::begin(&store, &clock, &config, is_recalled, purpose).await;
    let begin = stored.unwrap_or_default();
    let remembered = is_recalled.then_some(&begin.remembered);
    let (supervision, loop_ended) = supervision::start(dependencies, begin.starts(&config.apps), remembered);
    let (shut_down, shutting_down) = watch::channel(false);
    let (consoles, maintenance) = console::open(
        node.clone(),
        Arc::clone(&clock),
        store.clone(),
        supervision.clone(),
        (&config, apps.clone()),
        begin.saved,
        people.accounts(),
    );
    let recalling = tokio::spawn(recall::keep(store.clone(), maintenance.clone(), is_recalled));
    let (retention, retained) = watch::channel(config.retention);
    let housekeeping = housekeeping::Housekeeping {
        store: store.clone(),
        node,
        clock: Arc::clone(&clock),
        front_doors: doors.clone(),
        memory,
        retention: retained,
    };
    let housekeeping = tokio::spawn(housekeeping.run(shutting_down.clone()));
    let bounds = keep_files(&config, &clock, &health, &maintenance, &shutting_down);
    let dashboard = Dashboard {
        address: config.listen,
        health,
        service_manager: Arc::clone(&service_manager),
        clock,
        router: http::router(consoles, store.clone(), supervision.snapshot(), shutting_down.clone()),
        shares: descriptors.shares(),
        shutting_down: shutting_down.clone(),
    };
    tokio::spawn(descriptors.watch(supervision.snapshot(), maintenance.noting(), shutting_down));
    let http = tokio::spawn(dashboard.serve(listener, dashboard::unix_socket(&config.data_dir)));

    let watched = tokio::spawn(watchdog(Arc::clone(&service_manager), supervision.clone())).abort_handle();

    let reload = Reload { path, at_start, maintenance: &maintenance, doors: &doors, bounds, retention };
    let asked = match purpose {
        Purpose::Serve => until_end(&mut signals, &reload, &service_manager).await,
        Purpose::EndWorkers => Asked::Stop,
    };
    let ending = Ending { supervision, doors, apps, loop_ended, stop: stop.clone() };
    let hastening = ending.begin(asked, signals, stopper, &service_manager);
    match asked {
        Asked::HandOver => ending.hand_over().await,
        Asked::Stop | Asked::Reload => ending.stop().await,
    }
    watched.abort();
    recalling.abort();
    people.end();
    shut_down.send_replace(true);
    let _panicked = stop.wait("the dashboard's last answers", HTTP_STOP, http).await;
    let _panicked = stop.wait("the last counts", COUNTS_STOP, housekeeping).await;
    stop.wait("the database", DATABASE_STOP, store.close()).await;
    keeping.abort();
    hastening.abort();
    Ok(())
}

/// Says that all is ready, and reads the configuration again whenever that is asked for, until the end is; which end.
async fn until_end(signals: &mut Signals, reload: &Reload<'_>, service_manager: &ServiceManager) -> Asked {
    service_manager.ready();
    loop {
        match signals.next().await {
            Asked::Reload => {
                service_manager.reloading();
                reload.carry_out().await;
                service_manager.ready();
            }
            Asked::HandOver if service_manager.is_machine_stopping().await => return Asked::Stop,
            Asked::HandOver if reload.moves_data_folder() => {
                tracing::warn!(
                    "server.data_dir changed: the apps end too, because the next Medic does not find their processes in another folder"
                );
                return Asked::Stop;
            }
            asked => return asked,
        }
    }
}

/// Tells the service manager that the loop works, as often as it wants to hear so.
async fn watchdog(service_manager: Arc<ServiceManager>, supervision: Supervision) {
    let Some(limit) = service_manager.watchdog() else { return };
    loop {
        supervision.answers().await;
        service_manager.works();
        tokio::time::sleep(limit / 3).await;
    }
}

/// What it takes to go on with another configuration.
struct Reload<'a> {
    path: &'a Path,
    /// What Medic was started with.
    at_start: AtStart,
    maintenance: &'a Maintenance,
    doors: &'a Doors,
    bounds: watch::Sender<FileBounds>,
    retention: watch::Sender<Duration>,
}

/// How long the file is the same before it is taken for written, and how often that is looked at.
const WRITTEN: (Duration, u32) = (Duration::from_millis(50), 20);

impl Reload<'_> {
    /// Waits until nobody is writing the file: most programs empty it before they fill it, and by a part of it apps would be
    /// removed. Is there anything in it then?
    async fn is_written(&self) -> bool {
        let (pause, looks) = WRITTEN;
        let mut before = tokio::fs::read(self.path).await.ok();
        for _ in 0..looks {
            tokio::time::sleep(pause).await;
            let now = tokio::fs::read(self.path).await.ok();
            let is_empty = now.as_ref().is_some_and(Vec::is_empty);
            if now == before && !is_empty {
                return true;
            }
            before = now;
        }
        before.is_none_or(|text| !text.is_empty())
    }

    /// Reads the configuration again. One that is wrong changes nothing; what only a start can change is said.
    async fn carry_out(&self) {
        if !self.is_written().await {
            tracing::error!(
                "configuration reload failed, keeping the current one: {} is empty",
                self.path.display()
            );
            return;
        }
        let config = match Config::load(self.path, &environment()) {
            Ok(config) => config,
            Err(error) => {
                crate::log::error_lines("configuration reload failed, keeping the current one", &error);
                return;
            }
        };
        say_doubts(&config);
        let waiting = self.at_start.waiting(&config);
        for Waiting { key, remedy, .. } in &waiting {
            tracing::warn!("{key} changed: {remedy}");
        }
        self.retention.send_replace(config.retention);
        // before a new app has its folders, which are empty at first
        self.bounds.send_replace(FileBounds::of(&config));
        self.maintenance.reload(&config, self.doors, &waiting).await;
        tracing::info!("configuration reloaded");
    }

    /// Does the file name another data folder by now? One that cannot be read names none.
    fn moves_data_folder(&self) -> bool {
        let read = Config::load(self.path, &environment());
        read.is_ok_and(|config| self.at_start.is_elsewhere(&config))
    }
}

fn say_doubts(config: &Config) {
    for doubt in &config.doubts {
        tracing::warn!("{doubt}");
    }
}

/// Keeps Medic's files within their bounds from now on; what says so where those change.
fn keep_files(
    config: &Config,
    clock: &Arc<dyn Clock>,
    health: &Health,
    maintenance: &Maintenance,
    shutting_down: &watch::Receiver<bool>,
) -> watch::Sender<FileBounds> {
    let (bounds, bounded) = watch::channel(FileBounds::of(config));
    let files = Files {
        data_dir: config.data_dir.clone(),
        clock: Arc::clone(clock),
        bounds: bounded,
        health: health.clone(),
        note: Box::new(maintenance.noting()),
    };
    tokio::spawn(files.run(shutting_down.clone()));
    bounds
}

/// Where workers get control groups of their own, and what the settings page says of it.
fn control_groups() -> (Option<Home>, Line) {
    let line = |value: String| {
        let (key, source) = ("control groups".to_owned(), "this machine".to_owned());
        Line { app: None, key, value, source, hint: None }
    };
    match Home::open() {
        Ok(home) => {
            home.remove_leftovers();
            let said = home.to_string();
            tracing::info!("{said}");
            (Some(home), line(said))
        }
        Err(refusal) => {
            let said = format!(
                "workers have no control groups, so an out-of-memory kill cannot be attributed to one worker: {refusal}"
            );
            tracing::warn!("{said}");
            (None, line(said))
        }
    }
}

/// Where everything is remembered.
pub fn database(config: &Config) -> Database {
    match &config.database_url {
        Some(url) => Database::Postgres(url.clone()),
        None => Database::Sqlite(config.data_dir.join(store::SQLITE_FILE)),
    }
}

fn own_program() -> Result<PathBuf, ServeError> {
    std::env::current_exe()
        .map_err(|source| ServeError::System { what: "finding Medic's own program", source })
}

fn node_name() -> NodeName {
    NodeName::of_hostname(&std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default())
}

/// This process's environment, as it may be the workers', too; what is not UTF-8 can be neither a setting nor a worker's variable.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            !service_manager::is_own_variable(name) && !name.starts_with(first_owner::VARIABLES)
        })
        .collect()
}
