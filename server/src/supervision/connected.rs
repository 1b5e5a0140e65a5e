//! The workers whose shims are connected: what the loop wishes of one is sent through here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use engine::WorkerId;
use engine::fleet::Input;
use shim::protocol::ToShim;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::link::Link;

/// A worker whose shim is connected.
pub(super) struct Worker {
    pub(super) pid: u32,
    pub(super) port: u16,
    /// What it was started from.
    pub(super) spec_hash: String,
    wishes: mpsc::UnboundedSender<ToShim>,
    /// What goes on for it as long as it is connected, such as the probe of its port.
    tasks: Vec<AbortHandle>,
}

/// All of them; clones share it.
#[derive(Clone, Default)]
pub(super) struct Connected(Arc<Mutex<BTreeMap<WorkerId, Worker>>>);

impl Connected {
    /// From now on the loop's wishes for the worker wait for its link.
    pub(super) fn add(&self, worker: &WorkerId, link: &Link, inbox: &mpsc::Sender<Input>) -> Talk {
        let (wishes, receiver) = mpsc::unbounded_channel();
        let (pid, port, spec_hash) = (link.pid, link.port, link.spec_hash.clone());
        self.lock().insert(worker.clone(), Worker { pid, port, spec_hash, wishes, tasks: Vec::new() });
        Talk { worker: worker.clone(), wishes: receiver, inbox: inbox.clone(), connected: self.clone() }
    }

    /// A worker without a connection has no shim any more, and its loss is on its way to the inbox.
    pub(super) fn wish(&self, worker: &WorkerId, wish: ToShim) {
        if let Some(worker) = self.lock().get(worker) {
            let _gone = worker.wishes.send(wish);
        }
    }

    /// Nothing more is wished of the worker, and nothing goes on for it.
    pub(super) fn remove(&self, worker: &WorkerId) {
        for task in self.lock().remove(worker).into_iter().flat_map(|worker| worker.tasks) {
            task.abort();
        }
    }

    /// What is known of the worker.
    pub(super) fn of<T>(&self, worker: &WorkerId, look: impl FnOnce(&Worker) -> T) -> Option<T> {
        self.lock().get(worker).map(look)
    }

    /// Every worker that fits.
    pub(super) fn all(&self, fits: impl Fn(&WorkerId, &Worker) -> bool) -> Vec<WorkerId> {
        self.lock().iter().filter(|(id, worker)| fits(id, worker)).map(|(id, _)| id.clone()).collect()
    }

    /// Works on for the worker until it is gone.
    pub(super) fn work(&self, worker: &WorkerId, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(worker) = self.lock().get_mut(worker) {
            worker.tasks.retain(|task| !task.is_finished());
            worker.tasks.push(tokio::spawn(task).abort_handle());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Worker>> {
        self.0.lock().expect("nothing panics while it holds the map")
    }
}

/// What a link needs to begin.
pub(super) struct Talk {
    worker: WorkerId,
    wishes: mpsc::UnboundedReceiver<ToShim>,
    inbox: mpsc::Sender<Input>,
    connected: Connected,
}

impl Talk {
    /// Ends with the connection.
    pub(super) async fn run_with(self, link: Link) {
        link.run(self.wishes, self.inbox).await;
        self.connected.remove(&self.worker);
    }
}
