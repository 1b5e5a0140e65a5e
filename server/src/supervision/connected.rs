//! The workers that have a shim, from the moment it is started or found: what the loop asks of one is sent through here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use model::WorkerId;
use shim::WorkerTree;
use shim::protocol::ToShim;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// What its shim said of a worker.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Its process.
    pub(super) pid: u32,
    /// Where it is reached: at the loopback address, as long as it was not found elsewhere.
    pub(super) address: SocketAddr,
    /// All its processes.
    pub(super) tree: WorkerTree,
    /// What it was started from.
    pub(super) spec_hash: String,
}

/// What a shim is asked.
pub(super) struct Question {
    pub(super) what: ToShim,
    /// Who waits for the answer: told by its end that it has come, or never will.
    pub(super) waiting: Option<oneshot::Sender<()>>,
}

/// A worker that has a shim.
struct ConnectedWorker {
    /// Once the shim was heard.
    known: Option<Known>,
    requests: mpsc::UnboundedSender<Question>,
    /// What goes on for it as long as it has a shim, such as the probe of its port.
    tasks: Vec<AbortHandle>,
}

/// All of them; clones share it.
#[derive(Clone, Default)]
pub(super) struct Connected(Arc<Mutex<BTreeMap<WorkerId, ConnectedWorker>>>);

impl Connected {
    /// From now on the requests for the worker wait for its link; `None` where it has one already.
    pub(super) fn add(&self, worker: &WorkerId) -> Option<mpsc::UnboundedReceiver<Question>> {
        let mut workers = self.lock();
        if workers.contains_key(worker) {
            return None;
        }
        let (requests, receiver) = mpsc::unbounded_channel();
        workers.insert(worker.clone(), ConnectedWorker { known: None, requests, tasks: Vec::new() });
        Some(receiver)
    }

    /// Its shim was heard.
    pub(super) fn know(&self, worker: &WorkerId, known: Known) {
        if let Some(worker) = self.lock().get_mut(worker) {
            worker.known = Some(known);
        }
    }

    /// Another process of it goes on in its place.
    pub(super) fn moved(&self, worker: &WorkerId, pid: u32) {
        if let Some(known) = self.lock().get_mut(worker).and_then(|worker| worker.known.as_mut()) {
            known.pid = pid;
        }
    }

    /// It answers there.
    pub(super) fn reached(&self, worker: &WorkerId, address: SocketAddr) {
        if let Some(known) = self.lock().get_mut(worker).and_then(|worker| worker.known.as_mut()) {
            known.address = address;
        }
    }

    /// Waits until it can be sent. A worker that is not here has no shim any more, and its loss is on its way to the inbox.
    pub(super) fn send(&self, worker: &WorkerId, request: ToShim) {
        self.put(worker, Question { what: request, waiting: None });
    }

    /// The same; ends when it was answered, or never will be.
    pub(super) async fn ask(&self, worker: &WorkerId, request: ToShim) {
        let (waiting, answered) = oneshot::channel();
        self.put(worker, Question { what: request, waiting: Some(waiting) });
        let _by_its_end = answered.await;
    }

    fn put(&self, worker: &WorkerId, question: Question) {
        if let Some(worker) = self.lock().get(worker) {
            let _gone = worker.requests.send(question);
        }
    }

    /// Nothing more is asked of the worker, and nothing goes on for it.
    pub(super) fn remove(&self, worker: &WorkerId) {
        for task in self.lock().remove(worker).into_iter().flat_map(|worker| worker.tasks) {
            task.abort();
        }
    }

    /// What is known of the worker.
    pub(super) fn of<T>(&self, worker: &WorkerId, look: impl FnOnce(&Known) -> T) -> Option<T> {
        self.lock().get(worker)?.known.as_ref().map(look)
    }

    /// Every worker that is known and fits.
    pub(super) fn all(&self, fits: impl Fn(&WorkerId, &Known) -> bool) -> Vec<WorkerId> {
        let workers = self.lock();
        let fitting =
            workers.iter().filter(|(id, worker)| worker.known.as_ref().is_some_and(|known| fits(id, known)));
        fitting.map(|(id, _)| id.clone()).collect()
    }

    /// Works on for the worker until it is gone.
    pub(super) fn work(&self, worker: &WorkerId, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(worker) = self.lock().get_mut(worker) {
            worker.tasks.retain(|task| !task.is_finished());
            worker.tasks.push(tokio::spawn(task).abort_handle());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, ConnectedWorker>> {
        self.0.lock().expect("nothing panics while it holds the map")
    }
}
