//! An app's connections on one thread: its clients, and those kept to its workers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use model::WorkerId;
use model::process_connections::ProcessConnections;
use slab::Slab;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::pool::Pool;
use crate::accounting::affected_requests::InterruptedRequest;
use crate::accounting::connections::Connections;
use crate::accounting::decision::Decision;
use crate::accounting::tallies::WorkerTallies;
use crate::exchange::client::{Client, SilentConnection};
use crate::exchange::client_timeouts::BUFFERS_KEPT_S;
use crate::exchange::router::Router;

/// The connections, and the router that their requests go by.
pub(crate) struct AppConnections {
    pub(crate) router: Rc<Router>,
    pub(crate) pool: Pool,
    pub(crate) clients: RefCell<Slab<ClientEntry>>,
    /// Connections are closed as they become idle.
    pub(crate) closing: Cell<bool>,
    all: Arc<Connections>,
    /// The last client has gone.
    emptied: Notify,
}

/// A client in the list.
pub(crate) struct ClientEntry {
    pub(crate) client: Rc<Client>,
    pub(crate) task: AbortHandle,
    /// It is being closed to make room.
    pub(crate) leaving: Cell<bool>,
}

impl AppConnections {
    pub(crate) fn new(router: Rc<Router>, all: Arc<Connections>) -> Self {
        Self {
            router,
            pool: Pool::default(),
            clients: RefCell::default(),
            closing: Cell::new(false),
            all,
            emptied: Notify::new(),
        }
    }

    /// Takes a client off the list.
    pub(crate) fn remove(&self, number: usize) {
        let entry = self.clients.borrow_mut().remove(number);
        self.uncount_client(entry.leaving.get());
        if self.clients.borrow().is_empty() {
            self.emptied.notify_one();
        }
    }

    /// One client fewer; `leaving` where it had to make room.
    pub(crate) fn uncount_client(&self, leaving: bool) {
        self.router.app.client_went();
        self.all.client_went(leaving);
    }

    /// The clients that have no request, each with its number in the order of idleness.
    pub(crate) fn idle_clients(&self) -> Vec<(usize, u64)> {
        let clients = self.clients.borrow();
        let idle = |(number, entry): (usize, &ClientEntry)| {
            (!entry.leaving.get()).then(|| Some((number, entry.client.timeouts.idle_since()?)))?
        };
        clients.iter().filter_map(idle).collect()
    }

    /// For how many seconds a client has been idle, if it has been since then.
    pub(crate) fn idle_s(&self, number: usize, since: u64) -> Option<u32> {
        let clients = self.clients.borrow();
        let entry = clients.get(number).filter(|entry| !entry.leaving.get())?;
        entry.client.timeouts.idle_s().filter(|_| entry.client.timeouts.idle_since() == Some(since))
    }

    /// Closes a client that has been idle since then; `false` if it no longer is.
    pub(crate) fn close_idle(&self, number: usize, since: u64) -> bool {
        let clients = self.clients.borrow();
        let is_idle =
            |entry: &&ClientEntry| !entry.leaving.get() && entry.client.timeouts.idle_since() == Some(since);
        let Some(entry) = clients.get(number).filter(is_idle) else { return false };
        entry.leaving.set(true);
        self.all.client_leaves();
        entry.task.abort();
        true
    }

    /// Gives up a dead worker's requests and says which they were.
    pub(crate) fn interrupt(
        &self,
        worker: &WorkerId,
        connections: Option<&ProcessConnections>,
    ) -> Vec<InterruptedRequest> {
        let app = &self.router.app;
        let now = app.clock.monotonic();
        let mut interrupted = self.router.counts.take_broken(worker, now, &app.paths, false);
        let clients = self.clients.borrow();
        let of_worker = |entry: &ClientEntry| entry.client.interrupt(worker, now, connections);
        interrupted.extend(clients.iter().filter_map(|(_, entry)| of_worker(entry)));
        interrupted
    }

    /// The same for one process of a worker that lives on.
    pub(crate) fn interrupt_of_process(
        &self,
        worker: &WorkerId,
        connections: Option<&ProcessConnections>,
        decision: &Arc<Decision>,
    ) -> Vec<InterruptedRequest> {
        let app = &self.router.app;
        let now = app.clock.monotonic();
        // where its connections are known, what broke before was another's
        let mut interrupted = match connections {
            Some(connections) => {
                self.pool.close_ports(worker, |port| connections.unread_of(port).is_some());
                Vec::new()
            }
            None => self.router.counts.take_broken(worker, now, &app.paths, true),
        };
        let clients = self.clients.borrow();
        let of_process =
            |entry: &ClientEntry| entry.client.interrupt_of_process(worker, now, connections, decision);
        interrupted.extend(clients.iter().filter_map(|(_, entry)| of_process(entry)));
        interrupted
    }

    /// Connections to the worker whose request may wait in a process that hands it to nobody.
    pub(crate) fn ask_back(&self, worker: &WorkerId) -> Vec<SilentConnection> {
        let now = self.router.app.clock.monotonic();
        let clients = self.clients.borrow();
        clients.iter().filter_map(|(_, entry)| entry.client.ask_back(worker, now)).collect()
    }

    /// One of them was taken back, or none.
    pub(crate) fn taken_back(&self, worker: &WorkerId, port: Option<u16>) {
        self.clients.borrow().iter().for_each(|(_, entry)| entry.client.taken_back(worker, port));
    }

    /// What was counted of each worker, and what is running at it.
    pub(crate) fn take_tallies(&self) -> Vec<WorkerTallies> {
        let now = self.router.app.clock.monotonic();
        for (_, entry) in self.clients.borrow().iter() {
            entry.client.tally(now);
        }
        self.router.counts.take_tallies()
    }

    /// Another second went by. For how many seconds the longest idle client has been idle.
    pub(crate) fn second(&self) -> Option<u32> {
        let app = &self.router.app;
        let now = app.clock.monotonic();
        let requests = self.router.table(|table| {
            self.pool.age(|worker| table.has(worker));
            let times = (now, app.clock.wall());
            self.router.counts.second(times, |worker| table.has(worker), &app.paths)
        });
        app.note_requests(now, requests);
        let mut longest = None;
        for (_, entry) in self.clients.borrow().iter() {
            entry.client.count_if_unanswered(now);
            if entry.client.timeouts.second(&app.settings.limits) {
                entry.task.abort();
            }
            let idle_s = entry.client.timeouts.idle_s();
            if idle_s == Some(BUFFERS_KEPT_S) {
                entry.client.wake();
            }
            longest = longest.max(idle_s);
        }
        longest
    }

    /// Closes connections as they become idle.
    pub(crate) fn begin_closing(&self) {
        self.closing.set(true);
        self.clients.borrow().iter().for_each(|(_, entry)| entry.client.wake());
    }

    /// Ends all client connections.
    pub(crate) fn abort(&self) {
        self.clients.borrow().iter().for_each(|(_, entry)| entry.task.abort());
    }

    /// Waits until there is no client.
    pub(crate) async fn emptied(&self) {
        while !self.clients.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }
}
