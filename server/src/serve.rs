//! `medic serve`: the apps first. The data folder is held, then the front doors are opened, then the workers that live are taken
//! over; what cannot be had (an address, the database, the dashboard's own address) is tried again beside it and said on every
//! page. Then it runs until it is told to stop, and stops in order: no new requests, the requests in flight, the workers, the
//! store.
//!
//! What the database holds is waited for a second at most. What comes later is taken over then (see `recall`).

mod dashboard;
mod data_dir;
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
use tokio::task::{JoinHandle, JoinSet};

use crate::config::{App, Config, Line};
use crate::console::{self, Maintenance};
use crate::descriptors::Descriptors;
use crate::doors::{self, Doors};
use crate::health::Health;
use crate::service_manager::ServiceManager;
use crate::stopping::{self, Stop, Stopper};
use crate::supervision::{self, Dependencies, Launcher, MemoryMinutes, Supervision};
use crate::{housekeeping, http};
use dashboard::Dashboard;
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

/// How long each part may take when Medic stops. Beyond what apps are granted: for the front doors to cut what is left; for
/// killed workers to end, and for a last crash to be analysed and recorded.
const DOORS_STOP: Duration = Duration::from_secs(5);
const WORKERS_STOP: Duration = Duration::from_mins(1);
/// How long requests in flight have when Medic hands over: nobody reaches the apps meanwhile.
const HAND_OVER_GRACE: Duration = Duration::from_secs(5);
/// For answers of the dashboard, which has 5 seconds itself; the last counts; the database.
const HTTP_STOP: Duration = Duration::from_secs(7);
const COUNTS_STOP: Duration = Duration::from_secs(10);
const DATABASE_STOP: Duration = Duration::from_secs(10);

/// Runs until SIGTERM or SIGINT, or until SIGUSR1, which leaves the workers to the next Medic; SIGHUP reads the configuration at `path` again.
pub async fn serve(path: &Path, mut config: Config, clock: Arc<dyn Clock>) -> Result<(), ServeError> {
    for doubt in &config.doubts {
        tracing::warn!("{doubt}");
    }
    let mut signals = Signals::listen()?;
    let (stopper, stop) = stopping::channel();
    let _lock = data_dir::lock(&config.data_dir)?;
    let health = Health::new(Arc::clone(&clock));
    let descriptors = Descriptors::share_out(ServingThreads::start(0)?, &config.apps);
    let node = node_name();
    let doors = doors::open(&node, &config.apps, &clock, &descriptors, &health);
    let listener = dashboard::listen(config.listen, &health).await;
    let listener = match listener {
        Err(source) if !doors.values().any(|door| door.is_open()) => {
            return Err(ServeError::Listen { address: config.listen, source });
        }
        listener => listener,
    };
    let (store, keeper) = Store::beside(database(&config), Arc::clone(&clock))?;
    let keeping = tokio::spawn(keeper.run()).abort_handle();
    tokio::spawn(health.clone().follow(store.status()));
    let program = std::env::current_exe()
        .map_err(|source| ServeError::System { what: "finding Medic's own program", source })?;
    let (groups, said) = control_groups();
    config.lines.push(said);
    let launcher = Launcher::new(program, &config.data_dir, environment(), &config.apps, groups)
        .with_open_files(descriptors.before(), descriptors.shares().starts);
    let memory = MemoryMinutes::default();
    let dependencies = Dependencies {
        node: node.clone(),
        clock: Arc::clone(&clock),
        store: store.clone(),
        front_doors: Arc::clone(&doors),
        launcher,
        memory: memory.clone(),
        health: health.watch(),
        stop: stop.clone(),
    };
    let stored = recall::at_start(&store, &node, &config.apps).await;
    let is_recalled = stored.is_some();
    let begin = stored.unwrap_or_default();
    let remembered = is_recalled.then_some(&begin.remembered);
    let (supervision, loop_ended) = supervision::start(dependencies, begin.starts(&config.apps), remembered);
    let (shut_down, shutting_down) = watch::channel(false);
    let (consoles, maintenance) = console::open(
        node.clone(),
        Arc::clone(&clock),
        store.clone(),
        supervision.clone(),
        &config,
        begin.saved,
    );
    let recalling = tokio::spawn(recall::keep(store.clone(), maintenance.clone(), is_recalled));
    let router = http::router(consoles, store.clone(), supervision.snapshot(), shutting_down.clone());
    let housekeeping = housekeeping::Housekeeping {
        store: store.clone(),
        node,
        clock: Arc::clone(&clock),
        front_doors: Arc::clone(&doors),
        memory,
        retention: config.retention,
    };
    let housekeeping = tokio::spawn(housekeeping.run(shutting_down.clone()));
    let shares = descriptors.shares();
    let noting = maintenance.clone();
    let add_line = move |line| noting.note(line);
    tokio::spawn(descriptors.watch(supervision.snapshot(), add_line, shutting_down.clone()));
    let dashboard = Dashboard { address: config.listen, health, clock, router, shares, shutting_down };
    let http = tokio::spawn(dashboard.serve(listener, dashboard::unix_socket(&config.data_dir)));

    let manager = Arc::new(ServiceManager::of(&environment()));
    let alive = tokio::spawn(keep_alive(Arc::clone(&manager), supervision.clone())).abort_handle();
    manager.ready();
    let asked = until_stop(&mut signals, path, &config, &maintenance).await;
    stopper.stop();
    let hands_over = asked == Asked::HandOver;
    let said = if hands_over {
        "handing over; the apps go on running"
    } else {
        "shutting down; repeat the signal to force"
    };
    tracing::info!("{said}");
    manager.stopping(said);
    let workers = (!hands_over).then(|| supervision.clone());
    let hastening = tokio::spawn(hasten(signals, stopper, workers)).abort_handle();
    if hands_over {
        hand_over(&supervision, &doors, &config.apps, loop_ended, &stop).await;
    } else {
        stop_in_order(&supervision, &doors, &config.apps, loop_ended, &stop).await;
    }
    recalling.abort();
    shut_down.send_replace(true);
    let _panicked = stop.wait("the dashboard's last answers", HTTP_STOP, http).await;
    let _panicked = stop.wait("the last counts", COUNTS_STOP, housekeeping).await;
    stop.wait("the database", DATABASE_STOP, store.close()).await;
    keeping.abort();
    hastening.abort();
    alive.abort();
    Ok(())
}

/// Reads the configuration again whenever that is asked for; which way to end was asked for in the end.
async fn until_stop(
    signals: &mut Signals,
    path: &Path,
    running: &Config,
    maintenance: &Maintenance,
) -> Asked {
    loop {
        match signals.next().await {
            Asked::Reload => reload(path, running, maintenance).await,
            asked => return asked,
        }
    }
}

/// Reads the configuration again. One that is wrong changes nothing; what only a start can change is said.
async fn reload(path: &Path, running: &Config, maintenance: &Maintenance) {
    let config = match Config::load(path, &environment()) {
        Ok(config) => config,
        Err(error) => {
            crate::log::error_lines("configuration reload failed, keeping the current one", &error);
            return;
        }
    };
    let doubts = config.doubts.iter().map(ToString::to_string);
    for doubt in doubts.chain(running.only_at_start(&config)) {
        tracing::warn!("{doubt}");
    }
    maintenance.reload(&config).await;
    tracing::info!("configuration reloaded");
}

async fn keep_alive(manager: Arc<ServiceManager>, supervision: Supervision) {
    manager.keep_alive(|| supervision.answers()).await;
}

/// Every further signal that means it hastens the stop, of the workers too where those are stopped.
async fn hasten(mut signals: Signals, stopper: Stopper, workers: Option<Supervision>) {
    loop {
        if signals.next().await != Asked::Reload {
            stopper.stop();
            if let Some(supervision) = &workers {
                supervision.hasten().await;
            }
        }
    }
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

/// No new requests, then the requests in flight (within each app's stop grace), then the workers.
async fn stop_in_order(
    supervision: &Supervision,
    doors: &Doors,
    apps: &[App],
    stopped: JoinHandle<()>,
    stop: &Stop,
) {
    let grace = close_doors(doors, apps, Duration::MAX, stop).await;
    let ended = async {
        supervision.stop().await;
        let _panicked = stopped.await;
    };
    // what is left then is the next Medic's, by its shim
    stop.wait("workers to end", 2 * grace + WORKERS_STOP, ended).await;
}

/// No new requests, then those in flight, for a short time: meanwhile the apps cannot be reached. Then the loop alone: whoever runs
/// goes on running.
async fn hand_over(
    supervision: &Supervision,
    doors: &Doors,
    apps: &[App],
    stopped: JoinHandle<()>,
    stop: &Stop,
) {
    close_doors(doors, apps, HAND_OVER_GRACE, stop).await;
    let ended = async {
        supervision.hand_over().await;
        let _panicked = stopped.await;
    };
    stop.wait("the last records", WORKERS_STOP, ended).await;
}

/// Closes the listen addresses and waits for the requests in flight, each app's stop grace and `most` at the longest. The longest
/// grace.
async fn close_doors(doors: &Doors, apps: &[App], most: Duration, stop: &Stop) -> Duration {
    let grace = apps.iter().map(|app| app.stop_grace.min(most)).max().unwrap_or_default();
    let mut closing = JoinSet::new();
    for app in apps {
        if let Some(door) = doors.get(&app.name).cloned() {
            let grace = app.stop_grace.min(most);
            closing.spawn(async move { door.shut_down(grace).await });
        }
    }
    let drained = stop.wait("requests in flight", grace + DOORS_STOP, closing.join_all());
    tokio::select! { _ = drained => {}, () = stop.hastened() => {} }
    grace
}

fn database(config: &Config) -> Database {
    match &config.database_url {
        Some(url) => Database::Postgres(url.clone()),
        None => Database::Sqlite(config.data_dir.join("medic.db")),
    }
}

fn node_name() -> NodeName {
    NodeName::of_hostname(&std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default())
}

/// This process's environment; what is not UTF-8 can be neither a setting nor a worker's variable.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
