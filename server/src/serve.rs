//! `medic serve`: everything is opened before anything is started, so that a mistake leaves nothing half-started; then it runs
//! until it is told to stop, and stops in order: no new requests, the requests in flight, the workers, the store.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use engine::Clock;
use engine::requests::RequestMinute;
use front_door::{BindError, FrontDoor, FrontDoorSettings, ServingThreads, StartError};
use shim::cgroup::Home;
use store::{Database, Store, StoreError};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::apps::{self, AppsError};
use crate::config::{App, Config, Line};
use crate::console::LiveConsole;
use crate::housekeeping;
use crate::supervision::{self, FrontDoors, Launcher, MemoryMinutes, Supervision, World};
use crate::web;
use crate::web::server::{self, Limits, UnixSocket};

/// Why Medic did not start, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder cannot be used.
    #[error("the data folder {}: {source}; make it writable for this user, or name another as server.data_dir", path.display())]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another Medic works there.
    #[error("another Medic is running with the data folder {}; stop it, or name another as server.data_dir", .0.display())]
    InUse(PathBuf),
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the apps begin with cannot be had.
    #[error(transparent)]
    Apps(#[from] AppsError),
    /// The dashboard's address is not to be had.
    #[error(
        "the dashboard cannot listen on {address}: {source}; stop what listens there, or change server.listen"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Nothing could serve the apps.
    #[error(transparent)]
    Serving(#[from] StartError),
    /// An app's address is not to be had.
    #[error(transparent)]
    FrontDoor(#[from] BindError),
    /// The machine refuses something that every machine gives.
    #[error("{what}: {source}")]
    System {
        /// What.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// Runs until SIGTERM or SIGINT; SIGHUP reads the configuration at `path` again.
pub async fn serve(path: &Path, mut config: Config, clock: Arc<dyn Clock>) -> Result<(), ServeError> {
    for doubt in &config.doubts {
        tracing::warn!("{doubt}");
    }
    let mut signals = Signals::listen()?;
    let _lock = lock_data_dir(&config.data_dir)?;
    let store = Store::open(&database(&config)).await?;
    let node = node_name();
    let remembered = apps::remembered(&store, &node).await?;
    let starts = apps::starts(&store, &config.apps).await?;
    let listener = listen(config.listen).await?;
    let serving = ServingThreads::start(0)?;
    let front_doors = open_front_doors(&config.apps, &clock, &serving)?;
    let program = std::env::current_exe()
        .map_err(|source| ServeError::System { what: "finding Medic's own program", source })?;
    let (groups, said) = control_groups();
    config.lines.push(said);
    let launcher = Launcher::new(program, &config.data_dir, &node, environment(), &config.apps, groups);
    let memory = MemoryMinutes::default();
    let world = World {
        node: node.clone(),
        clock: Arc::clone(&clock),
        store: store.clone(),
        front_doors: Arc::clone(&front_doors),
        launcher,
        memory: memory.clone(),
    };
    let (supervision, stopped) = supervision::start(world, starts, &remembered).await;
    let (shut_down, shutting_down) = watch::channel(false);
    let console = Arc::new(LiveConsole::new(
        node.clone(),
        Arc::clone(&clock),
        store.clone(),
        supervision.clone(),
        &config,
    ));
    let router = web::router(console.clone(), store.clone(), supervision.snapshot(), shutting_down.clone());
    let housekeeping = housekeeping::Housekeeping {
        store: store.clone(),
        node: node.clone(),
        clock: Arc::clone(&clock),
        front_doors: Arc::clone(&front_doors),
        memory,
        retention: config.retention,
    };
    let housekeeping = tokio::spawn(housekeeping.run(shutting_down.clone()));
    let socket = open_unix_socket(&config.data_dir);
    let http = tokio::spawn(serve_http(listener, socket, router, Arc::clone(&clock), shutting_down));
    tracing::info!("the dashboard is at http://{}", config.listen);

    while signals.next().await == Asked::Reload {
        reload(path, &config, &store, &supervision, &console).await;
    }
    tracing::info!("stopping; a second signal hastens it");
    let stop = stop_in_order(&supervision, &front_doors, &config.apps, stopped);
    let last_counts = hastened_by(&mut signals, &supervision, stop).await;
    if let Err(error) = store.add_minutes(&node, &last_counts).await {
        tracing::error!(%error, "the last counts of requests could not be saved");
    }
    shut_down.send_replace(true);
    let _panicked = tokio::time::timeout(std::time::Duration::from_secs(5), http).await;
    let _panicked = housekeeping.await;
    store.close().await;
    Ok(())
}

/// SIGTERM and SIGINT, which mean the same, and SIGHUP.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

impl Signals {
    fn listen() -> Result<Self, ServeError> {
        let listen = |kind| {
            signal(kind).map_err(|source| ServeError::System { what: "listening for signals", source })
        };
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }
}

/// Reads the configuration again. One that is wrong changes nothing; what only a start can change is said.
async fn reload(
    path: &Path,
    running: &Config,
    store: &Store,
    supervision: &Supervision,
    console: &LiveConsole,
) {
    let config = match Config::load(path, &environment()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the configuration was not read again; everything goes on as before");
            return;
        }
    };
    let doubts = config.doubts.iter().map(ToString::to_string);
    for doubt in doubts.chain(running.only_at_start(&config)) {
        tracing::warn!("{doubt}");
    }
    let mut apps = Vec::new();
    for app in &config.apps {
        match apps::settings(store, app).await {
            Ok(settings) => apps.push((app.clone(), apps::spec(app), settings)),
            Err(error) => {
                tracing::error!(%error, "the configuration was not read again; everything goes on as before");
                return;
            }
        }
    }
    console.reload(&config);
    supervision.reload(apps).await;
    tracing::info!("the configuration was read again");
}

/// Waits for `stop`; every signal until then that means it hastens it.
async fn hastened_by<T>(
    signals: &mut Signals,
    supervision: &Supervision,
    stop: impl Future<Output = T>,
) -> T {
    tokio::pin!(stop);
    loop {
        tokio::select! {
            done = &mut stop => return done,
            asked = signals.next() => if asked == Asked::Stop { supervision.hasten().await },
        }
    }
}

/// Where workers get control groups of their own, and what the settings page says of it.
fn control_groups() -> (Option<Home>, Line) {
    let line = |value: String| {
        let (key, source) = ("control groups".to_owned(), "this machine".to_owned());
        Line { app: None, key, value, source }
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
                "workers get none of their own, so that a kill for want of memory may be a neighbour's: {refusal}"
            );
            tracing::warn!("{said}");
            (None, line(said))
        }
    }
}

/// No new requests, then the requests in flight (within each app's stop grace), then the workers. Returns what was counted
/// last.
async fn stop_in_order(
    supervision: &Supervision,
    front_doors: &FrontDoors,
    apps: &[App],
    stopped: JoinHandle<()>,
) -> Vec<RequestMinute> {
    let mut closing = JoinSet::new();
    for app in apps {
        if let Some(front_door) = front_doors.get(&app.name).cloned() {
            let grace = app.stop_grace;
            closing.spawn(async move { front_door.shut_down(grace).await });
        }
    }
    let mut counts = Vec::new();
    let drained = async {
        while let Some(rows) = closing.join_next().await {
            counts.extend(rows.unwrap_or_default());
        }
    };
    tokio::select! { () = drained => {}, () = supervision.hastened() => {} }
    supervision.stop().await;
    let _panicked = stopped.await;
    counts
}

/// Without it everything goes on: the dashboard's address serves the same.
fn open_unix_socket(data_dir: &Path) -> Option<UnixSocket> {
    match UnixSocket::open(data_dir) {
        Ok(socket) => {
            tracing::info!("the API is at {} as well", socket.path().display());
            Some(socket)
        }
        Err(error) => {
            tracing::error!("no Unix socket for tools: {error}");
            None
        }
    }
}

async fn serve_http(
    listener: TcpListener,
    socket: Option<UnixSocket>,
    router: Router,
    clock: Arc<dyn Clock>,
    shut_down: watch::Receiver<bool>,
) {
    let tcp = server::serve(listener, router.clone(), Limits::TCP, Arc::clone(&clock), shut_down.clone());
    let unix = async {
        if let Some(socket) = socket {
            server::serve(socket, router, Limits::UNIX, clock, shut_down).await;
        }
    };
    tokio::join!(tcp, unix);
}

/// Holds the folder for this process; the kernel gives it back when the process is gone, however it went.
fn lock_data_dir(data_dir: &Path) -> Result<File, ServeError> {
    let failed = |source| ServeError::DataDir { path: data_dir.to_owned(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join("medic.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn database(config: &Config) -> Database {
    match &config.database_url {
        Some(url) => Database::Postgres(url.clone()),
        None => Database::Sqlite(config.data_dir.join("medic.db")),
    }
}

fn node_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        .take(64)
        .collect();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// This process's environment; what is not UTF-8 can be neither a setting nor a worker's variable.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

fn open_front_doors(
    apps: &[App],
    clock: &Arc<dyn Clock>,
    serving: &ServingThreads,
) -> Result<FrontDoors, ServeError> {
    let open = |app: &App| {
        let settings = FrontDoorSettings {
            wait: app.request_wait,
            retries: app.retry_requests,
            ..FrontDoorSettings::new(app.name.clone(), app.listen)
        };
        Ok((app.name.clone(), Arc::new(FrontDoor::bind(settings, Arc::clone(clock), serving)?)))
    };
    Ok(Arc::new(apps.iter().map(open).collect::<Result<_, BindError>>()?))
}
