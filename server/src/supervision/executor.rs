//! Carries out what the fleet wants. Nothing here waits: what takes time runs beside the loop and reports back to its inbox.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::effect::Effect;
use engine::fleet::Input;
use engine::instance;
use engine::instance::WorkerLimits;
use front_door::Target;
use insight::healing::event_summary;
use model::auto_heal::Evidence;
use model::auto_heal::config::CustomAction;
use model::auto_heal::event::{ActionEnd, EventKind, HealEvent, NotStarted};
use model::start::Readiness;
use model::{AppName, Signal, Timestamp, WorkerId};
use shim::LaunchError;
use shim::protocol::ToShim;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::connected::{Connected, Known};
use super::finder::{Finder, follow};
use super::launcher::Launcher;
use super::ledger::{Entry, Ledger};
use super::link::{Link, Origin};
use super::run_dir::RunDirs;
use super::start_observer::StartObserver;
use super::{Dependencies, code, warm_up};
use crate::doors::{Door, Doors};
use crate::stopping::Stop;
use crate::vitals;

/// How long requests wait until a worker's shim has looked who serves. Ours: it takes a millisecond.
const SHIM_LOOKS: Duration = Duration::from_millis(250);
/// How often it is looked whether a worker's last requests are done.
const DRAINED: Duration = Duration::from_millis(10);

/// How long the last records may take when Medic stops: a custom action's end is among them.
const RECORDS_LIMIT: Duration = Duration::from_secs(30);
/// How long the end waits for shims to go, which they do when they have heard that they may and have ended what their workers left.
/// Longer than a shim waits for one that does not end (`shim::orphans`), so that nothing of the apps is there when Medic has ended.
/// Whom it did not reach by then, the next Medic tells.
const SHIMS_STOP: Duration = Duration::from_secs(15);

/// Carries out effects.
pub(super) struct Executor {
    launcher: Arc<Launcher>,
    front_doors: Doors,
    inbox: mpsc::Sender<Input>,
    ledger: mpsc::UnboundedSender<Entry>,
    writing: JoinHandle<()>,
    connected: Connected,
    run_dirs: RunDirs,
    links: TaskTracker,
    stop: Stop,
}

impl Executor {
    /// `is_recalled`: what guards people begins from what was remembered.
    pub(super) fn new(dependencies: Dependencies, inbox: mpsc::Sender<Input>, is_recalled: bool) -> Self {
        let (ledger, entries) = mpsc::unbounded_channel();
        let stop = dependencies.stop;
        let run_dirs = RunDirs::of(dependencies.launcher.data_dir(), &dependencies.node);
        let ledger_of =
            Ledger::new(dependencies.store, dependencies.node, inbox.clone(), is_recalled, stop.clone());
        let writing = ledger_of.write(entries);
        let writing = tokio::spawn(writing);
        let launcher = Arc::new(dependencies.launcher);
        Self {
            launcher,
            front_doors: dependencies.front_doors,
            inbox,
            ledger,
            writing,
            connected: Connected::default(),
            run_dirs,
            links: TaskTracker::new(),
            stop,
        }
    }

    /// Waits until everything that was decided is written, and every shim that may go has heard so, as long as Medic may wait for
    /// that. Shims whose workers go on running are only left.
    pub(super) async fn finish(self, hands_over: bool) {
        self.links.close();
        if !hands_over {
            let _one_hangs = self.stop.wait("the shims", SHIMS_STOP, self.links.wait()).await;
        }
        self.run_dirs.tidy();
        drop(self.ledger);
        let _panicked = self.stop.wait("the last records", RECORDS_LIMIT, self.writing).await;
    }

    /// What guards people goes on from what was remembered; or, for a while, some of it does not yet.
    pub(super) fn recalled(&self, is_recalled: bool) {
        self.note(if is_recalled { Entry::Recalled } else { Entry::NotRecalled });
    }

    /// How workers are started.
    pub(super) fn launcher(&self) -> &Launcher {
        &self.launcher
    }

    /// The workers that were started in another way than the configuration says now.
    pub(super) fn outdated(&self) -> Vec<WorkerId> {
        self.connected.all(|worker, known| self.launcher.is_outdated(&worker.place.app, &known.spec_hash))
    }

    /// Was this one?
    pub(super) fn is_outdated(&self, worker: &WorkerId) -> bool {
        let is_outdated = |known: &Known| self.launcher.is_outdated(&worker.place.app, &known.spec_hash);
        self.connected.of(worker, is_outdated).unwrap_or(false)
    }

    /// The app's workers are watched as it is configured now.
    pub(super) fn watch(&self, app: &AppName) {
        let Some(processes) = self.launcher.watched(app) else { return };
        for worker in self.connected.all(|worker, _| worker.place.app == *app) {
            self.connected.send(&worker, ToShim::Watch { processes });
        }
    }

    /// Links with every shim that may have outlived the last Medic, beside the loop; each says what its worker is, or that it is
    /// gone. Returns which they are; `None` where that cannot be told yet: then they come later.
    pub(super) fn take_over(&self) -> Option<Vec<WorkerId>> {
        let finder = Finder {
            run_dirs: self.run_dirs.clone(),
            launcher: Arc::clone(&self.launcher),
            front_doors: self.front_doors.clone(),
            inbox: self.inbox.clone(),
            connected: self.connected.clone(),
            links: self.links.clone(),
        };
        match finder.find() {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::error!(%error, "the running workers cannot be listed; trying again");
                tokio::spawn(finder.find_later());
                None
            }
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker, arm } => self.start(worker, arm),
            Effect::Probe { worker } => self.probe(worker),
            Effect::AskHealth { worker, within } => self.ask_health(worker, within),
            Effect::Signal { worker, signal: Signal(signal) } => {
                if let Some(front_door) = self.front_doors.get(&worker.place.app) {
                    front_door.worker_ends(&worker);
                }
                self.connected.send(&worker, ToShim::Signal { signal });
            }
            Effect::Arm { worker } => self.connected.send(&worker, ToShim::Arm),
            Effect::Disarm { worker } => self.connected.send(&worker, ToShim::Disarm),
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
                tracing::warn!(worker = %event.worker, "{}", event_summary(&event));
                self.note(Entry::Event(event));
            }
            Effect::RecordChange(change) => self.note(Entry::Change(change)),
            Effect::RunAction { worker, at, action, evidence } => self.run(worker, at, action, *evidence),
            Effect::RememberCrashMonitor { place, state } => self.note(Entry::CrashMonitor(place, state)),
            Effect::RememberAutoHeal { place, state } => self.note(Entry::AutoHeal(place, state)),
            Effect::RememberFuse { app, state } => self.note(Entry::Fuse(app, state)),
            Effect::AcknowledgeChild { worker, process } => {
                self.connected.send(&worker, ToShim::AcknowledgeChild { process });
            }
            Effect::Acknowledge { worker } => {
                self.connected.send(&worker, ToShim::Acknowledge);
                self.connected.remove(&worker);
            }
        }
    }

    /// Whoever is started is linked with, however long that takes, so that nobody runs whom nobody knows.
    fn start(&self, worker: WorkerId, arm: bool) {
        let Some(requests) = self.connected.add(&worker) else { return };
        let (launcher, run_dirs) = (Arc::clone(&self.launcher), self.run_dirs.clone());
        let (inbox, connected) = (self.inbox.clone(), self.connected.clone());
        let front_door = self.front_door(&worker.place.app);
        let ledger = self.ledger.clone();
        self.links.spawn(async move {
            match launch(&launcher, &run_dirs, ledger, &worker, arm).await {
                Ok(run_dir) => {
                    let origin = Origin::Launched;
                    let (warm_up_check, group) = (None, launcher.group_of(&worker));
                    // as it was started
                    let watched = None;
                    let link = Link {
                        worker,
                        run_dir,
                        origin,
                        front_door,
                        warm_up_check,
                        watched,
                        inbox,
                        connected,
                        requests,
                        group,
                    };
                    follow(link, launcher).await;
                }
                Err(reason) => {
                    tracing::warn!(%worker, reason, "a worker could not be started");
                    connected.remove(&worker);
                    let input = instance::WorkerEvent::StartFailed { reason };
                    let _ended = inbox.send(Input::Worker { worker, input }).await;
                }
            }
        });
    }

    fn probe(&self, worker: WorkerId) {
        let known = self.connected.of(&worker, |known| (known.pid, known.address.port(), known.tree.clone()));
        let check = self.launcher.warm_up_check(&worker.place.app);
        let (Some((pid, port, tree)), Some(check)) = (known, check) else { return };
        let (inbox, connected) = (self.inbox.clone(), self.connected.clone());
        let id = worker.clone();
        self.connected.work(&id, async move {
            let (found, seen) = watch::channel(Readiness::NotListening);
            let observer = StartObserver {
                worker: worker.clone(),
                pid,
                port,
                tree: tree.clone(),
                found: seen,
                inbox: inbox.clone(),
            };
            let address = tokio::select! {
                address = warm_up::until_warm(port, &tree, &check, &found) => address,
                never = observer.run() => match never {},
            };
            connected.reached(&worker, address);
            let tell = |input| inbox.send(Input::Worker { worker: worker.clone(), input });
            // a request may kill whom the shim has not found yet, so that it looks before the first one comes
            let warm = connected.ask(&worker, ToShim::Warm { address: Some(address) });
            let _without_it = tokio::time::timeout(SHIM_LOOKS, warm).await;
            let _ended = tell(instance::WorkerEvent::Listening).await;
            // it may have gone into the background
            let pid = connected.of(&worker, |known| known.pid).unwrap_or(pid);
            let _ended = tell(instance::WorkerEvent::Limits(measure(pid).await)).await;
        });
    }

    fn ask_health(&self, worker: WorkerId, within: Duration) {
        let known = self.connected.of(&worker, |known| known.address);
        let path = self.launcher.health_path(&worker.place.app);
        let (Some(address), Some(path)) = (known, path) else { return };
        let inbox = self.inbox.clone();
        let id = worker.clone();
        self.connected.work(&id, async move {
            let answered = warm_up::answers(address, &path, within).await;
            tracing::debug!(%worker, answered, path, "the worker's health path was asked for");
            let _ended = inbox.send(Input::Health { worker, answered }).await;
        });
    }

    fn drain(&self, worker: WorkerId) {
        let Some(front_door) = self.front_door(&worker.place.app) else { return };
        let inbox = self.inbox.clone();
        let id = worker.clone();
        self.connected.work(&id, async move {
            while !front_door.is_drained(&worker) {
                tokio::time::sleep(DRAINED).await;
            }
            let _ended = inbox.send(Input::Worker { worker, input: instance::WorkerEvent::Drained }).await;
        });
    }

    fn route(&self, app: &AppName, workers: Vec<WorkerId>) {
        let Some(front_door) = self.front_doors.get(app) else { return };
        let target = |worker: WorkerId| {
            self.connected.of(&worker, |known| Target { address: known.address, worker: worker.clone() })
        };
        front_door.route(workers.into_iter().filter_map(target).collect());
    }

    /// Runs the user's action beside the loop; what came of it is written down.
    fn run(&self, worker: WorkerId, at: Timestamp, action: CustomAction, evidence: Evidence) {
        let (launcher, ledger, stop) = (Arc::clone(&self.launcher), self.ledger.clone(), self.stop.clone());
        tokio::spawn(async move {
            let result = match launcher.action(&worker.place) {
                Some(context) => crate::custom_action::run(&action, &context, &stop).await,
                None => ActionEnd::NotStarted { why: NotStarted::AppRemoved }.into(),
            };
            let what = EventKind::Ran { exe: action.exe, result };
            let event = HealEvent { worker, at, evidence, what };
            tracing::warn!(worker = %event.worker, "{}", event_summary(&event));
            let _stopping = ledger.send(Entry::Event(Box::new(event)));
        });
    }

    fn note(&self, entry: Entry) {
        self.ledger.send(entry).expect("the ledger runs until its sender is dropped");
    }

    fn front_door(&self, app: &AppName) -> Option<Arc<Door>> {
        self.front_doors.get(app)
    }
}

/// Starts the worker's shim; where its run folder is.
async fn launch(
    launcher: &Arc<Launcher>,
    run_dirs: &RunDirs,
    ledger: mpsc::UnboundedSender<Entry>,
    worker: &WorkerId,
    arm: bool,
) -> Result<PathBuf, String> {
    let _turn = launcher.turn().await;
    let spec = launcher.spec(worker, arm).map_err(|error| error.to_string())?;
    let (fork_server, run_dirs, worker) =
        (Arc::clone(launcher.fork_server()), run_dirs.clone(), worker.clone());
    let launch = move || {
        // before the worker, which may change its own files
        let _ended = ledger.send(Entry::Started(worker.clone(), Box::new(code::of(&spec))));
        let run_dir = run_dirs.for_new(&worker);
        let refused = match shim::launch(&fork_server, &run_dir, &spec) {
            Ok(()) => return Ok(run_dir),
            Err(error @ LaunchError::RunDirectory { .. }) => error,
            Err(error) => return Err(error.to_string()),
        };
        let instead = run_dirs.instead(&worker).ok_or_else(|| refused.to_string())?;
        shim::launch(&fork_server, &instead, &spec).map_err(|error| format!("{refused}; and {error}"))?;
        tracing::warn!(%worker, instead = %instead.display(), "{refused}; until then its run folder is in memory");
        Ok(instead)
    };
    tokio::task::spawn_blocking(launch).await.map_err(|error| error.to_string())?
}

/// What cannot be read is as most workers are: 64 bit, in no cgroup with a limit.
async fn measure(pid: u32) -> WorkerLimits {
    let measure = move || WorkerLimits {
        bitness: vitals::bitness(pid).unwrap_or_default(),
        cgroup_limit_bytes: vitals::cgroup_limit(pid),
    };
    tokio::task::spawn_blocking(measure).await.unwrap_or_default()
}
