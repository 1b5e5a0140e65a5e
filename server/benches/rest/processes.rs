//! The processes below a server, and what each has in memory.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

/// What Medic's processes have; the workers are not among them.
#[derive(Default)]
pub(crate) struct Parts {
    server: Part,
    fork_server: Part,
    /// Each with its reaper.
    shims: Part,
}

#[derive(Default)]
struct Part {
    processes: usize,
    bytes: u64,
}

impl Part {
    fn add(&mut self, pid: u32) -> Result<()> {
        self.processes += 1;
        self.bytes += share_bytes(pid)?;
        Ok(())
    }
}

impl Parts {
    pub(crate) fn of(server: u32) -> Result<Self> {
        let mut parts = Self::default();
        parts.server.add(server)?;
        let children = children();
        let mut below: Vec<u32> = children.get(&server).cloned().unwrap_or_default();
        while let Some(pid) = below.pop() {
            let words = words(pid)?;
            match words.get(1).map(String::as_str) {
                Some("fork-server") => parts.fork_server.add(pid)?,
                Some("reaper" | "shim") => parts.shims.add(pid)?,
                // a worker, and what it has started
                _ => continue,
            }
            below.extend(children.get(&pid).into_iter().flatten());
        }
        Ok(parts)
    }

    /// Each with its name, its number of processes and its bytes.
    pub(crate) fn rows(&self) -> [(&'static str, usize, u64); 3] {
        let row = |name, part: &Part| (name, part.processes, part.bytes);
        [
            row("server", &self.server),
            row("fork server", &self.fork_server),
            row("shims and their reapers", &self.shims),
        ]
    }

    pub(crate) fn all(&self) -> u64 {
        self.rows().into_iter().map(|(_, _, bytes)| bytes).sum()
    }
}

fn words(pid: u32) -> Result<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline"))?;
    Ok(String::from_utf8_lossy(&line).split(['\0', ' ']).map(str::to_owned).collect())
}

fn children() -> BTreeMap<u32, Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
        if let Some(Ok(parent)) = fields.split(' ').nth(1).map(str::parse) {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}

fn share_bytes(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("smaps_rollup has no Pss")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
