//! One serving thread, as what runs on it sees it: the apps that it serves, and who goes where there are too many connections.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slab::Slab;

use super::app_connections::AppConnections;
use super::connection_limit::ConnectionLimit;
use super::idle_clients::IdleClients;
use crate::accounting::connections::{Admission, Connections, ToWorker};
use crate::exchange::idle_order::IdleOrder;

/// One of the threads.
pub(crate) struct ServingThread {
    pub(crate) idle_order: Rc<IdleOrder>,
    number: usize,
    limit: Arc<ConnectionLimit>,
    apps: RefCell<Slab<Rc<AppConnections>>>,
    idle: RefCell<IdleClients>,
}

impl ServingThread {
    pub(crate) fn new(number: usize, limit: Arc<ConnectionLimit>) -> Self {
        let idle_order = Rc::new(IdleOrder::new(number, Arc::clone(&limit.counts)));
        Self { idle_order, number, limit, apps: RefCell::default(), idle: RefCell::default() }
    }

    /// All connections of all threads.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.limit.counts
    }

    /// Puts an app on the list of those that are served; it is taken off when the answer is dropped.
    pub(crate) fn list(self: &Rc<Self>, app: &Rc<AppConnections>) -> Listed {
        Listed { number: self.apps.borrow_mut().insert(Rc::clone(app)), serving: Rc::clone(self) }
    }

    /// One more client of an app that had `of_app`, where need be in place of an idle one of any app.
    pub(crate) fn admit(&self, of_app: usize, now: Duration) -> Admission {
        if self.connections().client_came(of_app) {
            return Admission::Room;
        }
        let made_room = self.another_closes_one(1) || self.close_idle() || self.another_closes_one(0);
        if !made_room {
            return Admission::Busy;
        }
        self.connections().log_full(now);
        Admission::MadeRoom
    }

    /// Whether there may be one more connection to a worker, where need be in place of one that is kept. There are enough for
    /// all clients; one that another thread keeps may have to go first, and then a request waits for a moment.
    pub(crate) fn to_worker(&self) -> Option<ToWorker> {
        let one = self.connections().to_worker();
        if !self.connections().too_many_to_workers() || self.close_kept() {
            return Some(one);
        }
        self.limit.ask_others(self.number);
        self.connections().may_exceed().then_some(one)
    }

    /// A connection could not be opened. Where that is for want of file descriptors, some are given back.
    pub(crate) fn note_failure(&self, error: &io::Error, now: Duration) {
        if !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
            return;
        }
        self.connections().log_out_of_descriptors(now, error);
        let _none_left = self.close_kept();
        let _none_idle = self.close_idle() || self.another_closes_one(0);
    }

    /// Waits until this thread is asked to make room; how many idle clients are to go.
    pub(crate) async fn asked(&self) -> usize {
        self.limit.asked(self.number).await
    }

    /// Closes so many idle clients, because it was asked to, and whatever there is too much.
    pub(crate) fn close_wanted(&self, clients: usize) {
        self.make_room(clients);
        self.connections().note_closed(self.number, clients);
    }

    /// Another second went by.
    pub(crate) fn second(&self) {
        let longest = self.apps.borrow().iter().filter_map(|(_, app)| app.second()).max();
        self.idle_order.publish(longest);
        self.make_room(0);
    }

    /// Waits until the front doors, which are all gone, have closed what they had.
    pub(crate) async fn emptied(&self) {
        while !self.apps.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    fn make_room(&self, clients: usize) {
        for _ in 0..clients {
            let _none_kept = self.close_kept();
        }
        let _none_left = (0..clients).all(|_| self.close_idle());
        while self.connections().too_many_clients() && self.close_idle() {}
        while self.connections().too_many_to_workers() && self.close_kept() {}
    }

    fn another_closes_one(&self, than_s: u32) -> bool {
        if !self.connections().may_exceed() {
            return false;
        }
        let other = self.connections().longest_idle_elsewhere(self.number, than_s);
        other.is_some_and(|other| self.limit.ask(other, than_s > 0))
    }

    /// The others are told at once how long the next has been idle: by an older word they would have all of them closed.
    fn close_idle(&self) -> bool {
        let apps = self.apps.borrow();
        let mut idle = self.idle.borrow_mut();
        let closed = idle.close_one(self.idle_order.latest(), apps.iter().map(|(_, app)| app));
        self.idle_order.publish(closed.then(|| idle.longest_s().unwrap_or(0)));
        closed
    }

    fn close_kept(&self) -> bool {
        let apps = self.apps.borrow();
        let oldest = apps
            .iter()
            .filter_map(|(_, app)| Some((app.pool.idle_since()?, app)))
            .min_by_key(|(since, _)| *since);
        oldest.inspect(|(since, app)| app.pool.close(*since)).is_some()
    }
}

/// An app's entry in the list.
pub(crate) struct Listed {
    serving: Rc<ServingThread>,
    number: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.serving.apps.borrow_mut().remove(self.number);
    }
}
