//! Carries out what the fleet wants. Nothing here waits: what takes time runs beside the loop and reports back to its inbox.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use engine::effect::Effect;
use engine::fleet::Input;
use engine::{AppName, Signal, WorkerId, instance};
use front_door::{FrontDoor, Target};
use shim::protocol::ToShim;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

use super::launcher::Launcher;
use super::ledger::{self, Entry};
use super::link::Link;
use super::{FrontDoors, World, run_dir};

/// How often a starting worker's port is tried.
const PROBE: Duration = Duration::from_millis(20);

/// A worker whose shim is connected.
struct Connected {
    port: u16,
    wishes: mpsc::UnboundedSender<ToShim>,
    probe: Option<AbortHandle>,
}

/// The hands of the loop.
pub(super) struct Hands {
    launcher: Arc<Launcher>,
    front_doors: FrontDoors,
    inbox: mpsc::Sender<Input>,
    ledger: mpsc::UnboundedSender<Entry>,
    writing: JoinHandle<()>,
    connected: ConnectedMap,
}

type ConnectedMap = Arc<Mutex<BTreeMap<WorkerId, Connected>>>;

impl Hands {
    pub(super) fn new(world: World, inbox: mpsc::Sender<Input>) -> Self {
        let (ledger, entries) = mpsc::unbounded_channel();
        let writing = tokio::spawn(ledger::write(world.store, world.node, entries, inbox.clone()));
        let launcher = Arc::new(world.launcher);
        Self { launcher, front_doors: world.front_doors, inbox, ledger, writing, connected: Arc::default() }
    }

    /// Waits until everything that was decided is written.
    pub(super) async fn finish(self) {
        drop(self.ledger);
        let _panicked = self.writing.await;
    }

    /// Connects to every shim that outlived the last Medic, and says what each worker is. What no shim lives in any more is
    /// removed.
    pub(super) async fn adopt_all(&self) -> Vec<(WorkerId, instance::Input)> {
        let data_dir = self.launcher.data_dir();
        let workers = run_dir::workers(data_dir).unwrap_or_else(|error| {
            tracing::error!(%error, folder = %run_dir::root(data_dir).display(), "the running workers cannot be listed");
            Vec::new()
        });
        let mut adopted = Vec::new();
        for worker in workers {
            let folder = run_dir::of(data_dir, &worker);
            match Link::open(worker.clone(), folder.clone(), self.front_door(&worker.instance.app)).await {
                Ok(link) => {
                    tracing::info!(%worker, "taking over");
                    if self
                        .launcher
                        .spec_hash(&worker.instance.app)
                        .is_some_and(|hash| hash != link.spec_hash)
                    {
                        tracing::warn!(%worker, "it keeps the command and environment that it was started with until it is started again");
                    }
                    let started = link.started();
                    tokio::spawn(connect(&self.connected, &worker, &link, &self.inbox).run_with(link));
                    adopted.push((worker, started));
                }
                Err(error) => {
                    tracing::warn!(%worker, %error, "a worker's run folder is left over and removed");
                    let _already_gone = std::fs::remove_dir_all(folder);
                }
            }
        }
        adopted
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker, arm } => self.start(worker, arm),
            Effect::Probe { worker } => self.probe(worker),
            Effect::Signal { worker, signal: Signal(signal) } => {
                self.wish(&worker, ToShim::Signal { signal });
            }
            Effect::Arm { worker } => self.wish(&worker, ToShim::Arm),
            Effect::Disarm { worker } => self.wish(&worker, ToShim::Disarm),
            Effect::Route { app, workers } => self.route(&app, workers),
            Effect::Record(crash) => self.note(Entry::Crash(crash)),
            Effect::Remember { instance, guard } => self.note(Entry::Guard(instance, guard)),
            Effect::Acknowledge { worker } => {
                self.wish(&worker, ToShim::Acknowledge);
                disconnect(&self.connected, &worker);
            }
        }
    }

    fn start(&self, worker: WorkerId, arm: bool) {
        let (launcher, inbox, connected) =
            (Arc::clone(&self.launcher), self.inbox.clone(), Arc::clone(&self.connected));
        let front_door = self.front_door(&worker.instance.app);
        tokio::spawn(async move {
            match launch(&launcher, &worker, arm, front_door).await {
                Ok(link) => {
                    // The loop must hear that it started before it hears anything else of it.
                    let (talk, input) = (connect(&connected, &worker, &link, &inbox), link.started());
                    let _ended = inbox.send(Input::Worker { worker, input }).await;
                    talk.run_with(link).await;
                }
                Err(reason) => {
                    tracing::warn!(%worker, reason, "a worker could not be started");
                    let input = instance::Input::StartFailed { reason };
                    let _ended = inbox.send(Input::Worker { worker, input }).await;
                }
            }
        });
    }

    fn probe(&self, worker: WorkerId) {
        let mut connected = lock(&self.connected);
        let Some(entry) = connected.get_mut(&worker) else { return };
        let (port, inbox) = (entry.port, self.inbox.clone());
        let task = tokio::spawn(async move {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
                tokio::time::sleep(PROBE).await;
            }
            let _ended = inbox.send(Input::Worker { worker, input: instance::Input::Listening }).await;
        });
        if let Some(earlier) = entry.probe.replace(task.abort_handle()) {
            earlier.abort();
        }
    }

    fn route(&self, app: &AppName, workers: Vec<WorkerId>) {
        let Some(front_door) = self.front_doors.get(app) else { return };
        let connected = lock(&self.connected);
        let target = |worker: WorkerId| {
            connected.get(&worker).map(|entry| Target { port: entry.port, worker: worker.clone() })
        };
        front_door.route(workers.into_iter().filter_map(target).collect());
    }

    /// A worker without a connection has no shim any more, and its loss is on its way to the inbox.
    fn wish(&self, worker: &WorkerId, wish: ToShim) {
        if let Some(entry) = lock(&self.connected).get(worker) {
            let _gone = entry.wishes.send(wish);
        }
    }

    fn note(&self, entry: Entry) {
        self.ledger.send(entry).expect("the ledger runs until its sender is dropped");
    }

    fn front_door(&self, app: &AppName) -> Option<Arc<FrontDoor>> {
        self.front_doors.get(app).cloned()
    }
}

/// What a link needs to begin.
struct Talk {
    worker: WorkerId,
    wishes: mpsc::UnboundedReceiver<ToShim>,
    inbox: mpsc::Sender<Input>,
    connected: ConnectedMap,
}

impl Talk {
    async fn run_with(self, link: Link) {
        link.run(self.wishes, self.inbox).await;
        disconnect(&self.connected, &self.worker);
    }
}

/// Nothing more is wished of the worker, and nobody looks for its port any more.
fn disconnect(connected: &ConnectedMap, worker: &WorkerId) {
    if let Some(Connected { probe: Some(probe), .. }) = lock(connected).remove(worker) {
        probe.abort();
    }
}

/// From now on the loop's wishes for the worker wait for its link.
fn connect(connected: &ConnectedMap, worker: &WorkerId, link: &Link, inbox: &mpsc::Sender<Input>) -> Talk {
    let (wishes, receiver) = mpsc::unbounded_channel();
    lock(connected).insert(worker.clone(), Connected { port: link.port, wishes, probe: None });
    Talk { worker: worker.clone(), wishes: receiver, inbox: inbox.clone(), connected: Arc::clone(connected) }
}

async fn launch(
    launcher: &Arc<Launcher>,
    worker: &WorkerId,
    arm: bool,
    front_door: Option<Arc<FrontDoor>>,
) -> Result<Link, String> {
    let spec =
        launcher.spec(worker, arm).ok_or_else(|| "no port between 20000 and 31999 is free".to_owned())?;
    let folder = run_dir::of(launcher.data_dir(), worker);
    let (program, run_dir) = (launcher.program().to_owned(), folder.clone());
    tokio::task::spawn_blocking(move || shim::launch(&program, &run_dir, &spec))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    Link::open(worker.clone(), folder, front_door).await.map_err(|error| error.to_string())
}

fn lock(connected: &ConnectedMap) -> MutexGuard<'_, BTreeMap<WorkerId, Connected>> {
    connected.lock().expect("nothing panics while it holds the map")
}
