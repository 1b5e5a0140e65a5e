//! What the kernel knows of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// What it has in memory now.
pub(crate) fn memory_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most that it has had since [`forget_most`].
pub(crate) fn most_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmHWM:")
}

pub(crate) fn forget_most(pid: u32) -> Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// What it has used, by itself and for system calls, in steps of 10 ms.
pub(crate) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("a process has a name")?;
    let ticks = |field: usize| -> Result<u64> {
        Ok(fields.split(' ').nth(field - 3).context("/proc/PID/stat is short")?.parse()?)
    };
    Ok(Duration::from_millis(10 * (ticks(14)? + ticks(15)?)))
}

fn status_bytes(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context(name.to_owned())?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib << 10)
}
