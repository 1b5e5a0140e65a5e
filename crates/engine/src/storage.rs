//! What Medic's log files may take of the disk, and which of them go: those that are past the retention, then the oldest where there
//! are more than a quota allows. And when a quota or the disk itself is nearly used up, which is said before it is.
//!
//! A worker's newest file stays, since it is written to; the worker's shim begins another one in time. Files of apps and instances
//! that are gone are files like others: they wait for the retention, and go first where they are the oldest.

use std::collections::{BTreeMap, BTreeSet};

use model::status::DiskSpace;
use model::{AppName, Timestamp};

/// From this share of a quota on it is said that it is nearly used up.
const NEAR_PERCENT: u64 = 80;
/// A disk with less than this is nearly full, unless it is a small one. Ours: what a few talkative apps write until somebody comes.
const FREE_BYTES: u64 = 1 << 30;
/// The same of inodes.
const FREE_INODES: u64 = 10_000;
/// A small disk is nearly full when less than this part of it is free.
const SMALL_DISK_PART: u64 = 10;

/// A worker by its app, its instance and its start.
pub type LogWriter = (AppName, u16, Timestamp);

/// One file of an app's log folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    pub app: AppName,
    pub kind: LogKind,
    /// When it was last written to.
    pub written_at: Timestamp,
    pub bytes: u64,
}

/// What it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// A worker's output; of one worker, the greatest number is the newest file.
    Output { instance: u16, started_at: Timestamp, number: u32 },
    /// What a custom action printed.
    Action,
    /// The message of a crash, which is nowhere else.
    CrashMessage,
}

/// What may stay.
#[derive(Clone, Debug)]
pub struct LogBounds {
    /// What was last written before this goes.
    pub keep_from: Timestamp,
    /// What was written after this may still be written; a worker's output is known better.
    pub settled_until: Timestamp,
    /// What all may take.
    pub quota_bytes: u64,
    /// What the files of one app may take. One that is not configured any more has none.
    pub app_quotas: BTreeMap<AppName, u64>,
}

/// Which of the files go, in the order in which they are to be deleted. Afterwards each quota is kept, or nothing but what is
/// written just now is left under it.
pub fn expendable(files: &[LogFile], living: &BTreeSet<LogWriter>, bounds: &LogBounds) -> Vec<usize> {
    let held = held(files, living, bounds);
    let mut order: Vec<usize> = (0..files.len()).filter(|file| !held.contains(file)).collect();
    order.sort_by_key(|file| (rank(files[*file].kind), files[*file].written_at, *file));
    let (mut gone, order): (Vec<usize>, Vec<usize>) =
        order.into_iter().partition(|file| files[*file].written_at < bounds.keep_from);
    let mut left: BTreeSet<usize> = (0..files.len()).collect();
    for file in &gone {
        left.remove(file);
    }
    let quotas = bounds.app_quotas.iter().map(|(app, quota)| (Some(app), *quota));
    for (app, quota) in quotas.chain([(None, bounds.quota_bytes)]) {
        let counts = |file: usize| app.is_none_or(|app| files[file].app == *app);
        let mut used: u64 = left.iter().filter(|file| counts(**file)).map(|file| files[*file].bytes).sum();
        for file in order.iter().copied().filter(|file| counts(*file)) {
            if used <= quota {
                break;
            }
            if left.remove(&file) {
                used -= files[file].bytes;
                gone.push(file);
            }
        }
    }
    gone
}

/// What is written just now.
fn held(files: &[LogFile], living: &BTreeSet<LogWriter>, bounds: &LogBounds) -> BTreeSet<usize> {
    let mut newest: BTreeMap<LogWriter, (u32, usize)> = BTreeMap::new();
    let mut held = BTreeSet::new();
    for (index, file) in files.iter().enumerate() {
        match file.kind {
            LogKind::Output { instance, started_at, number } => {
                let writer = (file.app.clone(), instance, started_at);
                if living.contains(&writer) {
                    let newest = newest.entry(writer).or_insert((number, index));
                    *newest = (*newest).max((number, index));
                }
            }
            LogKind::Action | LogKind::CrashMessage if file.written_at > bounds.settled_until => {
                held.insert(index);
            }
            LogKind::Action | LogKind::CrashMessage => {}
        }
    }
    held.extend(newest.into_values().map(|(_, index)| index));
    held
}

/// What can be done without the easiest goes first.
const fn rank(kind: LogKind) -> u8 {
    match kind {
        LogKind::Output { .. } => 0,
        LogKind::Action => 1,
        LogKind::CrashMessage => 2,
    }
}

/// Is it time to say that a quota is nearly used up?
pub fn is_near(used_bytes: u64, quota_bytes: u64) -> bool {
    u128::from(used_bytes) * 100 >= u128::from(quota_bytes) * u128::from(NEAR_PERCENT)
}

/// Is it time to say that the disk is nearly full?
pub const fn is_nearly_full(disk: &DiskSpace) -> bool {
    is_scarce(disk.free_bytes, disk.total_bytes, FREE_BYTES) || is_out_of_inodes(disk)
}

/// Is it for want of inodes? Some file systems have no number of them.
pub const fn is_out_of_inodes(disk: &DiskSpace) -> bool {
    is_scarce(disk.free_inodes, disk.total_inodes, FREE_INODES)
}

const fn is_scarce(free: u64, total: u64, least: u64) -> bool {
    let of_small = total / SMALL_DISK_PART;
    total > 0 && free < (if of_small < least { of_small } else { least })
}

#[cfg(test)]
mod tests;
