//! Carries out what the fleet wants. Nothing here waits: what takes time runs beside the loop and reports back to its inbox.

use std::sync::Arc;
use std::time::Duration;

use engine::auto_heal::config::CustomAction;
use engine::auto_heal::event::{EventKind, HealEvent};
use engine::effect::Effect;
use engine::fleet::Input;
use engine::instance::Measured;
use engine::{AppName, Signal, WorkerId, instance};
use front_door::Target;
use shim::protocol::ToShim;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connected::Connected;
use super::launcher::Launcher;
use super::ledger::{Entry, Ledger};
use super::link::Link;
use super::{World, run_dir, warm_up};
use crate::doors::{Door, Doors};
use crate::stopping::Stop;
use crate::vitals;

/// How often it is looked whether a worker's last requests are done.
const DRAINED: Duration = Duration::from_millis(10);

/// How long the last records may take when Medic stops: a custom action's end is among them.
const RECORDS_LIMIT: Duration = Duration::from_secs(30);

/// The hands of the loop.
pub(super) struct Hands {
    launcher: Arc<Launcher>,
    front_doors: Doors,
    inbox: mpsc::Sender<Input>,
    ledger: mpsc::UnboundedSender<Entry>,
    writing: JoinHandle<()>,
    connected: Connected,
    stop: Stop,
}

impl Hands {
    /// `is_recalled`: what guards people begins from what was remembered.
    pub(super) fn new(world: World, inbox: mpsc::Sender<Input>, is_recalled: bool) -> Self {
        let (ledger, entries) = mpsc::unbounded_channel();
        let stop = world.stop;
        let ledger_of = Ledger::new(world.store, world.node, inbox.clone(), is_recalled, stop.clone());
        let writing = ledger_of.write(entries);
        let writing = tokio::spawn(writing);
        let launcher = Arc::new(world.launcher);
        let connected = Connected::default();
        Self { launcher, front_doors: world.front_doors, inbox, ledger, writing, connected, stop }
    }

    /// Waits until everything that was decided is written, as long as Medic may wait for that.
    pub(super) async fn finish(self) {
        drop(self.ledger);
        let _panicked = self.stop.wait("the last records", RECORDS_LIMIT, self.writing).await;
    }

    /// What guards people goes on from what was remembered.
    pub(super) fn recalled(&self) {
        self.note(Entry::Recalled);
    }

    /// How workers are started.
    pub(super) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// The workers that were started in another way than the configuration says now.
    pub(super) fn outdated(&self) -> Vec<WorkerId> {
        self.connected.all(|worker, known| {
            self.launcher.spec_hash(&worker.instance.app).is_some_and(|hash| hash != known.spec_hash)
        })
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
                    let started = link.started();
                    tokio::spawn(self.connected.add(&worker, &link, &self.inbox).run_with(link));
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
            Effect::AskHealth { worker, within } => self.ask_health(worker, within),
            Effect::Signal { worker, signal: Signal(signal) } => {
                self.connected.wish(&worker, ToShim::Signal { signal });
            }
            Effect::Arm { worker } => self.connected.wish(&worker, ToShim::Arm),
            Effect::Disarm { worker } => self.connected.wish(&worker, ToShim::Disarm),
            Effect::Route { app, workers } => self.route(&app, workers),
            Effect::Watch { app, generation, watches } => {
                if let Some(front_door) = self.front_doors.get(&app) {
                    front_door.watch(generation, watches);
                }
            }
            Effect::Drain { worker } => self.drain(worker),
            Effect::Record(crash) => self.note(Entry::Crash(crash)),
            Effect::RecordRestart(restart) => self.note(Entry::Restart(restart)),
            Effect::RecordEvent(event) => {
                tracing::warn!(worker = %event.worker, "{}", event.summary());
                self.note(Entry::Event(event));
            }
            Effect::RunAction { action, event } => self.run(action, event),
            Effect::Remember { instance, guard } => self.note(Entry::Guard(instance, guard)),
            Effect::RememberHeal { instance, guard } => self.note(Entry::HealGuard(instance, guard)),
            Effect::RememberFuse { app, state } => self.note(Entry::Fuse(app, state)),
            Effect::Acknowledge { worker } => {
                self.connected.wish(&worker, ToShim::Acknowledge);
                self.connected.remove(&worker);
            }
        }
    }

    fn start(&self, worker: WorkerId, arm: bool) {
        let (launcher, inbox, connected) =
            (Arc::clone(&self.launcher), self.inbox.clone(), self.connected.clone());
        let front_door = self.front_door(&worker.instance.app);
        tokio::spawn(async move {
            match launch(&launcher, &worker, arm, front_door).await {
                Ok(link) => {
                    // The loop must hear that it started before it hears anything else of it.
                    let (talk, input) = (connected.add(&worker, &link, &inbox), link.started());
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
        let known = self.connected.of(&worker, |known| (known.pid, known.port));
        let check = self.launcher.warm_up_check(&worker.instance.app);
        let (Some((pid, port)), Some(check)) = (known, check) else { return };
        let inbox = self.inbox.clone();
        let id = worker.clone();
        self.connected.work(&id, async move {
            warm_up::until_warm(port, &check).await;
            let measured = measure(pid).await;
            for input in [instance::Input::Listening, instance::Input::Measured(measured)] {
                let _ended = inbox.send(Input::Worker { worker: worker.clone(), input }).await;
            }
        });
    }

    fn ask_health(&self, worker: WorkerId, within: Duration) {
        let known = self.connected.of(&worker, |known| known.port);
        let path = self.launcher.health_path(&worker.instance.app);
        let (Some(port), Some(path)) = (known, path) else { return };
        let inbox = self.inbox.clone();
        let id = worker.clone();
        self.connected.work(&id, async move {
            let answered = warm_up::answers(port, &path, within).await;
            tracing::debug!(%worker, answered, path, "the worker's health path was asked for");
            let _ended = inbox.send(Input::Health { worker, answered }).await;
        });
    }

    fn drain(&self, worker: WorkerId) {
        let Some(front_door) = self.front_door(&worker.instance.app) else { return };
        let inbox = self.inbox.clone();
        let id = worker.clone();
        self.connected.work(&id, async move {
            while !front_door.is_drained(&worker) {
                tokio::time::sleep(DRAINED).await;
            }
            let _ended = inbox.send(Input::Worker { worker, input: instance::Input::Drained }).await;
        });
    }

    fn route(&self, app: &AppName, workers: Vec<WorkerId>) {
        let Some(front_door) = self.front_doors.get(app) else { return };
        let target = |worker: WorkerId| {
            self.connected.of(&worker, |known| Target { port: known.port, worker: worker.clone() })
        };
        front_door.route(workers.into_iter().filter_map(target).collect());
    }

    /// Runs the user's action beside the loop; what came of it is written down.
    fn run(&self, action: CustomAction, mut event: Box<HealEvent>) {
        let (launcher, ledger, stop) = (Arc::clone(&self.launcher), self.ledger.clone(), self.stop.clone());
        tokio::spawn(async move {
            let said = match launcher.action(&event.worker.instance) {
                Some(place) => crate::custom_action::run(&action, &place, &stop).await,
                None => "its app is not configured any more".to_owned(),
            };
            if let EventKind::Ran { result, .. } = &mut event.what {
                *result = said;
            }
            tracing::warn!(worker = %event.worker, "{}", event.summary());
            let _stopping = ledger.send(Entry::Event(event));
        });
    }

    fn note(&self, entry: Entry) {
        self.ledger.send(entry).expect("the ledger runs until its sender is dropped");
    }

    fn front_door(&self, app: &AppName) -> Option<Arc<Door>> {
        self.front_doors.get(app).cloned()
    }
}

async fn launch(
    launcher: &Arc<Launcher>,
    worker: &WorkerId,
    arm: bool,
    front_door: Option<Arc<Door>>,
) -> Result<Link, String> {
    let _turn = launcher.turn().await;
    let spec = launcher.spec(worker, arm).map_err(|error| error.to_string())?;
    let folder = run_dir::of(launcher.data_dir(), worker);
    let (program, run_dir) = (launcher.program().clone(), folder.clone());
    tokio::task::spawn_blocking(move || shim::launch(program, &run_dir, &spec))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    Link::open(worker.clone(), folder, front_door).await.map_err(|error| error.to_string())
}

/// What cannot be read is as most workers are: 64 bit, in no cgroup with a limit.
async fn measure(pid: u32) -> Measured {
    let measure = move || Measured {
        bitness: vitals::bitness(pid).unwrap_or_default(),
        cgroup_limit_bytes: vitals::cgroup_limit(pid),
    };
    tokio::task::spawn_blocking(measure).await.unwrap_or_default()
}
