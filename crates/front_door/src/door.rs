//! The handle on one app's front door.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc as blocking};
use std::time::Duration;

use engine::auto_heal::{Tallies, Watch};
use engine::requests::RequestMinute;
use engine::{Clock, WorkerId};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};

use crate::listen::listen;
use crate::settings::{BindError, Death, DeathToll, FrontDoorSettings, Target};
use crate::table::Table;
use crate::thread::{self, Command, Shared};
use crate::worker::RoutedWorker;
use crate::{minutes, tallies, toll};

const THREADS_AT_MOST: usize = 64;

/// A thread answers a command between two requests, within microseconds. One that does not, on a machine that stands still, is
/// not waited for: whoever asks decides about other apps too.
const REPLY_WITHIN: Duration = Duration::from_millis(500);

/// Workers that take no requests and have none, whose toll may still be asked for; the oldest are forgotten first.
const FORMER_WORKERS: usize = 256;

/// One app's open front door. Dropping it closes it at once; [`FrontDoor::shut_down`] lets requests finish.
///
/// All methods may be called from any thread. Those that ask the serving threads ([`FrontDoor::worker_died`],
/// [`FrontDoor::take_minutes`], [`FrontDoor::tallies`]) block for their answer: microseconds, at most half a second per thread.
pub struct FrontDoor {
    shared: Arc<Shared>,
    address: SocketAddr,
    threads: Vec<mpsc::UnboundedSender<Command>>,
    /// Every worker that takes requests, may still have some, or whose toll may be asked for; oldest first.
    known: Mutex<Vec<Arc<RoutedWorker>>>,
    /// The generation and length of the list that is counted by. Held while the threads are asked, so that all of them count by
    /// the same.
    watched: Mutex<(u64, usize)>,
}

impl FrontDoor {
    /// Listens and starts the threads. No request finds a worker before [`FrontDoor::route`] has named one.
    pub fn bind(settings: FrontDoorSettings, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if settings.threads == 0 { cores() } else { settings.threads }.min(THREADS_AT_MOST);
        let listeners = listen(&settings.app, settings.listen, count)?;
        let address = listeners.first().and_then(|first| first.local_addr().ok()).unwrap_or(settings.listen);
        let app = settings.app.clone();
        let shared = Arc::new(Shared::new(settings, clock, address));
        let threads = listeners
            .into_iter()
            .map(|listener| start(&shared, listener))
            .collect::<io::Result<_>>()
            .map_err(|source| BindError::Other { app, address, source })?;
        Ok(Self { shared, address, threads, known: Mutex::default(), watched: Mutex::default() })
    }

    /// Where it listens: the settings' address with the port that was taken for 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who takes new requests from now on. A worker that is left out gets no new ones; its requests in flight finish. Requests
    /// that wait for a worker are given out.
    pub fn route(&self, targets: Vec<Target>) {
        let mut known = self.known();
        let table = Table::next(targets, &known);
        let routed = table.workers().to_vec();
        self.shared.publish(table);
        let out = |worker: &Arc<RoutedWorker>| !routed.iter().any(|routed| Arc::ptr_eq(routed, worker));
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
    /// The worker takes no new ones. The toll includes requests whose connection broke in the two seconds before this call.
    /// To be called as often as the worker's death becomes known; each call tells only what no call has told before. To be
    /// called as soon as it is known: with [`FrontDoorSettings::retries`], requests wait for it that may be tried again.
    pub fn worker_died(&self, worker: &WorkerId, death: Death) -> DeathToll {
        let known = self.known();
        let dead: Vec<_> = known.iter().filter(|known| known.id == *worker).cloned().collect();
        for worker in &dead {
            worker.bury();
        }
        let table = self.shared.table.load();
        if table.workers().iter().any(|routed| routed.id == *worker) {
            self.shared.publish(table.without(worker));
        }
        drop(known);
        let casualties = self.ask(|reply| Command::Bury(worker.clone(), reply));
        toll::reckon(&dead, death, casualties, |waiting| self.shared.may_retry(waiting))
    }

    /// The requests (and open tunnels) that a worker is serving.
    pub fn in_flight(&self, worker: &WorkerId) -> u32 {
        self.known().iter().filter(|known| known.id == *worker).map(|known| known.in_flight()).sum()
    }

    /// What was counted since the last call: one row per instance and minute, oldest first. Whoever calls it several times a
    /// minute gets several rows of that minute, to be merged.
    ///
    /// A request is counted when its answer's last byte is handed to the client's connection (a tunnel when it is opened), in
    /// that moment's minute, for the instance that answered or last had it; one that no worker took counts for the lowest
    /// instance that was routed. A client that went away before its answer counts as 4xx, like nginx's 499. What hyper refuses
    /// before it is a request (malformed, headers too large) is not counted. `most_in_flight` is a single worker's: during a
    /// replacement the old and the new one of an instance are not added up.
    pub fn take_minutes(&self) -> Vec<RequestMinute> {
        let rows = self.ask(Command::TakeMinutes);
        minutes::merge(rows)
    }

    /// Replaces the list of requests to count (see [`Watch`]); `generation` names it. What the old list's watches counted since
    /// the last [`FrontDoor::tallies`] is forgotten.
    pub fn watch(&self, generation: u64, watches: Vec<Watch>) {
        let mut current = self.watched();
        *current = (generation, watches.len());
        let watches: Arc<[Watch]> = watches.into();
        for thread in &self.threads {
            // a thread that has ended counts nothing
            thread.send(Command::Watch(generation, Arc::clone(&watches))).ok();
        }
    }

    /// For each worker that takes requests: those that ended since the last call, and those that are running now. A request
    /// counts for the worker that has it, so one that waits for a worker counts for none. A tunnel has ended when it is opened,
    /// with the status 101; a client that went away ended its request with 499.
    pub fn tallies(&self) -> Vec<(WorkerId, Tallies)> {
        let watched = self.watched();
        let counts = self.ask(Command::TakeTallies);
        let table = self.shared.table.load();
        let merged =
            |worker: &Arc<RoutedWorker>| (worker.id.clone(), tallies::merge(worker, &counts, *watched));
        table.workers().iter().map(merged).collect()
    }

    /// Stops accepting, lets what is in flight finish within `grace`, and cuts what is left. Idle connections are closed at
    /// once. Returns what was counted since the last [`FrontDoor::take_minutes`]. Called again meanwhile, the new `grace` counts
    /// from then on in place of the old, so that a second call can hasten the first.
    pub async fn shut_down(&self, grace: Duration) -> Vec<RequestMinute> {
        let ask = |thread: &mpsc::UnboundedSender<Command>| {
            let (done, finished) = oneshot::channel();
            thread.send(Command::ShutDown(grace, done)).ok().map(|()| finished)
        };
        let finished: Vec<_> = self.threads.iter().filter_map(ask).collect();
        let mut rows = Vec::new();
        for finished in finished {
            rows.extend(finished.await.unwrap_or_default());
        }
        minutes::merge(rows)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Arc<RoutedWorker>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watched(&self) -> MutexGuard<'_, (u64, usize)> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends each thread a command and gathers the replies.
    fn ask<T>(&self, command: impl Fn(blocking::Sender<Vec<T>>) -> Command) -> Vec<T> {
        let (reply, replies) = blocking::channel();
        let asked = self.threads.iter().filter(|thread| thread.send(command(reply.clone())).is_ok()).count();
        (0..asked).map_while(|_| replies.recv_timeout(REPLY_WITHIN).ok()).flatten().collect()
    }
}

fn start(
    shared: &Arc<Shared>,
    listener: std::net::TcpListener,
) -> io::Result<mpsc::UnboundedSender<Command>> {
    let (commands, obeyed) = mpsc::unbounded_channel();
    let shared = Arc::clone(shared);
    let (report, ready) = blocking::channel();
    std::thread::Builder::new().name("front door".to_owned()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => {
                report.send(Err(error)).ok();
                return;
            }
        };
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => {
                    report.send(Ok(())).ok();
                    thread::run(shared, listener, obeyed).await;
                }
                Err(error) => {
                    report.send(Err(error)).ok();
                }
            }
        });
    })?;
    ready.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended as it began")))?;
    Ok(commands)
}
