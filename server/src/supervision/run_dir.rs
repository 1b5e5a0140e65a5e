//! The folders that shims live in, and that a new Medic finds them by: one per running worker,
//! `run/<app>/<instance>-<start in ms>` in the data folder. While that takes no new folder, being full or read-only, workers are
//! started all the same: theirs are in memory, below a folder of this data folder's own.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use model::{AppName, NodeName, Timestamp, WorkerId};
use sha2::{Digest, Sha256};
use shim::LocalWorker;

/// The folders of all workers' run folders.
#[derive(Clone, Debug)]
pub(super) struct RunDirs {
    node: NodeName,
    /// In the data folder.
    first: PathBuf,
    /// In memory; the first that can be had is used.
    others: Vec<PathBuf>,
}

impl RunDirs {
    /// Those of a data folder, on this machine.
    pub(super) fn of(data_dir: &Path, node: &NodeName) -> Self {
        let user = shim::own_user();
        let name = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        let digest = hex::encode(Sha256::digest(name.as_os_str().as_encoded_bytes()));
        let name = format!("medic-{user}-{}", digest.get(..16).unwrap_or_default());
        let parents = [format!("/run/user/{user}"), "/run".to_owned(), "/dev/shm".to_owned()];
        let others = parents.iter().map(|parent| Path::new(parent).join(&name)).collect();
        Self { node: node.clone(), first: data_dir.join("run"), others }
    }

    /// Where a worker's is made.
    pub(super) fn for_new(&self, worker: &WorkerId) -> PathBuf {
        self.first.join(name(worker))
    }

    /// Where it is made instead, when it cannot be made there. In a folder that others may write to, another user's could wait.
    pub(super) fn instead(&self, worker: &WorkerId) -> Option<PathBuf> {
        self.others.iter().find(|root| is_private(root)).map(|root| root.join(name(worker)))
    }

    /// Leaves nothing in memory that nobody uses any more.
    pub(super) fn tidy(&self) {
        for root in self.others.iter().filter(|root| is_ours(root)) {
            for app in folders(root).unwrap_or_default() {
                let _still_used = std::fs::remove_dir(root.join(app));
            }
            let _still_used = std::fs::remove_dir(root);
        }
    }

    /// Every worker that has a run folder, sorted, with its folder. What is not named like one, or is no folder, is left alone.
    pub(super) fn workers(&self) -> io::Result<Vec<(WorkerId, PathBuf)>> {
        let mut found = Vec::new();
        let others = self.others.iter().filter(|root| is_ours(root));
        for root in std::iter::once(&self.first).chain(others) {
            for app in folders(root)? {
                let Ok(app_name) = app.parse::<AppName>() else { continue };
                for folder in folders(&root.join(&app))? {
                    let Some((instance, ms)) = folder.split_once('-') else { continue };
                    let (Ok(instance), Ok(ms)) = (instance.parse(), ms.parse()) else { continue };
                    let started_at = Timestamp::from_ms(ms);
                    let local = LocalWorker { app: app_name.clone(), instance, started_at };
                    let worker = local.on(self.node.clone());
                    let folder = root.join(name(&worker));
                    found.push((worker, folder));
                }
            }
        }
        found.sort();
        found.dedup_by(|one, other| one.0 == other.0);
        Ok(found)
    }
}

/// Removes the app's folder that a run folder was in, if it is empty now and the run folder is gone.
pub(super) fn leave(run_dir: &Path) {
    if let Some(app) = run_dir.parent() {
        let _still_used = std::fs::remove_dir(app);
    }
}

fn name(worker: &WorkerId) -> PathBuf {
    let LocalWorker { app, instance, started_at } = worker.into();
    Path::new(app.as_str()).join(format!("{instance}-{}", started_at.as_ms()))
}

/// It is a folder that only this user can look into, or has just become one.
fn is_private(root: &Path) -> bool {
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(root)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return false;
    }
    is_ours(root)
}

/// It is a folder, and no link to one, that only this user can look into.
fn is_ours(root: &Path) -> bool {
    let is_ours = |folder: std::fs::Metadata| {
        folder.is_dir() && folder.uid() == shim::own_user() && folder.mode() & 0o777 == 0o700
    };
    std::fs::symlink_metadata(root).is_ok_and(is_ours)
}

/// The names of the folders in it.
fn folders(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_in(folder: &Path) -> RunDirs {
        RunDirs {
            node: "node-a".parse().unwrap(),
            first: folder.join("run"),
            others: vec![folder.join("memory")],
        }
    }

    #[test]
    fn finds_what_it_named_and_leaves_the_rest_alone() {
        let data_dir = tempfile::tempdir().unwrap();
        let dirs = only_in(data_dir.path());
        assert_eq!(dirs.workers().unwrap(), []);
        let [first, second] =
            ["node-a/shop/1/1769847300000", "node-a/shop/0/1769847300001"].map(|id| id.parse().unwrap());
        let (one, other) = (dirs.for_new(&first), dirs.instead(&second).unwrap());
        for folder in [&one, &other] {
            std::fs::create_dir_all(folder).unwrap();
        }
        let run = data_dir.path().join("run");
        for folder in ["Not An App/x-y", "shop/lost+found"] {
            std::fs::create_dir_all(run.join(folder)).unwrap();
        }
        for file in ["plain", "shop/0-17"] {
            std::fs::write(run.join(file), "").unwrap();
        }
        std::os::unix::fs::symlink(&one, run.join("shop/0-18")).unwrap();
        assert_eq!(dirs.workers().unwrap(), [(second, other), (first, one)]);
    }

    #[test]
    fn what_is_empty_in_memory_goes_and_what_is_used_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (dirs, memory) = (only_in(folder.path()), folder.path().join("memory"));
        let run_dir = dirs.instead(&"node-a/shop/1/1769847300000".parse().unwrap()).unwrap();
        std::fs::create_dir_all(&run_dir).unwrap();
        dirs.tidy();
        assert!(run_dir.exists());
        std::fs::remove_dir(&run_dir).unwrap();
        dirs.tidy();
        assert!(!memory.exists());
        // through another's link nothing is removed
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir_all(elsewhere.join("shop")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &memory).unwrap();
        dirs.tidy();
        assert!(elsewhere.join("shop").exists());
    }

    #[test]
    fn a_folder_that_others_could_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (dirs, memory) = (only_in(folder.path()), folder.path().join("memory"));
        let worker: WorkerId = "node-a/shop/1/1769847300000".parse().unwrap();
        assert!(dirs.instead(&worker).is_some_and(|folder| folder.starts_with(&memory)));
        std::fs::set_permissions(&memory, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(dirs.instead(&worker), None);
        std::fs::remove_dir(&memory).unwrap();
        std::os::unix::fs::symlink("/tmp", &memory).unwrap();
        assert_eq!(dirs.instead(&worker), None);
        std::fs::remove_file(&memory).unwrap();
        std::fs::write(&memory, "").unwrap();
        assert_eq!(dirs.instead(&worker), None);
    }
}
