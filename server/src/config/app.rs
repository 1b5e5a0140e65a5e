//! `[[app]]`: what Medic runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app_service::environment::{INSTANCE_ID, PORT, SITE_NAME};
use model::AppName;
use model::auto_heal::NotRespondingNumbers;
use model::auto_heal::cpu::CpuRule;
use model::auto_heal::fuse::FuseNumbers;
use model::auto_heal::limit::WorkerSize;
use model::auto_heal::path_glob::PathGlob;
use model::crash_monitor::Numbers;
use shim::protocol::Watched;

use super::identity::{self, RunAs};
use super::log_bounds::{self, LogBounds};
use super::reader::{Reader, Section};
use super::values::{Raw, address, count, duration, got, text, truth};
use super::warm_up::{self, WarmUpCheck};
use super::{GeneralNumbers, auto_heal};

/// The most instances of one app on one node. Ours: more workers than this on one machine is a mistake in writing.
const INSTANCES_LIMIT: i64 = 64;

/// One app.
#[derive(Clone, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs; absolute.
    pub directory: PathBuf,
    /// Added to Medic's own environment.
    pub environment: BTreeMap<String, String>,
    /// Whose processes its workers are.
    pub run_as: RunAs,
    /// The kernel may write core dumps of its workers, with what they had in memory.
    pub core_dumps: bool,
    /// Whose crashes are its workers'.
    pub watch: Watched,
    /// Its front door.
    pub listen: SocketAddr,
    /// How many workers.
    pub instances: u16,
    /// How long a new worker may take until it is warm.
    pub warm_up: Duration,
    /// What it is asked for until it is.
    pub warm_up_check: WarmUpCheck,
    /// The path that says whether the app is well, where it has one.
    pub health_path: Option<String>,
    /// How long a worker that was asked to end may take.
    pub stop_grace: Duration,
    /// The longest pause between starts.
    pub back_off: Duration,
    /// How long a request waits for a worker.
    pub request_wait: Duration,
    /// A GET or HEAD whose worker ended without an answer goes to another.
    pub retry_requests: bool,
    /// What its log files may take of the disk.
    pub logs: LogBounds,
    /// Its crash monitoring's numbers.
    pub crash_monitoring: Numbers,
    /// How much memory its workers may have.
    pub worker_size: WorkerSize,
    /// Its own limit of private bytes, in place of the worker size's.
    pub memory_limit_bytes: Option<u64>,
    /// Proactive CPU monitoring, where it is set.
    pub cpu: Option<CpuRule>,
    /// When too many proactive restarts switch the proactive rules off.
    pub fuse: FuseNumbers,
    /// Paths that percent request leaves out.
    pub percent_request_exclude: Vec<PathGlob>,
    /// When a worker that answers nobody is replaced.
    pub not_responding: NotRespondingNumbers,
}

/// Without the arguments and the environment, which hold secrets.
impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut app = f.debug_struct("App");
        app.field("name", &self.name).field("program", &self.command.first()).finish_non_exhaustive()
    }
}

/// Reads every `[[app]]`. Apps that are wrong are left out; what is wrong with them stands in the reader.
pub(super) fn read_all<'t>(
    reader: &mut Reader<'t>,
    root: &mut Section<'t>,
    folder: &Path,
    (dashboard, numbers): (SocketAddr, GeneralNumbers),
) -> Vec<App> {
    let mut names = BTreeSet::new();
    let mut apps: Vec<App> = Vec::new();
    for mut section in reader.sections(root, "app") {
        let app = read(reader, &mut section, folder, numbers);
        if let Some(app) = &app {
            if !names.insert(app.name.clone()) {
                reader.complain(
                    &section,
                    "name",
                    format!("duplicate app name \"{}\"", app.name),
                    "give each app its own name".to_owned(),
                );
            }
            let others = apps.iter().map(|other| (format!("app \"{}\"", other.name), other.listen));
            let dashboard = ("the dashboard (server.listen)".to_owned(), dashboard);
            if let Some((whose, address)) =
                others.chain([dashboard]).find(|(_, address)| excludes(*address, app.listen))
            {
                let what = format!("listen address {} conflicts with {address} of {whose}", app.listen);
                reader.complain(&section, "listen", what, "give each its own address or port".to_owned());
            }
        }
        apps.extend(app);
        reader.finish(&section);
    }
    apps
}

/// Nobody can listen on both at once: one of all addresses takes the others in, and `[::]` those of IPv4, too.
pub fn excludes(one: SocketAddr, other: SocketAddr) -> bool {
    let takes_in =
        |all: SocketAddr, one: SocketAddr| all.ip().is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    let is_same = one.ip() == other.ip() || takes_in(one, other) || takes_in(other, one);
    is_same && one.port() == other.port() && one.port() != 0
}

fn read<'t>(
    reader: &mut Reader<'t>,
    section: &mut Section<'t>,
    folder: &Path,
    numbers: GeneralNumbers,
) -> Option<App> {
    let name = reader.required(section, "name", "\"shop\"", name);
    if let Some(name) = &name {
        reader.name_app_lines(section, name.as_str());
    }
    let command = reader.required(section, "command", "[\"node\", \"server.js\"]", command);
    let directory = folder.join(reader.or(section, "directory", ".", text));
    if !directory.is_dir() {
        let what = format!("folder {} not found", directory.display());
        reader.complain(
            section,
            "directory",
            what,
            "create it, or use the folder that the app runs in".to_owned(),
        );
    }
    if let Some(command) = &command {
        doubt_variables(reader, section, command);
    }
    let files = reader.optional(section, "environment_file", files).unwrap_or_default();
    let mut environment_of_files = read_files(reader, section, folder, &files);
    let own = reader.optional(section, "environment", environment).unwrap_or_default();
    environment_of_files.extend(own);
    let environment = environment_of_files;
    let run_as = identity::read(reader, section);
    let core_dumps = reader.or(section, "core_dumps", "false", truth);
    let watch = reader.or(section, "watch", "serving", watched);
    let listen = reader.required(section, "listen", "\"127.0.0.1:8080\"", address);
    let instances = reader.or_else(section, "instances", 1, count::<u16>(1, INSTANCES_LIMIT));
    let warm_up = reader.or(section, "warm_up", "230s", duration);
    let warm_up = warm_up::limit(reader, section, &environment, warm_up);
    let health_path = reader.or(section, "health_path", "", warm_up::path_or_none);
    let warm_up_check = warm_up::check(reader, section, &environment, health_path.as_deref());
    let stop_grace = reader.or(section, "stop_grace", "10s", duration);
    let back_off = reader.or(section, "back_off", "30s", duration);
    let request_wait = reader.or(section, "request_wait", "10s", duration);
    let retry_requests = reader.or(section, "retry_requests", "true", truth);
    let quota_bytes = log_bounds::quota_of_app(reader, section, instances);
    let logs = LogBounds { quota_bytes, retention: numbers.log_retention };
    let worker_size = reader.or(section, "worker_size", "small", auto_heal::worker_size);
    let memory_limit_bytes = reader.or(section, "memory_limit", "", auto_heal::memory_limit);
    let mut monitoring = reader.section(section, "crash_monitoring");
    let crash_monitoring = super::read_numbers(reader, &mut monitoring, numbers.crash_monitoring);
    reader.finish(&monitoring);
    let mut healing = reader.section(section, "auto_heal");
    let fuse = auto_heal::fuse(reader, &mut healing, numbers.fuse);
    let percent_request_exclude =
        reader.or(&mut healing, "percent_request_exclude", "", auto_heal::excluded_paths);
    let not_responding = auto_heal::not_responding(reader, &mut healing, numbers.not_responding);
    reader.finish(&healing);
    let cpu = auto_heal::cpu(reader, section);
    Some(App {
        name: name?,
        command: command?,
        directory,
        environment,
        run_as,
        core_dumps,
        watch,
        listen: listen?,
        instances,
        warm_up,
        warm_up_check,
        health_path,
        stop_grace,
        back_off,
        request_wait,
        retry_requests,
        logs,
        crash_monitoring,
        worker_size,
        memory_limit_bytes,
        cpu,
        fuse,
        percent_request_exclude,
        not_responding,
    })
}

fn watched(raw: &Raw) -> Result<Watched, String> {
    match text(raw)?.as_str() {
        "serving" => Ok(Watched::Serving),
        "main" => Ok(Watched::Main),
        _ => Err(format!("must be \"serving\" or \"main\" (got {})", got(raw))),
    }
}

fn name(raw: &Raw) -> Result<AppName, String> {
    text(raw)?.parse().map_err(|error: model::names::NameError| error.to_string())
}

fn command(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::List(list)
            if list.first().is_some_and(|program| !program.is_empty())
                && !list.iter().any(|part| part.contains('\0')) =>
        {
            Ok(list.clone())
        }
        _ => {
            Err("must be the program and its arguments as a list, such as [\"node\", \"server.js\"]"
                .to_owned())
        }
    }
}

/// A `$NAME` that the program gets as it stands is mostly meant otherwise.
fn doubt_variables<'t>(reader: &mut Reader<'t>, section: &Section<'t>, command: &[String]) {
    let names = super::command::not_expanded(command);
    if !names.is_empty() {
        let list: Vec<String> = names.iter().map(|name| format!("${name}")).collect();
        let what = format!("the program gets {} unexpanded, because no shell runs it", list.join(", "));
        let remedy = format!(
            "use command = [\"/bin/sh\", \"-c\", \"exec …\"]; Medic replaces ${PORT}, ${INSTANCE_ID} and ${SITE_NAME} alone"
        );
        reader.doubt(section, "command", what, remedy);
    }
}

/// One file or several.
fn files(raw: &Raw) -> Result<Vec<String>, String> {
    match raw {
        Raw::Text(file) if !file.is_empty() => Ok(vec![file.clone()]),
        Raw::List(files) if files.iter().all(|file| !file.is_empty()) => Ok(files.clone()),
        _ => Err(format!(
            "must be a file or a list of files, such as [\".env\", \".env.local\"] (got {})",
            got(raw)
        )),
    }
}

/// The variables of these files, the later ones' before the earlier ones'.
fn read_files<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    folder: &Path,
    files: &[String],
) -> BTreeMap<String, String> {
    const KEY: &str = "environment_file";
    let mut all = BTreeMap::new();
    if let Some(source) = reader.source_of(section, KEY) {
        reader.instead(section, KEY, &files.join(", "), source);
    }
    for file in files {
        let path = folder.join(file);
        let refused = match std::fs::read_to_string(&path) {
            Ok(text) => {
                match super::dotenv::parse(&text).map_err(|error| error.to_string()).and_then(checked) {
                    Ok(variables) => {
                        let shown = super::values::shown(&Raw::Map(variables.clone()));
                        reader.add_line(section, "environment", &shown, path.display().to_string());
                        all.extend(variables);
                        continue;
                    }
                    Err(what) => (format!("{}: {what}", path.display()), "use NAME=value in each line"),
                }
            }
            Err(error) => (
                format!("cannot read {}: {error}", path.display()),
                "use a file that the user of Medic may read",
            ),
        };
        reader.complain(section, KEY, refused.0, refused.1.to_owned());
    }
    all
}

fn environment(raw: &Raw) -> Result<BTreeMap<String, String>, String> {
    let Raw::Map(map) = raw else {
        return Err(format!("must be a table of text, such as {{ NAME = \"value\" }} (got {})", got(raw)));
    };
    checked(map.clone())
}

fn checked(map: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    for (key, value) in &map {
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            return Err(format!(
                "invalid variable \"{}\"; remove = from its name, and NUL from its name and value",
                key.escape_debug()
            ));
        }
        if [PORT, SITE_NAME, INSTANCE_ID].contains(&key.as_str()) {
            return Err(format!("{key} is set by Medic for each worker; remove it"));
        }
    }
    Ok(map)
}
