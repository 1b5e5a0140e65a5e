//! Medic, with everything as it comes but for the pause after many crashes in a row: it would be all that is measured.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::clock::{Stopwatch, wait_for};
use crate::exchange::ask_once;
use crate::host::{Host, app_file, first_answer, free_address};
use crate::journal::{Journal, is_alive, signal};

const APP: &str = "/api/v1/apps/bench";

/// What it hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// apps/app.js.
    Node,
    /// The lab's shop.
    Shop,
}

impl Program {
    /// As the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Shop => "lab-shop",
        }
    }

    pub(crate) fn command(self) -> Vec<String> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        match self {
            Self::Node => vec!["node".to_owned(), text(app_file("app.js"))],
            Self::Shop => vec![text(lab::shop())],
        }
    }
}

/// How the app is hosted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) program: Program,
    pub(crate) instances: usize,
    /// More crashes than this arm capture; 0: every worker starts with the debugger attached.
    pub(crate) crashes: u32,
    /// How many threads the lab's shop makes before it takes requests.
    pub(crate) threads: u16,
}

/// A running `medic serve`.
pub(crate) struct Medic {
    folder: TempDir,
    server: Child,
    dashboard: SocketAddr,
    front_door: SocketAddr,
    program: Program,
    journal: Journal,
    /// The instance whose turn it is.
    turn: usize,
}

impl Medic {
    /// Waits until all instances are warm.
    pub(crate) fn start(exe: &Path, setup: Setup) -> Result<Self> {
        let Setup { program, instances, crashes, threads } = setup;
        let folder = tempfile::tempdir()?;
        let journal = Journal::create(folder.path())?;
        let (dashboard, front_door) = (free_address()?, free_address()?);
        let config = folder.path().join("medic.toml");
        fs::write(
            &config,
            format!(
                "[server]\nlisten = \"{dashboard}\"\ndata_dir = \"data\"\n[[app]]\nname = \"bench\"\ncommand = {command:?}\n\
                listen = \"{front_door}\"\ninstances = {instances}\nback_off = \"0s\"\n\
                crash_monitoring = {{ crashes = {crashes} }}\n\
                environment = {{ BENCH_JOURNAL = \"{journal}\", LAB_THREADS = \"{threads}\" }}\n",
                command = program.command(),
                journal = journal.path().display(),
            ),
        )?;
        let log = File::create(folder.path().join("log"))?;
        let server = Command::new(exe)
            .args(["serve", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", exe.display()))?;
        let medic = Self { folder, server, dashboard, front_door, program, journal, turn: 0 };
        wait_for("medic's workers", || {
            Ok((medic.workers().unwrap_or_default().len() == instances).then_some(()))
        })
        .with_context(|| medic.last_words())?;
        Ok(medic)
    }

    /// The restarts that it has recorded: how many, the requests that it finished meanwhile, and those that it failed.
    pub(crate) fn recorded_restarts(&self) -> Result<(usize, u64, u64)> {
        let restarts = self.api("GET", &format!("{APP}/restarts"), 200)?;
        let restarts = restarts.as_array().context("a list of restarts")?;
        let sum = |key: &str| restarts.iter().filter_map(|restart| restart[key].as_u64()).sum();
        Ok((restarts.len(), sum("drained"), sum("failed")))
    }

    /// Until so many crashes are recorded: what is done for one must not be measured with the next.
    pub(crate) fn wait_for_crashes(&self, count: usize) -> Result<()> {
        wait_for("the crash's record", || {
            let crashes = self.api("GET", &format!("{APP}/crashes"), 200)?;
            Ok((crashes.as_array().context("a list of crashes")?.len() >= count).then_some(()))
        })
    }

    fn instances(&self) -> Result<Vec<Value>> {
        let app = self.api("GET", APP, 200)?;
        app["instances"].as_array().cloned().context("an app has instances")
    }

    fn api(&self, method: &str, path: &str, expected: u16) -> Result<Value> {
        let answer = ask_once(self.dashboard, method, path)
            .map_err(|failure| anyhow::anyhow!("{method} {path}: {failure}"))?;
        ensure!(answer.status == expected, "{method} {path} answered {}: {}", answer.status, answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        format!("medic's last words:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
    }
}

impl Host for Medic {
    fn name(&self) -> &'static str {
        match self.program {
            Program::Node => "Medic",
            Program::Shop => "Medic, lab-shop",
        }
    }

    fn address(&self) -> SocketAddr {
        self.front_door
    }

    fn workers(&self) -> Result<Vec<u32>> {
        let mut running: Vec<Value> = self.instances()?;
        running.retain(|instance| instance["state"] == "running" && instance["restarting"].is_null());
        running.sort_by_key(|instance| instance["started_at"].to_string());
        let pids = running.iter().filter_map(|instance| instance["pid"].as_u64()?.try_into().ok());
        Ok(pids.filter(|pid| is_alive(*pid)).collect())
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }

    /// A request is tried again once: one that met two kills would be failed on purpose, and would say nothing.
    fn settles_within(&self) -> Duration {
        Duration::from_secs(5)
    }

    /// One instance, the others in their turn.
    fn replace(&mut self) -> Result<usize> {
        let before = self.instances()?;
        let index = self.turn % before.len();
        self.turn += 1;
        let old = &before[index];
        self.api("POST", &format!("{APP}/instances/{index}/restart"), 202)
            .with_context(|| self.last_words())?;
        let new = wait_for("the restart's end", || {
            let instance = self.instances()?.swap_remove(index);
            Ok(instance["restarting"].is_null().then_some(instance))
        })?;
        if new["started_at"] == old["started_at"] {
            bail!("the restart failed: {}\n{}", new["message"], self.last_words());
        }
        Ok(1)
    }
}

impl Drop for Medic {
    fn drop(&mut self) {
        let workers = self.workers().unwrap_or_default();
        let _gone_already = signal(self.server.id(), "TERM");
        let _killed_below = wait_for("medic's end", || Ok(self.server.try_wait()?.is_some().then_some(())));
        let _gone_already = self.server.kill();
        let _gone_already = self.server.wait();
        for worker in workers.into_iter().filter(|worker| is_alive(*worker)) {
            let _gone_already = signal(worker, "KILL");
        }
    }
}

/// The time from a bare start of the same program to its first 200.
pub(crate) fn bare_start(setup: Setup) -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let journal = Journal::create(folder.path())?;
    let address = free_address()?;
    let command = setup.program.command();
    let started = Stopwatch::start();
    let mut worker = Command::new(&command[0])
        .args(&command[1..])
        .env("PORT", address.port().to_string())
        .env("BENCH_JOURNAL", journal.path())
        .env("LAB_THREADS", setup.threads.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let answered = first_answer(address, None);
    let took = started.elapsed();
    worker.kill()?;
    worker.wait()?;
    answered.map(|()| took)
}
