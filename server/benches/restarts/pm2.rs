//! PM2 in cluster mode, in a home of its own; `pm2 reload` replaces all workers, one after another.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::clock::wait_for;
use crate::host::{Host, app_file, free_address, wait_until_replaced};
use crate::journal::Journal;

const PACKAGE: &str = "pm2@7.0.4";

/// A PM2 daemon with the app.
pub(crate) struct Pm2 {
    program: PathBuf,
    home: TempDir,
    address: SocketAddr,
    journal: Journal,
}

/// The program, installed below `tools` where it is not yet.
pub(crate) fn install(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join(PACKAGE);
    let program = folder.join("node_modules/.bin/pm2");
    if !program.exists() {
        std::fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&folder).arg(PACKAGE);
        ensure!(npm.stdin(Stdio::null()).status().context("npm is missing")?.success(), "npm install failed");
    }
    Ok(program)
}

impl Pm2 {
    /// Waits until all workers listen.
    pub(crate) fn start(program: &Path, workers: usize) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let journal = Journal::create(home.path())?;
        let address = free_address()?;
        let config = home.path().join("ecosystem.json");
        let app = json!({
            "name": "bench", "script": app_file("app.js"), "exec_mode": "cluster", "instances": workers,
            "env": { "PORT": address.port(), "BENCH_JOURNAL": journal.path() },
            // As Medic's back-off: not what is measured.
            "max_restarts": 1_000_000,
        });
        std::fs::write(&config, json!({ "apps": [app] }).to_string())?;
        let pm2 = Self { program: program.to_owned(), home, address, journal };
        pm2.run(&["start", &config.to_string_lossy()])?;
        wait_for("pm2's workers", || Ok((pm2.workers()?.len() == workers).then_some(())))?;
        Ok(pm2)
    }

    fn run(&self, arguments: &[&str]) -> Result<()> {
        let mut pm2 = Command::new(&self.program);
        pm2.args(arguments).env("PM2_HOME", self.home.path()).env("PM2_DISABLE_VERSION_CHECK", "true");
        let output = pm2.stdin(Stdio::null()).output().context("cannot start pm2")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "pm2 {} failed: {said}", arguments.join(" "));
        Ok(())
    }
}

impl Host for Pm2 {
    fn name(&self) -> &'static str {
        "pm2 cluster"
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn workers(&self) -> Result<Vec<u32>> {
        self.journal.workers()
    }

    fn journal(&self) -> &Journal {
        &self.journal
    }

    fn replace(&mut self) -> Result<usize> {
        let before = self.workers()?;
        self.run(&["reload", "bench"])?;
        wait_until_replaced(self, &before)?;
        Ok(before.len())
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["kill"]) {
            eprintln!("{error:#}");
        }
    }
}
