//! `run/` in the data folder: one folder per running worker, `run/<app>/<instance>-<start in ms>`, that its shim lives in and
//! that a new Medic finds it by.

use std::io;
use std::path::{Path, PathBuf};

use engine::{AppName, InstanceKey, Timestamp, WorkerId};

/// The folder of all workers' run folders.
pub(super) fn root(data_dir: &Path) -> PathBuf {
    data_dir.join("run")
}

/// The worker's own.
pub(super) fn of(data_dir: &Path, worker: &WorkerId) -> PathBuf {
    let instance = &worker.instance;
    root(data_dir).join(instance.app.as_str()).join(format!(
        "{}-{}",
        instance.index,
        worker.started_at.as_ms()
    ))
}

/// Every worker that has a run folder, sorted; what is not named like one is left alone.
pub(super) fn workers(data_dir: &Path) -> io::Result<Vec<WorkerId>> {
    let mut workers = Vec::new();
    for app in entries(&root(data_dir))? {
        let Ok(name) = app.parse::<AppName>() else { continue };
        for folder in entries(&root(data_dir).join(&app))? {
            let Some((index, ms)) = folder.split_once('-') else { continue };
            let (Ok(index), Ok(ms)) = (index.parse(), ms.parse()) else { continue };
            let instance = InstanceKey { app: name.clone(), index };
            workers.push(WorkerId { instance, started_at: Timestamp::from_ms(ms) });
        }
    }
    workers.sort();
    Ok(workers)
}

fn entries(folder: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_it_named_and_leaves_the_rest_alone() {
        let data_dir = tempfile::tempdir().unwrap();
        assert_eq!(workers(data_dir.path()).unwrap(), []);
        let worker: WorkerId = "shop/1/1769847300000".parse().unwrap();
        std::fs::create_dir_all(of(data_dir.path(), &worker)).unwrap();
        std::fs::create_dir_all(root(data_dir.path()).join("Not An App/x-y")).unwrap();
        std::fs::create_dir_all(root(data_dir.path()).join("shop/lost+found")).unwrap();
        assert_eq!(workers(data_dir.path()).unwrap(), [worker]);
    }
}
