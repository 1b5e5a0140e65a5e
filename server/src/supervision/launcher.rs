//! How a worker is started: its command, its environment, its port and where its output goes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{PoisonError, RwLock};

use engine::settings::{INSTANCE_ID, PORT, SITE_NAME};
use engine::{AppName, InstanceKey, WorkerId};
use sha2::{Digest, Sha256};
use shim::Program;
use shim::cgroup::Home;
use shim::protocol::WorkerSpec;

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
        }
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
        })
    }

    /// How to start `worker`; `None` when there is no such app or no free port.
    pub fn spec(&self, worker: &WorkerId, arm: bool) -> Option<WorkerSpec> {
        let app = self.app(&worker.instance.app)?;
        let port = self.free_port()?;
        let logs = self.logs(&app.name);
        Some(WorkerSpec {
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

    fn free_port(&self) -> Option<u16> {
        let count = PORTS.end - PORTS.start;
        (0..count).find_map(|_| {
            let port = PORTS.start + self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|_| port)
        })
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
