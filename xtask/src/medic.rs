//! A running `medic serve`, stopped in order when it goes out of scope.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::http;
use crate::stopwatch::Stopwatch;
use crate::workspace::target;

const STEP: Duration = Duration::from_millis(100);
/// `stop_grace` of the demo's apps and what the server itself takes.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The program, and where its dashboard is.
pub(crate) struct Medic {
    child: Child,
    address: String,
    log: PathBuf,
    started: Stopwatch,
    interrupted: Arc<AtomicBool>,
}

impl Medic {
    /// Starts it in a process group of its own: Ctrl-C is for whoever started it, who then stops it in order.
    /// Once `interrupted` is set, nothing is waited for any more.
    pub(crate) fn start(config: &Path, address: &str, interrupted: &Arc<AtomicBool>) -> Result<Self> {
        let log = config.with_extension("log");
        let mut command = Command::new(target().join("debug/medic"));
        command.args(["serve", "--config"]).arg(config).stdin(Stdio::null());
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?).process_group(0);
        let child = command.spawn().context("cannot start target/debug/medic")?;
        let mut medic = Self {
            child,
            address: address.to_owned(),
            log,
            started: Stopwatch::start(),
            interrupted: Arc::clone(interrupted),
        };
        medic.wait_until(Duration::from_secs(30), "the dashboard answers", |medic| {
            medic.api("/api/v1/apps").is_ok().then_some(())
        })?;
        Ok(medic)
    }

    /// Since its start.
    pub(crate) fn running_for(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its log file.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Asks the API.
    pub(crate) fn api(&self, path: &str) -> Result<Value> {
        let answer = http::get(&self.address, path, None)?;
        if answer.status != 200 {
            bail!("GET {path} answered {}: {}", answer.status, answer.body);
        }
        serde_json::from_str(&answer.body).with_context(|| format!("GET {path} answered no JSON"))
    }

    /// Asks `probe` again and again until it has something.
    pub(crate) fn wait_until<T>(
        &mut self,
        patience: Duration,
        what: &str,
        mut probe: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T> {
        let waiting = Stopwatch::start();
        loop {
            if let Some(found) = probe(self) {
                return Ok(found);
            }
            if self.interrupted.load(Ordering::SeqCst) {
                bail!("interrupted");
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("medic ended ({status}) before {what}. Its last words:\n{}", self.last_words());
            }
            if waiting.elapsed() > patience {
                let seconds = patience.as_secs();
                bail!("waited {seconds} s until {what}, in vain. Its last words:\n{}", self.last_words());
            }
            sleep(STEP);
        }
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// Asks it to stop everything, asks again when that takes long, and kills it last.
    pub(crate) fn stop(&mut self) -> Result<()> {
        for _ in 0..2 {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            // The shell's own `kill`: the program of that name is not installed everywhere.
            let pid = self.child.id();
            Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status()?;
            let waiting = Stopwatch::start();
            while waiting.elapsed() < STOP_PATIENCE && self.child.try_wait()?.is_none() {
                sleep(STEP);
            }
        }
        if self.child.try_wait()?.is_none() {
            self.child.kill()?;
            self.child.wait()?;
            bail!("medic did not stop when it was asked to, and was killed; its log: {}", self.log.display());
        }
        Ok(())
    }
}

impl Drop for Medic {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("xtask: {error:#}");
        }
    }
}
