//! Finds the shims that outlived the last Medic, and links with all of them at once: one that hangs keeps nobody waiting.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use engine::fleet::Input;
use model::WorkerId;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::connected::Connected;
use super::launcher::Launcher;
use super::link::{Link, Origin};
use super::run_dir::{self, RunDirs};
use crate::doors::Doors;

/// Between two tries to list them.
const PAUSE: Duration = Duration::from_millis(200);

/// What finding them takes.
pub(super) struct Finder {
    pub(super) run_dirs: RunDirs,
    pub(super) launcher: Arc<Launcher>,
    pub(super) front_doors: Doors,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) connected: Connected,
    pub(super) links: TaskTracker,
}

impl Finder {
    /// The workers that have a run folder, and are linked with from now on.
    pub(super) fn find(&self) -> io::Result<Vec<WorkerId>> {
        self.run_dirs.tidy();
        let found = self.run_dirs.workers()?;
        let mut workers = Vec::new();
        for (worker, run_dir) in found {
            // This Medic's own.
            let Some(requests) = self.connected.add(&worker) else { continue };
            workers.push(worker.clone());
            let app = &worker.place.app;
            let link = Link {
                origin: Origin::Found,
                run_dir,
                front_door: self.front_doors.get(app),
                warm_up_check: self.launcher.warm_up_check(app),
                watched: self.launcher.watched(app),
                inbox: self.inbox.clone(),
                connected: self.connected.clone(),
                requests,
                group: self.launcher.group_of(&worker),
                worker,
            };
            self.links.spawn(follow(link, Arc::clone(&self.launcher)));
        }
        Ok(workers)
    }

    /// Tries until they can be listed.
    pub(super) async fn find_later(self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            if let Ok(workers) = self.find() {
                let _ended = self.inbox.send(Input::Returning { workers: Some(workers) }).await;
                return;
            }
        }
    }
}

/// Goes on until the shim is gone. The last of an app that is not configured any more leaves no folder behind.
pub(super) async fn follow(link: Link, launcher: Arc<Launcher>) {
    let (app, run_dir) = (link.worker.place.app.clone(), link.run_dir.clone());
    link.run().await;
    if launcher.apps().get(&app).is_none() {
        run_dir::leave(&run_dir);
    }
}
