//! How a worker is started: its command, its environment, its port and where its output goes.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use app_service::environment::{INSTANCE_ID, PORT, SITE_NAME};
use model::auto_heal::arithmetic::millis;
use model::{AppName, Place, WorkerId};
use sha2::{Digest, Sha256};
use shim::cgroup::Home;
use shim::protocol::{Watched, WorkerSpec};
use shim::{ForkServer, Program};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::warm_up::WarmUpCheck;
use crate::config::{Account, App, RunAs, command};
use crate::configured::ConfiguredApps;
use crate::custom_action::Context;
use crate::worker_output;

/// Ports are taken below Linux' ephemeral range (32768–60999), so that no outgoing connection takes a worker's port between
/// its choice and the worker's `listen`.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many workers are started at a time, where nobody says otherwise.
const STARTS_AT_ONCE: usize = 16;

/// Why it is not known how to start a worker.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Its app is gone.
    #[error("the app is no longer in the configuration")]
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
    fork_server: Arc<ForkServer>,
    data_dir: PathBuf,
    inherited: BTreeMap<String, String>,
    apps: ConfiguredApps,
    /// Where workers get control groups of their own, where they do.
    groups: Option<Home>,
    next_port: AtomicU16,
    /// How many files a worker may have open, where Medic itself may have more.
    open_files: Option<u64>,
    /// Each start takes one while it lasts.
    turns: Arc<Semaphore>,
}

impl Launcher {
    /// `program` is where Medic's own executable was found, which is also the fork server, the shims and the analyser; `inherited`
    /// its environment.
    pub fn new(
        program: PathBuf,
        data_dir: &Path,
        inherited: BTreeMap<String, String>,
        apps: ConfiguredApps,
        groups: Option<Home>,
    ) -> Self {
        // Two Medics on one machine should not try the same ports at the same time, even if started one after the other: a
        // factor that shares no divisor with the number of ports puts neighbouring process ids far apart.
        let spread = std::process::id().wrapping_mul(4_937) % u32::from(PORTS.end - PORTS.start);
        let spread = u16::try_from(spread).unwrap_or(0);
        Self {
            // the one that runs, whatever is at that path by now
            fork_server: Arc::new(ForkServer::new(Program::own(program))),
            data_dir: data_dir.to_owned(),
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

    /// What shims are forked from.
    pub fn fork_server(&self) -> &Arc<ForkServer> {
        &self.fork_server
    }

    /// Where everything is kept.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Would a worker that was started from `spec_hash` be started in another way now?
    pub fn is_outdated(&self, app: &AppName, spec_hash: &str) -> bool {
        self.app(app).is_some_and(|app| !fits(&app, spec_hash))
    }

    /// Whose crashes are those of the app's workers.
    pub fn watched(&self, app: &AppName) -> Option<Watched> {
        self.app(app).map(|app| app.watch)
    }

    /// What a new worker of the app is asked for until it is warm.
    pub fn warm_up_check(&self, app: &AppName) -> Option<WarmUpCheck> {
        self.app(app).map(|app| app.warm_up_check.clone())
    }

    /// What a worker is asked for that answers nobody: the app's health path, or else what it is warmed up by.
    pub fn health_path(&self, app: &AppName) -> Option<String> {
        self.app(app).map(|app| app.health_path.clone().unwrap_or_else(|| app.warm_up_check.path.clone()))
    }

    /// The apps whose workers it starts.
    pub fn apps(&self) -> &ConfiguredApps {
        &self.apps
    }

    /// Where a custom action of an instance runs.
    pub fn action(&self, place: &Place) -> Option<Context> {
        let app = self.app(&place.app)?;
        Some(Context {
            place: place.clone(),
            directory: app.directory.clone(),
            environment: self.environment(&app, place, None),
            log_folder: self.logs(&app.name).join("application"),
            open_files: self.open_files,
            identity: app.run_as.identity(),
            umask: app.run_as.umask,
        })
    }

    /// The control group that the worker has for itself, where workers have their own.
    pub fn group_of(&self, worker: &WorkerId) -> Option<PathBuf> {
        self.groups.as_ref().map(|groups| groups.group_of(&worker.into()))
    }

    /// How to start `worker`.
    pub fn spec(&self, worker: &WorkerId, arm: bool) -> Result<WorkerSpec, SpecError> {
        let app = self.app(&worker.place.app).ok_or(SpecError::NoSuchApp)?;
        let port = self.free_port()?;
        let logs = self.logs(&app.name);
        let environment = self.environment(&app, &worker.place, Some(port));
        let rotation = app.logs.rotation(app.instances);
        Ok(WorkerSpec {
            worker: worker.into(),
            command: command::expanded(&app.command, &environment),
            directory: Some(app.directory.clone()),
            environment,
            port,
            application_log_dir: logs.join("application"),
            crash_log_dir: logs.join("crashdumps"),
            log_file_limit_bytes: rotation.file_bytes,
            log_files_kept: rotation.files,
            log_file_age_ms: Some(millis(rotation.age)),
            arm,
            // the shim's own program
            analyser: Vec::new(),
            watch: app.watch,
            core_dumps: app.core_dumps,
            cgroup: self.group_of(worker),
            open_files: self.open_files,
            identity: app.run_as.identity(),
            umask: Some(app.run_as.umask),
            limits: app.run_as.limits,
            spec_hash: spec_hash(&app),
        })
    }

    /// Medic's own environment without its settings, then what helps a crash to be understood, then the app's own, which wins,
    /// then what only Medic can know.
    fn environment(&self, app: &App, place: &Place, port: Option<u16>) -> BTreeMap<String, String> {
        let inherited = self.inherited.iter().filter(|(name, _)| !name.starts_with("MEDIC_"));
        let mut environment: BTreeMap<String, String> =
            inherited.map(|(name, value)| (name.clone(), value.clone())).collect();
        environment.entry("RUST_BACKTRACE".to_owned()).or_insert_with(|| "1".to_owned());
        if let Some(account) = &app.run_as.account {
            let Account { name, home, shell, .. } = account;
            let own = [("HOME", home), ("USER", name), ("LOGNAME", name), ("SHELL", shell)];
            environment.extend(own.map(|(variable, value)| (variable.to_owned(), value.clone())));
            // those of Medic's own user
            environment.retain(|variable, _| !variable.starts_with("XDG_") && !variable.starts_with("SUDO_"));
        }
        environment.extend(app.environment.clone());
        environment.extend(port.map(|port| (PORT.to_owned(), port.to_string())));
        environment.insert(SITE_NAME.to_owned(), app.name.to_string());
        environment.insert(INSTANCE_ID.to_owned(), instance_id(place));
        environment
    }

    fn app(&self, app: &AppName) -> Option<Arc<App>> {
        self.apps.get(app)
    }

    fn logs(&self, app: &AppName) -> PathBuf {
        worker_output::log_folder(&self.data_dir, app)
    }

    fn free_port(&self) -> Result<u16, SpecError> {
        let count = PORTS.end - PORTS.start;
        for _ in 0..count {
            let port = PORTS.start + self.next_port.fetch_add(1, Ordering::Relaxed) % count;
            match is_free(port) {
                Ok(()) => return Ok(port),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                // the next would fail in the same way
                Err(error) => return Err(SpecError::Port(error)),
            }
        }
        Err(SpecError::NoPort)
    }
}

/// At both loopback addresses: an app may take either. A machine without IPv6 has one.
fn is_free(port: u16) -> io::Result<()> {
    drop(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?);
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        _ => Ok(()),
    }
}

/// App Service's form of an instance's name: 64 hexadecimal digits, the same for the same node, app and instance.
fn instance_id(Place { node, app, instance }: &Place) -> String {
    hex::encode(Sha256::digest(format!("{node}\0{app}\0{instance}")))
}

/// What the first release began no hash with; another way to reckon it gets another prefix, and workers keep theirs.
const HASH_PREFIX: &str = "2:";

/// The same for the same way to run the app, whatever built this program: its command, folder,
/// environment, whether it may leave cores, and whose process it is, written as JSON.
fn spec_hash(app: &App) -> String {
    let directory = app.directory.as_os_str().as_encoded_bytes();
    let way = (&app.command, directory, &app.environment, app.core_dumps);
    let mut json = serde_json::to_vec(&way).expect("texts and numbers");
    // one that sets nothing of it is what it was before this could be set
    if app.run_as.is_set() {
        let RunAs { account, umask, limits } = &app.run_as;
        let who = account.as_ref().map(|account| (&account.identity, &account.home, &account.shell));
        json.extend(serde_json::to_vec(&(who, umask, limits)).expect("texts and numbers"));
    }
    format!("{HASH_PREFIX}{}", hex::encode(Sha256::digest(json)))
}

/// An upgrade changes how workers are hashed, not how they are run: it must not replace them all.
fn fits(app: &App, hash: &str) -> bool {
    if hash.starts_with(HASH_PREFIX) {
        return hash == spec_hash(app);
    }
    // the first release knew no other way
    !app.core_dumps && hash == first_release_hash(app)
}

fn first_release_hash(app: &App) -> String {
    hex::encode(Sha256::digest(format!(
        "{:?}\0{}\0{:?}",
        app.command,
        app.directory.display(),
        app.environment
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn app(environment: &str) -> App {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[[app]]\nname = \"shop\"\ncommand = [\"node\", \"a\\\"b\"]\nlisten = \"127.0.0.1:8080\"\ndirectory = \"/\"\nenvironment = {environment}\n"
        );
        let path = folder.path().join("medic.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(&path, &BTreeMap::new()).unwrap().apps.remove(0)
    }

    #[test]
    fn the_hash_is_the_same_in_every_build_and_an_upgrade_replaces_nobody() {
        let app = app(r#"{ B = "2", A = "1" }"#);
        assert_eq!(spec_hash(&app), "2:edaa570ab1d8aa273b09082e84b0e4e15f613a10c6648a9469acf5cc23a36db7");
        assert_eq!(
            first_release_hash(&app),
            "b8aefc984aa738dddb5e56960f1aa0709d77e32a1327bdfe408fe76d215afca3"
        );
        assert!(fits(&app, &spec_hash(&app)) && fits(&app, &first_release_hash(&app)));
    }

    #[test]
    fn another_way_to_run_it_has_another_hash() {
        let (one, other) = (app(r#"{ A = "1" }"#), app(r#"{ A = "2" }"#));
        assert!(!fits(&one, &spec_hash(&other)) && !fits(&one, &first_release_hash(&other)));
        assert!(!fits(&one, "") && !fits(&one, "3:another"));
    }
}
