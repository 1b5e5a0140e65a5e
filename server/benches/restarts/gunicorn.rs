//! gunicorn with threads, so that it keeps connections; HUP replaces all workers at once.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::clock::wait_for;
use crate::host::{Host, app_file, free_address, wait_until_replaced};
use crate::journal::{Journal, signal};

const PACKAGE: &str = "gunicorn==27.0.1";

/// A gunicorn master with the app.
pub(crate) struct Gunicorn {
    _folder: TempDir,
    master: Child,
    address: SocketAddr,
    journal: Journal,
}

/// The program, installed below `tools` where it is not yet.
pub(crate) fn install(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join(PACKAGE);
    let program = folder.join("bin/gunicorn");
    if !program.exists() {
        std::fs::create_dir_all(tools)?;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        ensure!(venv.stdin(Stdio::null()).status().context("Python is missing")?.success(), "no venv");
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]);
        ensure!(pip.stdin(Stdio::null()).status()?.success(), "pip install failed");
    }
    Ok(program)
}

impl Gunicorn {
    /// Waits until all workers are ready.
    pub(crate) fn start(program: &Path, workers: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let journal = Journal::create(folder.path())?;
        let address = free_address()?;
        let master = Command::new(program)
            .args(["--workers", &workers.to_string(), "--bind", &address.to_string(), "--config"])
            .arg(app_file("gunicorn.conf.py"))
            .arg("app:application")
            .env("PYTHONPATH", app_file(""))
            .env("BENCH_JOURNAL", journal.path())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start gunicorn")?;
        let mut gunicorn = Self { _folder: folder, master, address, journal };
        wait_for("gunicorn's workers", || {
            ensure!(gunicorn.master.try_wait()?.is_none(), "gunicorn ended");
            Ok((gunicorn.workers()?.len() == workers).then_some(()))
        })?;
        Ok(gunicorn)
    }
}

impl Host for Gunicorn {
    fn name(&self) -> &'static str {
        "gunicorn"
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
        signal(self.master.id(), "HUP")?;
        wait_until_replaced(self, &before)?;
        Ok(before.len())
    }
}

impl Drop for Gunicorn {
    fn drop(&mut self) {
        let _gone_already = signal(self.master.id(), "TERM");
        let _ended = self.master.wait();
    }
}
