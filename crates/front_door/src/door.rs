//! The handle on one app's front door.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::auto_heal::{Tallies, Watch};
use model::crash::AffectedRequests;
use model::process_connections::ProcessConnections;
use model::requests::RequestMinute;
use model::{Clock, WorkerId};
use tokio::sync::{mpsc, oneshot};

use crate::accounting::affected_requests;
use crate::accounting::connections::CountedApp;
use crate::accounting::decision::Decision;
use crate::accounting::worker::Worker;
use crate::accounting::{minutes, tallies};
use crate::exchange::app::App;
use crate::exchange::table::Table;
use crate::settings::{BindError, Death, FrontDoorSettings, Target};
use crate::transport::app_task::{Command, Reply};
use crate::transport::listen::Listeners;
use crate::transport::serving_threads::{Served, ServingThreads};

/// A thread answers a command between two requests, within microseconds. One that does not, on a machine that stands still, is
/// not waited for for ever: what it counted comes with the next answer.
const REPLY_WITHIN: Duration = Duration::from_secs(2);

/// Workers that take no requests and have none, whose death may still be told of; the oldest are forgotten first.
const FORMER_WORKERS: usize = 256;

/// One app's open front door. Dropping it closes it at once; [`FrontDoor::shut_down`] lets requests finish.
///
/// All methods may be called from any thread, and none blocks. Those that ask the serving threads ([`FrontDoor::worker_died`],
/// [`FrontDoor::take_minutes`], [`FrontDoor::tallies`]) ask at once, before what they return is awaited; that is to be awaited
/// to its end, since an answer on its way to nobody is lost. It takes microseconds, on a machine that stands still two seconds
/// at most.
pub struct FrontDoor {
    app: Arc<App>,
    address: Mutex<SocketAddr>,
    threads: Mutex<Vec<Served>>,
    /// Every worker that takes requests, may still have some, or whose death may be told of; oldest first.
    known: Mutex<Vec<Arc<Worker>>>,
    /// The list that is counted by, and its generation. Held while the threads are asked, so that all of them count by the same.
    watched: Mutex<(u64, Arc<[Watch]>)>,
    serving: ServingThreads,
    _counted: CountedApp,
}

impl FrontDoor {
    /// Listens, and has the threads serve it. No request finds a worker before [`FrontDoor::route`] has named one.
    pub fn bind(
        settings: FrontDoorSettings,
        clock: Arc<dyn Clock>,
        serving: &ServingThreads,
    ) -> Result<Self, BindError> {
        let listeners = Listeners::bind(&settings.app, settings.listen, serving.sockets(settings.sockets))?;
        Self::open(settings, clock, serving, listeners)
    }

    /// Has the threads serve whoever comes to the `listeners`.
    pub fn open(
        settings: FrontDoorSettings,
        clock: Arc<dyn Clock>,
        serving: &ServingThreads,
        listeners: Listeners,
    ) -> Result<Self, BindError> {
        let (name, address) = (settings.app.clone(), listeners.address());
        let app = Arc::new(App::new(settings, clock, address));
        let opened = serving.open(&app, listeners.into_sockets());
        let threads = opened.map_err(|source| BindError::Other { app: name, address, source })?;
        Ok(Self {
            app,
            address: Mutex::new(address),
            threads: Mutex::new(threads),
            known: Mutex::default(),
            watched: Mutex::new((0, Arc::default())),
            serving: serving.clone(),
            _counted: serving.count_app(),
        })
    }

    /// Where it listens: the settings' address with the port that was taken for 0.
    pub fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts clients at the `listeners` from now on, and at those before no more. Connections that are open stay, whoever is in
    /// a queue is served, and all that was counted goes on. Where it fails nothing has changed.
    pub fn listen(&self, listeners: Listeners) -> Result<(), BindError> {
        let address = listeners.address();
        let failed = |source| BindError::Other { app: self.app.settings.app.clone(), address, source };
        let watched = self.watched();
        let mut threads = self.threads();
        let mut sockets = listeners.into_sockets().into_iter();
        let attached: io::Result<Vec<_>> = threads
            .iter()
            .zip(&mut sockets)
            .map(|(served, socket)| self.serving.listener(served, socket))
            .collect();
        let mut attached = attached.map_err(failed)?.into_iter();
        let more = self.serving.open(&self.app, sockets.collect()).map_err(failed)?;
        for served in &more {
            served.commands.send(Command::Watch(watched.0, Arc::clone(&watched.1))).ok();
        }
        self.app.moved(address);
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
        for served in threads.iter() {
            served.commands.send(Command::Listen(attached.next())).ok();
        }
        threads.extend(more);
        Ok(())
    }

    /// Accepts nobody from now on, and gives the sockets away with whoever is in their queues; `None` where it has none. Connections
    /// that are open stay.
    pub fn release(&self) -> impl Future<Output = Option<Listeners>> + Send + use<> {
        let (address, released) = (self.address(), self.ask(Command::Release));
        async move {
            let sockets = released.all().await;
            (!sockets.is_empty()).then(|| Listeners::released(address, sockets))
        }
    }

    /// How long requests wait for a worker from now on, and whether they are tried again (see [`FrontDoorSettings`]).
    pub fn configure(&self, wait: Duration, retries: bool) {
        self.app.configure(wait, retries);
    }

    /// Who takes new requests from now on. A worker that is left out gets no new ones; its requests in flight finish. Requests
    /// that wait for a worker are given out.
    pub fn route(&self, targets: Vec<Target>) {
        let mut known = self.known();
        let table = Table::next(targets, &known);
        let routed: Vec<_> = table.workers().cloned().collect();
        self.app.publish(table);
        let out = |worker: &Arc<Worker>| !routed.iter().any(|routed| Arc::ptr_eq(routed, worker));
        known.retain(out);
        known.iter().for_each(|worker| worker.retire());
        let mut surplus =
            known.iter().filter(|worker| worker.is_drained()).count().saturating_sub(FORMER_WORKERS);
        known.retain(|worker| {
            let forget = surplus > 0 && worker.is_drained();
            surplus -= usize::from(forget);
            !forget
        });
        known.extend(routed);
    }

    /// The worker takes no new requests and has none in flight, tunnels included: nothing is lost when it is stopped. True of a
    /// worker that was never routed.
    pub fn is_drained(&self, worker: &WorkerId) -> bool {
        self.known().iter().filter(|known| known.id == *worker).all(|known| known.is_drained())
    }

    /// Gives up a dead (or dying) worker's requests: they are answered 502 at once or, where the answer's head has left, cut.
    /// The worker takes no new ones. What is returned includes requests whose connection broke in the two seconds before this call.
    /// To be called as often as the worker's death becomes known; each call tells only what no call has told before. To be
    /// called as soon as it is known: with [`FrontDoorSettings::retries`], requests wait for it that may be tried again.
    pub fn worker_died(
        &self,
        worker: &WorkerId,
        death: Death,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        self.worker_crashes(worker, death, None)
    }

    /// The same of a worker whose process stands still and had these connections: what it had not read is given to another
    /// worker, whatever it is, as long as its body is held.
    pub fn worker_crashes(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        let known = self.known();
        let dead: Vec<_> = known.iter().filter(|known| known.id == *worker).cloned().collect();
        for worker in &dead {
            worker.mark_dead();
        }
        let table = self.app.table.load();
        if table.workers().any(|routed| routed.id == *worker) {
            self.app.publish(table.without(worker));
        }
        drop(known);
        let connections = connections.map(Arc::new);
        let interrupted = self.ask(|reply| Command::Interrupt(worker.clone(), connections.clone(), reply));
        let app = Arc::clone(&self.app);
        async move {
            let interrupted = interrupted.all().await;
            // all threads have taught what they saw
            let paths = app.paths.lock().unwrap_or_else(PoisonError::into_inner);
            affected_requests::settle(&dead, death, interrupted, &paths, |wanted| app.grant_retries(wanted))
        }
    }

    /// A process of this worker has died, or is about to, and the worker lives on: its master starts another. `connections` are
    /// those that the process had; where they are not known, the requests are its own whose connection has ended unanswered,
    /// with nothing left to read on it. They are given up. What it had not read is sent to another process. To be called
    /// as soon as it is known: requests whose connection broke wait for it, for half a second.
    pub fn process_died(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        let (connections, decision) = (connections.map(Arc::new), Arc::new(Decision::default()));
        let read = self.ask(|reply| {
            Command::InterruptProcess(worker.clone(), connections.clone(), Arc::clone(&decision), reply)
        });
        let app = Arc::clone(&self.app);
        async move {
            let read = read.all().await;
            let paths = app.paths.lock().unwrap_or_else(PoisonError::into_inner);
            affected_requests::settle_process(death, read, &decision, &paths, |wanted| {
                app.grant_retries(wanted)
            })
        }
    }

    /// The ports from which requests have gone to this worker that it has not begun to answer, those of the oldest connections
    /// first: for whoever can say which of them waits in a process that accepts connections and was handing it to one that has
    /// died. [`FrontDoor::taken_back`] is to follow.
    pub fn ask_back(&self, worker: &WorkerId) -> impl Future<Output = Vec<u16>> + Send + use<> {
        let silent = self.ask(|reply| Command::AskBack(worker.clone(), reply));
        async {
            let mut silent = silent.all().await;
            silent.sort_unstable();
            silent.into_iter().map(|connection| connection.port).collect()
        }
    }

    /// Of those, the request from this port was read by nobody, and nobody can read it any more: it is sent again, whatever it is.
    pub fn taken_back(&self, worker: &WorkerId, port: Option<u16>) {
        for thread in self.threads().iter() {
            // a thread that has ended has no requests
            thread.commands.send(Command::TakenBack(worker.clone(), port)).ok();
        }
    }

    /// A worker is asked to end: whatever streams and tunnels it still has end for that.
    pub fn worker_ends(&self, worker: &WorkerId) {
        self.known().iter().filter(|known| known.id == *worker).for_each(|known| known.note_ending());
    }

    /// The requests (streams and open tunnels among them) that a worker is serving.
    pub fn in_flight(&self, worker: &WorkerId) -> u32 {
        self.known().iter().filter(|known| known.id == *worker).map(|known| known.in_flight()).sum()
    }

    /// What was counted since the last call: one row per instance and minute, oldest first. Whoever calls it several times a
    /// minute gets several rows of that minute, to be merged.
    ///
    /// A request is counted when its answer's last byte is handed to the client's connection (an event stream when its head is
    /// there, a tunnel when it is opened), in that moment's minute, with its time (see the module `answer_time`), for the
    /// instance that answered or last had it; one that no worker took counts for the lowest instance that was routed. A client
    /// that went away before its answer counts as 4xx, like nginx's 499. What hyper refuses before it is a request (malformed,
    /// headers too large) is not counted. `most_in_flight` is a single worker's: during a replacement the old and the new one of
    /// an instance are not added up.
    pub fn take_minutes(&self) -> impl Future<Output = Vec<RequestMinute>> + Send + use<> {
        let rows = self.ask(Command::TakeMinutes);
        async { minutes::merge(rows.all().await) }
    }

    /// Replaces the list of requests to count (see [`Watch`]); `generation` names it. What the old list's watches counted since
    /// the last [`FrontDoor::tallies`] is forgotten.
    pub fn watch(&self, generation: u64, watches: Vec<Watch>) {
        let mut current = self.watched();
        let watches: Arc<[Watch]> = watches.into();
        *current = (generation, Arc::clone(&watches));
        for thread in self.threads().iter() {
            // a thread that has ended counts nothing
            thread.commands.send(Command::Watch(generation, Arc::clone(&watches))).ok();
        }
    }

    /// For each worker that takes requests: those that ended since the last call, and those that are running now. A request
    /// counts for the worker that has it, so one that waits for a worker counts for none. A tunnel has ended when it is opened,
    /// with the status 101, and an event stream when its head is there. What is open of them is told apart, and so is every other
    /// answer that goes on for long: those are no running requests unless the worker stalls. A client that went away ended its
    /// request with 499. A request that it gave up before a byte came, or that the worker did not take a connection for, is told
    /// apart, and whether a byte came for any.
    pub fn tallies(&self) -> impl Future<Output = Vec<(WorkerId, Tallies)>> + Send + use<> {
        let (watched, counts) = {
            let watched = self.watched();
            ((watched.0, watched.1.len()), self.ask(Command::TakeTallies))
        };
        let app = Arc::clone(&self.app);
        async move {
            let counts = counts.all().await;
            let merged = |worker: &Arc<Worker>| (worker.id.clone(), tallies::merge(worker, &counts, watched));
            app.table.load().workers().map(merged).collect()
        }
    }

    /// Stops accepting, lets what is in flight finish within `grace`, and cuts what is left. Idle connections are closed at
    /// once. Returns what was counted since the last [`FrontDoor::take_minutes`]. Called again meanwhile, the new `grace` counts
    /// from then on in place of the old, so that a second call can hasten the first.
    pub async fn shut_down(&self, grace: Duration) -> Vec<RequestMinute> {
        let ask = |thread: &Served| {
            let (done, finished) = oneshot::channel();
            thread.commands.send(Command::ShutDown(grace, done)).ok().map(|()| finished)
        };
        let finished: Vec<_> = self.threads().iter().filter_map(ask).collect();
        let mut rows = Vec::new();
        for finished in finished {
            rows.extend(finished.await.unwrap_or_default());
        }
        minutes::merge(rows)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Arc<Worker>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, (u64, Arc<[Watch]>)> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Taken after `watched`, where both are.
    fn threads(&self) -> MutexGuard<'_, Vec<Served>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends each thread a command.
    fn ask<T>(&self, command: impl Fn(Reply<T>) -> Command) -> Replies<T> {
        let (reply, replies) = mpsc::unbounded_channel();
        for thread in self.threads().iter() {
            // a thread that has ended has nothing to say
            thread.commands.send(command(reply.clone())).ok();
        }
        Replies(replies)
    }
}

/// What the threads reply.
struct Replies<T>(mpsc::UnboundedReceiver<Vec<T>>);

impl<T> Replies<T> {
    async fn all(self) -> Vec<T> {
        let Self(mut replies) = self;
        let mut all = Vec::new();
        let gathering = async {
            while let Some(reply) = replies.recv().await {
                all.extend(reply);
            }
        };
        let _late = tokio::time::timeout(REPLY_WITHIN, gathering).await;
        // whoever is late keeps what it has; what was sent in this moment is not lost
        replies.close();
        while let Ok(reply) = replies.try_recv() {
            all.extend(reply);
        }
        all
    }
}
