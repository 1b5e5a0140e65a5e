//! The threads that serve all apps: as many as there are cores, however many apps there are.
//!
//! Each has a runtime of its own. A front door opens a listening socket on each of them, and what a connection does stays on
//! the thread that took it in. An app that is flooded does not keep others waiting: the runtime gives each task its turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::time::Duration;

use slab::Slab;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::accounting::connections::{Admission, ConnectionCounts, CountedApp, ToWorker};
use crate::idle::IdleClients;
use crate::settings::StartError;
use crate::thread::{self, Command, Shared, Thread};
use crate::transport::connection_limit::ConnectionLimit;

const THREADS_AT_MOST: usize = 64;

/// The threads that all front doors share. Clones are the same threads; they end with the last clone and the last front door.
#[derive(Clone)]
pub struct ServingThreads {
    threads: Arc<[Handles]>,
    /// The thread that the next front door begins with, so that those with few sockets are spread.
    next: Arc<AtomicUsize>,
    connections: Arc<ConnectionLimit>,
}

/// What is known of a thread outside of it.
struct Handles {
    runtime: Handle,
    openings: mpsc::UnboundedSender<Opening>,
}

/// A front door's listening socket and its commands, for one thread.
struct Opening {
    shared: Arc<Shared>,
    listener: TcpListener,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl ServingThreads {
    /// Starts `count` threads; 0 means one per core. At most 64.
    pub fn start(count: usize) -> Result<Self, StartError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores() } else { count }.min(THREADS_AT_MOST);
        let connections = Arc::new(ConnectionLimit::new(count));
        let threads = (0..count)
            .map(|number| start(number, Arc::clone(&connections)))
            .collect::<io::Result<_>>()
            .map_err(|source| StartError { source })?;
        Ok(Self { threads, next: Arc::default(), connections })
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// All apps together may have so many connections open from now on, half of them to clients; there is no limit before.
    /// Where there are more, idle ones are closed, those that have been idle the longest first.
    pub fn limit_connections(&self, connections: usize) {
        self.connections.set(connections);
    }

    /// Has each thread close some idle connections, because something else needs file descriptors at once.
    pub fn give_back(&self) {
        self.connections.close_some();
    }

    /// How many connections there are and may be.
    pub fn connections(&self) -> ConnectionCounts {
        self.connections.counts.counts()
    }

    /// An app that is served, as it counts.
    pub(crate) fn app(&self) -> CountedApp {
        self.connections.counts.app()
    }

    /// Has each of the `listeners` served by another thread; they are told what to do by what is returned.
    pub(crate) fn open(
        &self,
        shared: &Arc<Shared>,
        listeners: Vec<std::net::TcpListener>,
    ) -> io::Result<Vec<mpsc::UnboundedSender<Command>>> {
        let first = self.next.fetch_add(listeners.len(), Ordering::Relaxed);
        let open = |(number, listener)| {
            let thread = &self.threads[first.wrapping_add(number) % self.threads.len()];
            let listener = {
                let _of_that_thread = thread.runtime.enter();
                TcpListener::from_std(listener)?
            };
            let (commands, obeyed) = mpsc::unbounded_channel();
            let opening = Opening { shared: Arc::clone(shared), listener, commands: obeyed };
            thread.openings.send(opening).map_err(|_| io::Error::other("the thread has ended"))?;
            Ok(commands)
        };
        listeners.into_iter().enumerate().map(open).collect()
    }
}

/// Starts a thread and waits until its runtime is there.
fn start(number: usize, connections: Arc<ConnectionLimit>) -> io::Result<Handles> {
    let (openings, opened) = mpsc::unbounded_channel();
    let (report, ready) = blocking::channel();
    std::thread::Builder::new().name("serving".to_owned()).spawn(
        move || match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                report.send(Ok(runtime.handle().clone())).ok();
                runtime.block_on(run(Rc::new(Serving::new(number, connections)), opened));
            }
            Err(error) => drop(report.send(Err(error))),
        },
    )?;
    let runtime = ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(Handles { runtime, openings })
}

async fn run(serving: Rc<Serving>, mut openings: mpsc::UnboundedReceiver<Opening>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            opening = openings.recv() => match opening {
                Some(Opening { shared, listener, commands }) => {
                    tokio::task::spawn_local(thread::run(Rc::clone(&serving), shared, listener, commands));
                }
                None => return serving.rest().await,
            },
            clients = serving.connections.asked(serving.number) => {
                serving.make_room(clients);
                serving.connections.counts.note_closed(serving.number, clients);
            }
            _ = seconds.tick() => serving.second(),
        }
    }
}

/// One serving thread, as what runs on it sees it.
pub(crate) struct Serving {
    number: usize,
    pub(crate) connections: Arc<ConnectionLimit>,
    apps: RefCell<Slab<Rc<Thread>>>,
    idle: RefCell<IdleClients>,
    turn: Cell<u64>,
    /// The other threads were told that nobody is idle here.
    none_idle: Cell<bool>,
}

impl Serving {
    fn new(number: usize, connections: Arc<ConnectionLimit>) -> Self {
        let (apps, idle) = (RefCell::default(), RefCell::default());
        Self { number, connections, apps, idle, turn: Cell::new(0), none_idle: Cell::new(true) }
    }

    /// Puts an app on the list of those that are served; it is taken off when the answer is dropped.
    pub(crate) fn list(self: &Rc<Self>, thread: &Rc<Thread>) -> Listed {
        Listed { number: self.apps.borrow_mut().insert(Rc::clone(thread)), serving: Rc::clone(self) }
    }

    /// A number that grows with each call: what became idle earlier has a lower one.
    pub(crate) fn turn(&self) -> u64 {
        let turn = self.turn.get() + 1;
        self.turn.set(turn);
        turn
    }

    /// A client is idle from this turn on.
    pub(crate) fn turns_idle(&self) -> u64 {
        if self.none_idle.replace(false) {
            self.connections.counts.publish_longest_idle(self.number, Some(0));
        }
        self.turn()
    }

    /// The latest of these numbers.
    pub(crate) fn latest_turn(&self) -> u64 {
        self.turn.get()
    }

    /// One more client of an app that had `of_app`, where need be in place of an idle one of any app.
    pub(crate) fn admit(&self, of_app: usize, now: Duration) -> Admission {
        if self.connections.counts.client_came(of_app) {
            return Admission::Room;
        }
        let made_room = self.another_closes_one(1) || self.close_idle() || self.another_closes_one(0);
        if !made_room {
            return Admission::Busy;
        }
        self.connections.counts.log_full(now);
        Admission::MadeRoom
    }

    /// Whether there may be one more connection to a worker, where need be in place of one that is kept. There are enough for
    /// all clients; one that another thread keeps may have to go first, and then a request waits for a moment.
    pub(crate) fn to_worker(&self) -> Option<ToWorker> {
        let one = self.connections.counts.to_worker();
        if !self.connections.counts.too_many_to_workers() || self.close_kept() {
            return Some(one);
        }
        self.connections.ask_others(self.number);
        self.connections.counts.may_exceed().then_some(one)
    }

    /// A connection could not be opened. Where that is for want of file descriptors, some are given back.
    pub(crate) fn note_failure(&self, error: &io::Error, now: Duration) {
        if !matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
            return;
        }
        self.connections.counts.log_out_of_descriptors(now, error);
        let _none_left = self.close_kept();
        let _none_idle = self.close_idle() || self.another_closes_one(0);
    }

    fn another_closes_one(&self, than_s: u32) -> bool {
        if !self.connections.counts.may_exceed() {
            return false;
        }
        let other = self.connections.counts.longest_idle_elsewhere(self.number, than_s);
        other.is_some_and(|other| self.connections.ask(other, than_s > 0))
    }

    /// The others are told at once how long the next has been idle: by an older word they would have all of them closed.
    fn close_idle(&self) -> bool {
        let apps = self.apps.borrow();
        let mut idle = self.idle.borrow_mut();
        let closed = idle.close_one(self.latest_turn(), apps.iter().map(|(_, app)| app));
        self.publish(closed.then(|| idle.longest_s().unwrap_or(0)));
        closed
    }

    fn publish(&self, longest_idle_s: Option<u32>) {
        self.none_idle.set(longest_idle_s.is_none());
        self.connections.counts.publish_longest_idle(self.number, longest_idle_s);
    }

    fn close_kept(&self) -> bool {
        let apps = self.apps.borrow();
        let oldest = apps
            .iter()
            .filter_map(|(_, app)| Some((app.pool.idle_since()?, app)))
            .min_by_key(|(since, _)| *since);
        oldest.inspect(|(since, app)| app.pool.close(*since)).is_some()
    }

    /// So many idle clients are to go, and whatever there is too much.
    fn make_room(&self, clients: usize) {
        for _ in 0..clients {
            let _none_kept = self.close_kept();
        }
        let _none_left = (0..clients).all(|_| self.close_idle());
        while self.connections.counts.too_many_clients() && self.close_idle() {}
        while self.connections.counts.too_many_to_workers() && self.close_kept() {}
    }

    fn second(&self) {
        let longest = self.apps.borrow().iter().filter_map(|(_, app)| app.second()).max();
        self.publish(longest);
        self.make_room(0);
    }

    /// Waits until the front doors, which are all gone, have closed what they had.
    async fn rest(&self) {
        while !self.apps.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}

/// An app's place on the list.
pub(crate) struct Listed {
    serving: Rc<Serving>,
    number: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.serving.apps.borrow_mut().remove(self.number);
    }
}
