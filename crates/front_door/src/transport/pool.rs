//! Connections to workers that are kept for the next request.

use std::cell::RefCell;
use std::sync::Arc;

use model::WorkerId;

use super::worker_connection::WorkerConnection;
use crate::accounting::worker::Worker;

/// Idle connections are closed after this many seconds: before Node.js, uvicorn and most other servers close theirs after 5,
/// so that a request seldom meets a connection that is being closed.
const IDLE_LIMIT_S: u8 = 4;

/// Idle connections that a thread keeps to one worker.
const IDLE_CONNECTIONS: usize = 1_024;

/// One thread's idle connections, by worker. Few workers: a list is searched faster than a map.
#[derive(Default)]
pub(crate) struct Pool {
    idle: RefCell<Vec<Kept>>,
}

struct Kept {
    worker: Arc<Worker>,
    #[expect(clippy::vec_box, reason = "a connection is large and is handed on with each request")]
    connections: Vec<Box<WorkerConnection>>,
}

impl Pool {
    /// An idle connection to `worker` that is still open, the latest used first.
    pub(crate) fn take(&self, worker: &Arc<Worker>) -> Option<Box<WorkerConnection>> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.iter_mut().find(|kept| Arc::ptr_eq(&kept.worker, worker))?;
        while let Some(connection) = kept.connections.pop() {
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection whose answer has ended, if it can take another request.
    pub(crate) fn put_back(&self, mut connection: Box<WorkerConnection>, idle_since: u64) {
        if !connection.can_be_kept() {
            return;
        }
        (connection.idle_s, connection.idle_since) = (0, idle_since);
        let mut idle = self.idle.borrow_mut();
        match idle.iter_mut().find(|kept| Arc::ptr_eq(&kept.worker, &connection.worker)) {
            Some(kept) if kept.connections.len() >= IDLE_CONNECTIONS => {}
            Some(kept) => kept.connections.push(connection),
            None => idle.push(Kept { worker: Arc::clone(&connection.worker), connections: vec![connection] }),
        }
    }

    /// Closes those to `worker` whose ports on this side these are.
    pub(crate) fn close_ports(&self, worker: &WorkerId, has: impl Fn(u16) -> bool) {
        for kept in self.idle.borrow_mut().iter_mut().filter(|kept| kept.worker.id == *worker) {
            kept.connections.retain(|connection| !has(connection.port()));
        }
    }

    /// The longest idle connection's number in the order of idleness.
    pub(crate) fn idle_since(&self) -> Option<u64> {
        let idle = self.idle.borrow();
        let oldest = |kept: &Kept| kept.connections.first().map(|connection| connection.idle_since);
        idle.iter().filter_map(oldest).min()
    }

    /// Closes the connection of that number.
    pub(crate) fn close(&self, idle_since: u64) {
        for kept in self.idle.borrow_mut().iter_mut() {
            if kept.connections.first().is_some_and(|connection| connection.idle_since == idle_since) {
                kept.connections.remove(0);
            }
        }
    }

    /// Another second went by: closes what has been idle too long, has been closed by the worker, or leads to a worker that
    /// takes no more requests.
    pub(crate) fn age(&self, is_routed: impl Fn(&Arc<Worker>) -> bool) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|kept| is_routed(&kept.worker));
        for kept in idle.iter_mut() {
            kept.connections.retain_mut(|connection| {
                connection.idle_s = connection.idle_s.saturating_add(1);
                connection.idle_s <= IDLE_LIMIT_S && connection.is_quiet()
            });
        }
    }
}
