//! The configuration: `medic.toml`, then the environment's `MEDIC_…` over it.
//!
//! Everything is read before anything is started, and everything that is wrong is told at once: a person who starts Medic after
//! an edit should not have to start it five times to learn of five mistakes.

mod app;
mod at_start;
mod auto_heal;
pub mod command;
mod dotenv;
mod identity;
mod log_bounds;
mod problem;
mod reach;
mod reader;
mod values;
pub mod warm_up;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::auto_heal::NotRespondingNumbers;
use model::auto_heal::fuse::FuseNumbers;
use model::crash_monitor::Numbers;

use crate::access::Reach;
pub use app::{App, excludes};
pub use at_start::{AtStart, Waiting};
pub use identity::{Account, RunAs};
pub use problem::{ConfigError, Problem};
use reader::{Reader, Section};
use values::{Span, address, count, duration, text};

/// The commented example that holds every default.
pub const DEFAULT: &str = include_str!("default.toml");

/// What Medic runs with.
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// The dashboard's and the API's address.
    pub listen: SocketAddr,
    /// How others get there.
    pub reach: Reach,
    /// Where everything is kept; absolute.
    pub data_dir: PathBuf,
    /// PostgreSQL's address; SQLite in the data folder where there is none.
    pub database_url: Option<String>,
    /// How long crashes and counts are kept.
    pub retention: Duration,
    /// How long log files are kept after they were last written to.
    pub log_retention: Duration,
    /// What the log files of all apps may take of the disk.
    pub log_quota_bytes: u64,
    /// The apps, as they stand in the file.
    pub apps: Vec<App>,
    /// What was read from where, for the settings page.
    pub lines: Vec<Line>,
    /// What is not wrong and is probably not meant either.
    pub doubts: Vec<Problem>,
}

/// What the settings page shows of it, which has no secrets.
impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("lines", &self.lines).field("apps", &self.apps).finish_non_exhaustive()
    }
}

/// One setting, as it is obeyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The app it belongs to; `None` for all of Medic.
    pub app: Option<String>,
    /// `stop_grace`, `server.listen`.
    pub key: String,
    /// Its value; secrets are `***`.
    pub value: String,
    /// `medic.toml:12`, `default`, `MEDIC_SERVER_LISTEN`.
    pub source: String,
    /// Why it is probably not meant, and what to do; sentences.
    pub hint: Option<String>,
}

/// What holds for an app that has no numbers of its own.
#[derive(Clone, Copy)]
struct GeneralNumbers {
    crash_monitoring: Numbers,
    fuse: FuseNumbers,
    not_responding: NotRespondingNumbers,
    log_retention: Duration,
}

impl Config {
    /// Reads the file and the environment; every mistake in one error.
    pub fn load(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        // Shims and analysers live on in other folders: nothing they are told may be relative to this process's.
        let path = std::path::absolute(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let folder = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self::parse(&text, &name, &folder, environment)
    }

    /// Reads a text; `folder` is what relative paths are relative to.
    pub fn parse(
        text: &str,
        name: &str,
        folder: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(text, name, environment);
        let mut root = reader.root()?;
        let mut server = reader.section(&mut root, "server");
        let listen = reader.or(&mut server, "listen", "127.0.0.1:3000", address);
        let reach = reach::read(&mut reader, &mut server);
        let data_dir = folder.join(reader.or(&mut server, "data_dir", "data", self::text));
        if !listen.ip().is_loopback() {
            reader.complain(
                &server,
                "listen",
                format!("must be a loopback address, because Medic has no TLS (got {listen})"),
                "use 127.0.0.1:3000; for other machines a reverse proxy with public_url and trusted_proxies, or an SSH tunnel"
                    .to_owned(),
            );
        }
        let (database_url, retention) = read_database(&mut reader, &mut root, folder);
        let log_retention = log_bounds::retention(&mut reader, &mut server, retention);
        let log_quota_bytes = log_bounds::quota_of_all(&mut reader, &mut server);
        reader.finish(&server);
        let mut monitoring = reader.section(&mut root, "crash_monitoring");
        let numbers = read_numbers(&mut reader, &mut monitoring, Numbers::default());
        reader.finish(&monitoring);
        let mut healing = reader.section(&mut root, "auto_heal");
        let fuse = auto_heal::fuse(&mut reader, &mut healing, FuseNumbers::default());
        let not_responding =
            auto_heal::not_responding(&mut reader, &mut healing, NotRespondingNumbers::default());
        reader.finish(&healing);
        let numbers = GeneralNumbers { crash_monitoring: numbers, fuse, not_responding, log_retention };
        let apps = app::read_all(&mut reader, &mut root, folder, (listen, numbers));
        let bounds: Vec<_> = apps.iter().map(|app| (app.instances, app.logs)).collect();
        let log_quota_bytes = log_bounds::total(&mut reader, &server, log_quota_bytes, &bounds);
        reader.finish(&root);
        let (lines, doubts) = reader.done()?;
        Ok(Self {
            listen,
            reach,
            data_dir,
            database_url,
            retention,
            log_retention,
            log_quota_bytes,
            apps,
            lines,
            doubts,
        })
    }
}

fn read_database<'t>(
    reader: &mut Reader<'t>,
    root: &mut Section<'t>,
    folder: &Path,
) -> (Option<String>, Duration) {
    let mut section = reader.section(root, "database");
    let url = reader.secret(&mut section, "url", "", text);
    let url_file = reader.or(&mut section, "url_file", "", text);
    let retention = reader.or(&mut section, "retention", "30d", duration);
    let url = if url_file.is_empty() {
        url
    } else {
        match std::fs::read_to_string(folder.join(&url_file)) {
            Ok(text) => text.lines().next().unwrap_or_default().trim().to_owned(),
            Err(error) => {
                reader.complain(
                    &section,
                    "url_file",
                    format!("cannot read {}: {error}", folder.join(&url_file).display()),
                    "use a file that the user of Medic may read".to_owned(),
                );
                String::new()
            }
        }
    };
    if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        reader.complain(
            &section,
            "url",
            "must begin with postgres://".to_owned(),
            "use postgres://user@host/database, or leave it empty for SQLite".to_owned(),
        );
    }
    reader.finish(&section);
    ((!url.is_empty()).then_some(url), retention)
}

fn read_numbers<'t>(reader: &mut Reader<'t>, section: &mut Section<'t>, default: Numbers) -> Numbers {
    Numbers {
        crashes: reader.or_else(section, "crashes", default.crashes, count::<u32>(0, 1_000)),
        window: reader.or_else(section, "window", Span(default.window), |raw| duration(raw).map(Span)).0,
        pause: reader.or_else(section, "pause", Span(default.pause), |raw| duration(raw).map(Span)).0,
    }
}

#[cfg(test)]
mod tests;
