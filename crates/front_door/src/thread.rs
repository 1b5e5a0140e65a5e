//! One app on one serving thread: a listening socket, connections and counts of its own. Nothing that a request does waits for
//! another thread; what an app's threads share is the routing table and a few atomic counts. What concerns all requests (a
//! worker's death, the minutes' totals) comes as a command and is done between two requests.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use arc_swap::{ArcSwap, Cache};
use hyper::header::HeaderValue;
use model::auto_heal::Watch;
use model::path_template::PathLearner;
use model::requests::RequestMinute;
use model::{Clock, WorkerId};
use slab::Slab;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::accounting::affected_requests::InterruptedRequest;
use crate::accounting::connections::{Admission, ToWorker};
use crate::accounting::retry_budget::RetryBudget;
use crate::accounting::tallies::WorkerTallies;
use crate::accounting::thread_counts::ThreadCounts;
use crate::accounting::worker::Worker;
use crate::affinity::Affinity;
use crate::connection::{self, Guest};
use crate::idle::IdleClients;
use crate::serving::Serving;
use crate::settings::FrontDoorSettings;
use crate::table::{Route, Table};
use crate::worker_connection::Pool;

/// A pause after a connection could not be accepted for want of something that others may give back.
const PAUSE: Duration = Duration::from_millis(50);

/// What all threads of an app share.
pub(crate) struct Shared {
    pub(crate) settings: FrontDoorSettings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) table: Arc<ArcSwap<Table>>,
    /// Tells waiting requests that the table has changed.
    pub(crate) routed: Notify,
    /// Requests that wait for a worker.
    pub(crate) waiting: AtomicUsize,
    pub(crate) default_host: HeaderValue,
    clients: AtomicUsize,
    lowest_instance: AtomicU16,
    /// Asked for retries only, and told of requests once a second.
    budget: Mutex<RetryBudget>,
    /// What is known of the app's paths.
    pub(crate) paths: Mutex<PathLearner>,
}

impl Shared {
    pub(crate) fn new(settings: FrontDoorSettings, clock: Arc<dyn Clock>, address: SocketAddr) -> Self {
        Self {
            settings,
            clock,
            table: Arc::default(),
            routed: Notify::new(),
            waiting: AtomicUsize::new(0),
            default_host: HeaderValue::from_str(&address.to_string())
                .unwrap_or(HeaderValue::from_static("localhost")),
            clients: AtomicUsize::new(0),
            lowest_instance: AtomicU16::new(0),
            budget: Mutex::default(),
            paths: Mutex::default(),
        }
    }

    /// How many of `wanted` requests may be tried again.
    pub(crate) fn may_retry(&self, wanted: u32) -> u32 {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).grant(self.clock.monotonic(), wanted)
    }

    fn note_requests(&self, now: Duration, count: u64) {
        if count > 0 {
            self.budget.lock().unwrap_or_else(PoisonError::into_inner).requests(now, count);
        }
    }

    /// Replaces the table.
    pub(crate) fn publish(&self, table: Table) {
        if let Some(lowest) = table.workers().map(|worker| worker.id.instance.index).min() {
            self.lowest_instance.store(lowest, Ordering::Relaxed);
        }
        self.table.store(Arc::new(table));
        self.routed.notify_waiters();
    }

    /// The instance that a request counts for that no worker has taken: the lowest that was last routed, or 0.
    pub(crate) fn lowest_instance(&self) -> u16 {
        self.lowest_instance.load(Ordering::Relaxed)
    }

    /// One more client; how many there were.
    fn client_came(&self) -> usize {
        self.clients.fetch_add(1, Ordering::Relaxed)
    }

    fn client_went(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a thread's answer to a command goes. What finds nobody who waits for it any more, the thread takes back.
pub(crate) type Reply<T> = mpsc::UnboundedSender<Vec<T>>;

/// What a thread is asked to do.
pub(crate) enum Command {
    /// Gives up a dead worker's requests and says which they were.
    Bury(WorkerId, Reply<InterruptedRequest>),
    /// Hands over what was counted.
    TakeMinutes(Reply<RequestMinute>),
    /// Counts by another list.
    Watch(u64, Arc<[Watch]>),
    /// Hands over what was counted by the list.
    TakeTallies(Reply<WorkerTallies>),
    /// Stops accepting, lets requests finish for this long, and hands over what was counted.
    ShutDown(Duration, oneshot::Sender<Vec<RequestMinute>>),
}

/// An app's state on one thread.
pub(crate) struct Thread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) serving: Rc<Serving>,
    pub(crate) pool: Pool,
    pub(crate) counts: ThreadCounts,
    pub(crate) guests: RefCell<Slab<Guest>>,
    /// The last connection has gone.
    pub(crate) emptied: Notify,
    pub(crate) closing: Cell<bool>,
    idle: RefCell<IdleClients>,
    table: RefCell<Cache<Arc<ArcSwap<Table>>, Arc<Table>>>,
    turn: Cell<usize>,
}

/// Serves an app on this thread until its front door is closed.
pub(crate) async fn run(
    serving: Rc<Serving>,
    shared: Arc<Shared>,
    listener: TcpListener,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let thread = Rc::new(Thread::new(serving.clone(), shared));
    let _listed = serving.list(&thread);
    let http = connection::http(&thread.shared.settings.limits);
    let last = loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::ShutDown(grace, done)) => break Some((grace, done)),
                Some(command) => thread.obey(command),
                None => break None,
            },
            (socket, address) = thread.next_connection(&listener) => {
                if connection::accept(&thread, &http, socket, address) != Admission::Room {
                    // whoever is to go, goes, and others have their turn
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    match last {
        Some((grace, done)) => {
            thread.stop_accepting(&http, listener).await;
            thread.close(&mut commands, grace, done).await;
        }
        None => thread.cut(),
    }
}

impl Thread {
    fn new(serving: Rc<Serving>, shared: Arc<Shared>) -> Self {
        Self {
            table: RefCell::new(Cache::new(Arc::clone(&shared.table))),
            pool: Pool::default(),
            counts: ThreadCounts::new(shared.settings.app.clone(), shared.clock.wall()),
            guests: RefCell::default(),
            emptied: Notify::new(),
            closing: Cell::new(false),
            turn: Cell::new(0),
            idle: RefCell::default(),
            serving,
            shared,
        }
    }

    /// Looks at the current table.
    pub(crate) fn routes<T>(&self, look: impl FnOnce(&Table) -> T) -> T {
        look(self.table.borrow_mut().load())
    }

    /// The worker for the next request (see [`Table::choose`]).
    pub(crate) fn choose(&self, wanted: Option<Affinity>, refused: &[Arc<Worker>]) -> Option<Arc<Route>> {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        self.routes(|table| table.choose(wanted, turn, refused, || self.shared.clock.monotonic()).cloned())
    }

    fn obey(&self, command: Command) {
        match command {
            Command::Bury(worker, reply) => {
                if let Err(mpsc::error::SendError(interrupted)) = reply.send(self.bury(&worker)) {
                    let now = self.shared.clock.monotonic();
                    self.counts.put_back_broken(&worker, now, interrupted);
                }
            }
            Command::TakeMinutes(reply) => {
                let rows = self.counts.take_minutes();
                if let Err(mpsc::error::SendError(rows)) = reply.send(rows) {
                    self.counts.put_back_minutes(rows);
                }
            }
            Command::Watch(generation, watches) => self.counts.watch(generation, watches),
            Command::TakeTallies(reply) => {
                if let Err(mpsc::error::SendError(counts)) = reply.send(self.take_tallies()) {
                    self.counts.put_back_tallies(counts);
                }
            }
            Command::ShutDown(..) => {}
        }
    }

    fn bury(&self, worker: &WorkerId) -> Vec<InterruptedRequest> {
        let now = self.shared.clock.monotonic();
        let mut interrupted = self.counts.take_broken(worker, now, &self.shared.paths);
        let guests = self.guests.borrow();
        interrupted.extend(guests.iter().filter_map(|(_, guest)| guest.client.lose(worker, now)));
        interrupted
    }

    fn take_tallies(&self) -> Vec<WorkerTallies> {
        let now = self.shared.clock.monotonic();
        for (_, guest) in self.guests.borrow().iter() {
            guest.client.running(now, |running| self.counts.running(running));
        }
        self.counts.take_tallies()
    }

    /// One more client, for which one that is idle may have to go.
    pub(crate) fn admit(self: &Rc<Self>) -> Admission {
        let now = self.shared.clock.monotonic();
        let of_app = self.shared.client_came();
        let fits = of_app < self.shared.settings.limits.connections;
        if !fits && !self.close_longest_idle() {
            self.shared.client_went();
            self.serving.connections.counts.log_busy(now);
            return Admission::Busy;
        }
        match self.serving.admit(of_app, now) {
            Admission::Room if !fits => Admission::MadeRoom,
            Admission::Busy => {
                self.dismiss(false);
                self.serving.connections.counts.log_busy(now);
                Admission::Busy
            }
            admission => admission,
        }
    }

    /// One client fewer; `leaving` where it had to make room.
    pub(crate) fn dismiss(&self, leaving: bool) {
        self.shared.client_went();
        self.serving.connections.counts.client_went(leaving);
    }

    /// The guests that have no request under way, each with the turn since which that is so.
    pub(crate) fn idle_guests(&self) -> impl Iterator<Item = (usize, u64)> {
        let guests = self.guests.borrow();
        let idle = |(number, guest): (usize, &Guest)| {
            (!guest.leaving.get()).then(|| Some((number, guest.client.pulse.idle_since()?)))?
        };
        guests.iter().filter_map(idle).collect::<Vec<_>>().into_iter()
    }

    /// Closes the guest that has been idle the longest.
    fn close_longest_idle(self: &Rc<Self>) -> bool {
        self.idle.borrow_mut().close_one(self.serving.latest_turn(), std::iter::once(self))
    }

    /// For how many seconds a guest has been idle, if it has been since that turn.
    pub(crate) fn idle_s(&self, guest: usize, since: u64) -> Option<u32> {
        let guests = self.guests.borrow();
        let guest = guests.get(guest).filter(|guest| !guest.leaving.get())?;
        guest.client.pulse.idle_s().filter(|_| guest.client.pulse.idle_since() == Some(since))
    }

    /// Closes a guest that has been idle since that turn; `false` if it no longer is.
    pub(crate) fn close_idle(&self, guest: usize, since: u64) -> bool {
        let guests = self.guests.borrow();
        let is_idle = |guest: &&Guest| !guest.leaving.get() && guest.client.pulse.idle_since() == Some(since);
        let Some(guest) = guests.get(guest).filter(is_idle) else { return false };
        guest.leaving.set(true);
        self.serving.connections.counts.client_leaves();
        guest.task.abort();
        true
    }

    /// Connects to a worker. What is returned with the stream is to be kept as long as that.
    pub(crate) async fn connect(&self, worker: &Worker) -> io::Result<(TcpStream, ToWorker)> {
        let counted = self.serving.to_worker().ok_or(io::ErrorKind::QuotaExceeded)?;
        match TcpStream::connect(worker.address).await {
            Ok(stream) => Ok((stream, counted)),
            Err(error) => {
                self.serving.note_failure(&error, self.shared.clock.monotonic());
                Err(error)
            }
        }
    }

    /// Another second went by. For how many seconds the longest idle guest has been idle.
    pub(crate) fn second(&self) -> Option<u32> {
        let now = self.shared.clock.monotonic();
        let requests = self.routes(|table| {
            self.pool.age(|worker| table.has(worker));
            let times = (now, self.shared.clock.wall());
            self.counts.second(times, |worker| table.has(worker), &self.shared.paths)
        });
        self.shared.note_requests(now, requests);
        let limits = &self.shared.settings.limits;
        let guests = self.guests.borrow();
        let mut longest = None;
        for (_, guest) in guests.iter() {
            guest.client.count_if_unanswered(now);
            if guest.client.pulse.looked_at(limits) {
                guest.task.abort();
            }
            longest = longest.max(guest.client.pulse.idle_s());
        }
        longest
    }

    /// Waits for the next client. One that went away before it was its turn is no error.
    async fn next_connection(&self, listener: &TcpListener) -> (TcpStream, SocketAddr) {
        use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
        loop {
            match listener.accept().await {
                Ok(accepted) => return accepted,
                Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) => {}
                Err(error) => {
                    self.serving.note_failure(&error, self.shared.clock.monotonic());
                    tracing::debug!(%error, app = %self.shared.settings.app, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Serves who is already in the queue, and closes connections as they become idle.
    async fn stop_accepting(
        self: &Rc<Self>,
        http: &hyper::server::conn::http1::Builder,
        listener: TcpListener,
    ) {
        let queued = std::future::poll_fn(|cx| {
            let mut queued = Vec::new();
            while let Poll::Ready(Ok(connection)) = listener.poll_accept(cx) {
                queued.push(connection);
            }
            Poll::Ready(queued)
        })
        .await;
        drop(listener);
        for (socket, address) in queued {
            connection::accept(self, http, socket, address);
        }
        self.closing.set(true);
        self.guests.borrow().iter().for_each(|(_, guest)| guest.client.wake());
    }

    /// Lets requests finish until the latest call's grace is over, and cuts the rest.
    async fn close(
        &self,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        grace: Duration,
        done: oneshot::Sender<Vec<RequestMinute>>,
    ) {
        let mut waiting = vec![done];
        let mut patience = Box::pin(tokio::time::sleep(grace));
        loop {
            tokio::select! {
                biased;
                () = self.empty() => break,
                command = commands.recv() => match command {
                    Some(Command::ShutDown(grace, done)) => {
                        patience = Box::pin(tokio::time::sleep(grace));
                        waiting.push(done);
                    }
                    Some(command) => self.obey(command),
                    None => break,
                },
                () = &mut patience => break,
            }
        }
        self.cut();
        self.empty().await;
        for done in waiting {
            done.send(self.counts.take_minutes()).ok();
        }
    }

    /// Ends all connections.
    fn cut(&self) {
        self.guests.borrow().iter().for_each(|(_, guest)| guest.task.abort());
    }

    async fn empty(&self) {
        while !self.guests.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }
}
