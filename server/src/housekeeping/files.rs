//! Keeps every file that Medic writes within its bounds, whether there is a database or not: log files and crash messages by age and
//! by quota (`engine::storage` decides), databases that were put aside and what interrupted restores left (`store::tidy`), and
//! empty folders of apps that are gone. What will be too much soon is said before it is, and so is a disk that is nearly full.
//!
//! Files are looked at every ten minutes and when the configuration has changed, the disk every minute. One that cannot be deleted
//! keeps no other one from it; that is said once.

mod folders;
mod kept_from;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::retention::{Kept, keep_from};
use engine::storage::{self, LogBounds, LogFile, LogWriter};
use insight::words::bytes;
use model::status::{DiskSpace, NearQuota, NearlyFullDisk, StorageHealth, Undeleted};
use model::{AppName, Clock, Timestamp};
use shim::LocalWorker;
use tokio::sync::watch;
use tokio::task::JoinError;

use crate::config::{Config, Line};
use crate::health::Health;
use crate::{panics, supervision};
use folders::{DataFolder, Found};
use kept_from::KeptFrom;

/// How often files are looked at, in looks at the disk.
const LOOKS_PER_PASS: u32 = 10;
/// How often the disk is.
const LOOK: Duration = Duration::from_mins(1);
/// An action's output that was not written to for this long is not written any more: it may take 10 minutes.
const SETTLED: Duration = Duration::from_mins(15);

/// What files are kept to, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBounds {
    retention: Duration,
    quota_bytes: u64,
    /// The apps that there are, and what the log files of each may take.
    apps: BTreeMap<AppName, u64>,
}

impl FileBounds {
    /// Those of a configuration.
    pub fn of(config: &Config) -> Self {
        let apps = config.apps.iter().map(|app| (app.name.clone(), app.logs.quota_bytes)).collect();
        Self { retention: config.log_retention, quota_bytes: config.log_quota_bytes, apps }
    }
}

/// The keeper of the files.
pub struct Files {
    pub data_dir: PathBuf,
    pub clock: Arc<dyn Clock>,
    /// What holds now.
    pub bounds: watch::Receiver<FileBounds>,
    /// Where it is said what needs a look.
    pub health: Health,
    /// Where it is said how much there is, for the settings page.
    pub note: Box<dyn Fn(Line) + Send + Sync>,
}

/// What one pass found and could not do.
#[derive(Debug, Default)]
struct Passed {
    /// What is left takes so much.
    used: BTreeMap<AppName, u64>,
    failed: Vec<(PathBuf, io::Error)>,
}

impl Files {
    /// Works until `shut_down` turns true.
    pub async fn run(self, shut_down: watch::Receiver<bool>) {
        let keeper = Arc::new(self);
        panics::outlive("the keeper of files", || Arc::clone(&keeper).keep(shut_down.clone())).await;
    }

    async fn keep(self: Arc<Self>, mut shut_down: watch::Receiver<bool>) {
        let mut bounds = self.bounds.clone();
        let mut kept = KeptFrom::default();
        loop {
            let now = bounds.borrow_and_update().clone();
            let keeper = Arc::clone(&self);
            let (next, passed) = beside(move || keeper.pass(&now, kept)).await;
            kept = next;
            (self.note)(line(&passed, &bounds.borrow()));
            for _ in 0..LOOKS_PER_PASS {
                let keeper = Arc::clone(&self);
                let disk = beside(move || folders::space(&keeper.data_dir)).await;
                self.say(&bounds.borrow().clone(), &passed, disk);
                tokio::select! {
                    _ = shut_down.wait_for(|stop| *stop) => return,
                    changed = bounds.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Looks at all files and deletes what is to go.
    fn pass(&self, bounds: &FileBounds, mut kept: KeptFrom) -> (KeptFrom, Passed) {
        let mut passed = Passed::default();
        let folder = match DataFolder::open(&self.data_dir) {
            Ok(folder) => folder,
            Err(error) => {
                passed.failed.push((self.data_dir.clone(), error));
                return (kept, passed);
            }
        };
        let mut found = folder.logs(&mut passed.failed);
        // after the files: whoever wrote one of them and lives is among them
        let living = match supervision::workers(&self.data_dir) {
            Ok(living) => living,
            Err(error) => {
                passed.failed.push((self.data_dir.join("run"), error));
                passed.used = used(&found);
                return (kept, passed);
            }
        };
        let now = self.clock.wall();
        let oldest = found.iter().map(|found| found.file.written_at).min();
        let from = kept.advance(&self.data_dir, self.clock.monotonic(), |from, ran| {
            keep_from(now, bounds.retention, ran, Kept { from, oldest })
        });
        delete_expendable(&folder, &mut found, &living, bounds, (now, from), &mut passed.failed);
        let has_worker: BTreeSet<&AppName> = living.iter().map(|worker| &worker.app).collect();
        folder.remove_empty(|app| !bounds.apps.contains_key(app) && !has_worker.contains(app));
        let store::Tidied { deleted, failed } = store::tidy(&self.data_dir, from);
        for path in deleted {
            tracing::info!(
                "deleted {}: put aside earlier, or left by an interrupted backup or restore",
                path.display()
            );
        }
        passed.failed.extend(failed);
        passed.used = used(&found);
        (kept, passed)
    }

    /// Tells Medic's health, and the log what is new in it.
    fn say(&self, bounds: &FileBounds, passed: &Passed, disk: io::Result<DiskSpace>) {
        let now = self.clock.wall();
        let near = |app: Option<&AppName>, used_bytes, quota_bytes| {
            let quota = NearQuota { app: app.cloned(), since: now, used_bytes, quota_bytes };
            storage::is_near(used_bytes, quota_bytes).then_some(quota)
        };
        let of_app = |(app, quota): (&AppName, &u64)| {
            near(Some(app), passed.used.get(app).copied().unwrap_or_default(), *quota)
        };
        let of_all = near(None, passed.used.values().sum(), bounds.quota_bytes);
        // what cannot be asked is not known to be full
        let disk = disk.ok().filter(storage::is_nearly_full).map(|space| NearlyFullDisk {
            since: now,
            is_out_of_inodes: storage::is_out_of_inodes(&space),
            space,
            folder: self.data_dir.display().to_string(),
        });
        let undeleted = passed.failed.first().map(|(path, error)| Undeleted {
            since: now,
            path: path.display().to_string(),
            reason: error.to_string(),
        });
        let near_quotas = of_all.into_iter().chain(bounds.apps.iter().filter_map(of_app)).collect();
        self.health.storage(StorageHealth { near_quotas, disk, undeleted });
    }
}

fn line(passed: &Passed, bounds: &FileBounds) -> Line {
    let value = format!("{} of {}", bytes(passed.used.values().sum()), bytes(bounds.quota_bytes));
    Line { app: None, key: "log files".to_owned(), value, source: "this machine".to_owned(), hint: None }
}

/// On a thread that may wait for the disk.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await.map_err(JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // the runtime ends, and whoever waits here with it
        Err(Err(_)) => std::future::pending().await,
    }
}

fn used(found: &[Found]) -> BTreeMap<AppName, u64> {
    let mut used = BTreeMap::new();
    for Found { file, .. } in found {
        *used.entry(file.app.clone()).or_default() += file.bytes;
    }
    used
}

/// Deletes what is to go, a file at a time; `found` is what is left.
fn delete_expendable(
    folder: &DataFolder,
    found: &mut Vec<Found>,
    living: &[LocalWorker],
    bounds: &FileBounds,
    (now, keep_from): (Timestamp, Timestamp),
    failed: &mut Vec<(PathBuf, io::Error)>,
) {
    let files: Vec<LogFile> = found.iter().map(|found| found.file.clone()).collect();
    let living: BTreeSet<LogWriter> =
        living.iter().map(|worker| (worker.app.clone(), worker.instance, worker.started_at)).collect();
    let bounds = LogBounds {
        keep_from,
        settled_until: now - SETTLED,
        quota_bytes: bounds.quota_bytes,
        app_quotas: bounds.apps.clone(),
    };
    let mut gone = BTreeSet::new();
    for file in storage::expendable(&files, &living, &bounds) {
        match folder.delete(&found[file]) {
            Ok(()) => _ = gone.insert(file),
            Err(error) => failed.push((folder.path_of(&found[file]), error)),
        }
    }
    if !gone.is_empty() {
        tracing::info!(files = gone.len(), "log files deleted: past the retention, or beyond a quota");
    }
    let mut index = 0;
    found.retain(|_| {
        index += 1;
        !gone.contains(&(index - 1))
    });
}

#[cfg(test)]
mod tests;
