//! How a worker is started: its command, its environment, its port and where its output goes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use engine::settings::{INSTANCE_ID, PORT, SITE_NAME};
use engine::{AppName, InstanceKey, WorkerId};
use sha2::{Digest, Sha256};
use shim::Program;
use shim::cgroup::Home;
use shim::protocol::WorkerSpec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::App;
use crate::config::warm_up::WarmUpCheck;
use crate::custom_action::Place;

/// Ports are taken below Linux' ephemeral range (32768–60999), so that no outgoing connection takes a worker's port between
/// its choice and the worker's `listen`.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// One output file of an instance. Ours: large enough for a day of a talkative app's errors.
const LOG_FILE_LIMIT_BYTES: u64 = 10 << 20;
/// How many of them are kept.
const LOG_FILES_KEPT: u32 = 5;

/// How many workers are started at a time, where nobody says otherwise.
const STARTS_AT_ONCE: usize = 16;

/// Why it is not known how to start a worker.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Its app is gone.
    #[error("its app is not configured any more")]
    NoSuchApp,
    /// All ports are taken.
    #[error("no port between 20000 and 31999 is free")]
    NoPort,
    /// Whether a port is free could not be found out.
    #[error("no port could be tried for it: {0}")]
    Port(#[source] io::Error),
}

/// Knows how to start every app's workers.
pub struct Launcher {
    program: Program,
    data_dir: PathBuf,
    node: String,
    inherited: BTreeMap<String, String>,
    apps: RwLock<BTreeMap<AppName, App>>,
    /// Where workers get control groups of their own, where they do.
    groups: Option<Home>,
    next_port: AtomicU16,
    /// How many files a worker may have open, where Medic itself may have more.
    open_files: Option<u64>,
    /// Each start takes one while it lasts.
    turns: Arc<Semaphore>,
}

impl Launcher {
    /// `program` is where Medic's own executable was found, which is also the shim and the analyser; `inherited` its environment.
    pub fn new(
        program: PathBuf,
        data_dir: &Path,
        node: &str,
        inherited: BTreeMap<String, String>,
        apps: &[App],
        groups: Option<Home>,
    ) -> Self {
        let apps = RwLock::new(apps.iter().map(|app| (app.name.clone(), app.clone())).collect());
        // Two Medics on one machine should not try the same ports at the same time, even if started one after the other: a
        // factor that shares no divisor with the number of ports puts neighbouring process ids far apart.
        let spread = std::process::id().wrapping_mul(4_937) % u32::from(PORTS.end - PORTS.start);
        let spread = u16::try_from(spread).unwrap_or(0);
        Self {
            // the one that runs, whatever is at that path by now
            program: Program::own(program),
            data_dir: data_dir.to_owned(),
            node: node.to_owned(),
            inherited,
            apps,
            groups,
            next_port: AtomicU16::new(spread),
            open_files: None,
            turns: Arc::new(Semaphore::new(STARTS_AT_ONCE)),
        }
    }

    /// What Medic starts may have so many files open, where Medic itself may have more; so many workers are started at a time.
    pub fn with_open_files(self, open_files: Option<u64>, starts: usize) -> Self {
        Self { open_files, turns: Arc::new(Semaphore::new(starts)), ..self }
    }

    /// Waits until a worker may be started, for as long as what is returned is kept: each takes files while it is started.
    pub async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_owned().await.expect("nobody closes the semaphore")
    }

    /// The executable that becomes the shim.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The same for the same way to run the app, so that a worker can be told that was started in another.
    pub fn spec_hash(&self, app: &AppName) -> Option<String> {
        self.app(app).as_ref().map(spec_hash)
    }

    /// What a new worker of the app is asked for until it is warm.
    pub fn warm_up_check(&self, app: &AppName) -> Option<WarmUpCheck> {
        self.app(app).map(|app| app.warm_up_check)
    }

    /// What a worker is asked for that answers nobody: the app's health path, or else what it is warmed up by.
    pub fn health_path(&self, app: &AppName) -> Option<String> {
        self.app(app).map(|app| app.health_path.unwrap_or(app.warm_up_check.path))
    }

    /// Starts the app's workers in another way from now on; `false` if there was no such app.
    pub fn replace(&self, app: App) -> bool {
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        apps.get_mut(&app.name).map(|known| *known = app).is_some()
    }

    /// Where a custom action of an instance runs.
    pub fn action(&self, instance: &InstanceKey) -> Option<Place> {
        let app = self.app(&instance.app)?;
        Some(Place {
            instance: instance.clone(),
            directory: app.directory.clone(),
            environment: self.environment(&app, instance, None),
            log_folder: self.logs(&app.name).join("application"),
            open_files: self.open_files,
        })
    }

    /// How to start `worker`.
    pub fn spec(&self, worker: &WorkerId, arm: bool) -> Result<WorkerSpec, SpecError> {
        let app = self.app(&worker.instance.app).ok_or(SpecError::NoSuchApp)?;
        let port = self.free_port()?;
        let logs = self.logs(&app.name);
        Ok(WorkerSpec {
            worker: worker.clone(),
            command: app.command.clone(),
            directory: Some(app.directory.clone()),
            environment: self.environment(&app, &worker.instance, Some(port)),
            port,
            application_log_dir: logs.join("application"),
            crash_log_dir: logs.join("crashdumps"),
            log_file_limit_bytes: LOG_FILE_LIMIT_BYTES,
            log_files_kept: LOG_FILES_KEPT,
            arm,
            // the shim's own program
            analyser: Vec::new(),
            core_dumps: app.core_dumps,
            cgroup: self.groups.as_ref().map(|groups| groups.group_of(worker)),
            open_files: self.open_files,
            spec_hash: spec_hash(&app),
        })
    }

    /// Medic's own environment without its settings, then what helps a crash to be understood, then the app's own, which wins,
    /// then what only Medic can know.
    fn environment(&self, app: &App, instance: &InstanceKey, port: Option<u16>) -> BTreeMap<String, String> {
        let inherited = self.inherited.iter().filter(|(name, _)| !name.starts_with("MEDIC_"));
        let mut environment: BTreeMap<String, String> =
            inherited.map(|(name, value)| (name.clone(), value.clone())).collect();
        environment.entry("RUST_BACKTRACE".to_owned()).or_insert_with(|| "1".to_owned());
        environment.extend(app.environment.clone());
        environment.extend(port.map(|port| (PORT.to_owned(), port.to_string())));
        environment.insert(SITE_NAME.to_owned(), app.name.to_string());
        environment.insert(INSTANCE_ID.to_owned(), instance_id(&self.node, instance));
        environment
    }

    fn app(&self, app: &AppName) -> Option<App> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(app).cloned()
    }

    fn logs(&self, app: &AppName) -> PathBuf {
        self.data_dir.join("apps").join(app.as_str()).join("logfiles")
    }

    fn free_port(&self) -> Result<u16, SpecError> {
        let count = PORTS.end - PORTS.start;
        for _ in 0..count {
            let port = PORTS.start + self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(_) => return Ok(port),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // the next would fail in the same way
                Err(error) => return Err(SpecError::Port(error)),
            }
        }
        Err(SpecError::NoPort)
    }
}

/// App Service's form of an instance's name: 64 hexadecimal digits, the same for the same node, app and place.
pub fn instance_id(node: &str, instance: &InstanceKey) -> String {
    hex(&Sha256::digest(format!("{node}\0{}\0{}", instance.app, instance.index)))
}

fn spec_hash(app: &App) -> String {
    let cores = if app.core_dumps { "\0core dumps" } else { "" };
    let text = format!("{:?}\0{}\0{:?}{cores}", app.command, app.directory.display(), app.environment);
    hex(&Sha256::digest(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _never_fails = write!(text, "{byte:02x}");
        text
    })
}
