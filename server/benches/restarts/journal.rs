//! What the apps write down themselves: which workers are ready, and which POSTs arrived.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// A file that every worker appends lines to, `ready {pid}` and `post {name}`.
#[derive(Clone)]
pub(crate) struct Journal(PathBuf);

impl Journal {
    pub(crate) fn create(folder: &Path) -> Result<Self> {
        let path = folder.join("journal");
        fs::write(&path, "")?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The workers that listen and live, the oldest first.
    pub(crate) fn workers(&self) -> Result<Vec<u32>> {
        let text = fs::read_to_string(&self.0)?;
        let pids = text.lines().filter_map(|line| line.strip_prefix("ready ")?.parse().ok());
        Ok(pids.filter(|pid| is_alive(*pid)).collect())
    }

    /// How often each POST arrived.
    pub(crate) fn posts(&self) -> Result<BTreeMap<String, u64>> {
        let mut posts = BTreeMap::new();
        for name in fs::read_to_string(&self.0)?.lines().filter_map(|line| line.strip_prefix("post ")) {
            *posts.entry(name.to_owned()).or_default() += 1;
        }
        Ok(posts)
    }
}

/// It exists and is no zombie.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Sends a signal, such as `KILL`; a process that is gone already is nothing to complain about.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &pid.to_string()]).stderr(Stdio::null());
    kill.status().context("cannot start `kill`: install procps")?;
    Ok(())
}
