//! The one loop that decides: it owns the fleet of all instances, feeds it what happens, carries out what it wants, and
//! publishes a numbered snapshot that pages and server-sent events read.
//!
//! Everything that waits (starting a shim, talking to one, writing to the store) runs beside the loop and comes back as an
//! input. The inbox is bounded: when Medic cannot keep up, shims wait, and nothing is dropped.

mod code;
mod connected;
mod executor;
mod finder;
mod handle;
mod launcher;
mod ledger;
mod link;
mod run_dir;
mod sampler;
mod session;
mod start_observer;
mod warm_up;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::fleet::{AppStart, Fleet, Input, Remembered};
use engine::instance::CrashAnalysis;
use model::status::{MedicHealth, Snapshot};
use model::{Clock, NodeName, WorkerId};
use shim::LocalWorker;
use store::Store;
use tokio::sync::{mpsc, watch};

pub use handle::{Reload, Supervision};
pub use launcher::Launcher;
pub use sampler::{MemoryMinutes, WAITING_LIMIT};

use crate::doors::Doors;
use crate::stopping::Stop;
use executor::Executor;
use handle::{Command, Request};

/// How many events may wait for the loop.
const INBOX: usize = 1_024;
/// How many requests of people may.
const REQUESTS: usize = 64;
/// What is due by the wall clock may be due at any moment when that is set: nobody tells, so it is looked at now and then.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// What the engine leaves to the analysis of crashes.
const ANALYSIS: CrashAnalysis =
    CrashAnalysis { name_incident: crash::incident_id, without_shim: crash::findings_without_shim };

/// Are there run folders of workers, with a server or without one?
pub fn are_workers_left(data_dir: &Path) -> bool {
    workers(data_dir).is_ok_and(|workers| !workers.is_empty())
}

/// Every worker of a data folder that may live, whoever started it, also one that is being replaced: it has a run folder from before
/// its start until after its end.
pub fn workers(data_dir: &Path) -> io::Result<Vec<LocalWorker>> {
    let node = NodeName::of_hostname("");
    let found = run_dir::RunDirs::of(data_dir, &node).workers()?;
    Ok(found.iter().map(|(worker, _)| worker.into()).collect())
}

/// What the loop needs of the rest of Medic.
pub struct Dependencies {
    /// This machine's name.
    pub node: NodeName,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where crashes, restarts and what is to be remembered go.
    pub store: Store,
    /// Where requests come in.
    pub front_doors: Doors,
    /// How workers are started.
    pub launcher: Launcher,
    /// Where the workers' memory is noted down.
    pub memory: MemoryMinutes,
    /// How Medic itself does.
    pub health: watch::Receiver<MedicHealth>,
    /// When Medic is asked to stop.
    pub stop: Stop,
}

/// Starts the loop, which takes over the workers that are already running. Nothing here waits for one of them. Without
/// `remembered` it begins from nothing, and nothing that guards people is written before [`Supervision::recall`] has said what
/// was. The handle ends when everything is stopped.
pub fn start(
    dependencies: Dependencies,
    apps: Vec<AppStart>,
    remembered: Option<&Remembered>,
) -> (Supervision, tokio::task::JoinHandle<()>) {
    let (inbox, events) = mpsc::channel(INBOX);
    let (ask, requests) = mpsc::channel(REQUESTS);
    let (publish, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let clock = Arc::clone(&dependencies.clock);
    let nothing = Remembered::default();
    let fleet = Fleet::new(clock.now(), &dependencies.node, apps, remembered.unwrap_or(&nothing), ANALYSIS);
    let health = dependencies.health.clone();
    let sampler = sampler::Sampler::new(&dependencies, snapshot.clone());
    let sampling = tokio::spawn(sampler.run(inbox.clone())).abort_handle();
    let executor = Executor::new(dependencies, inbox, remembered.is_some());
    let (replaced, number) = (BTreeSet::new(), 0);
    let mut running = Loop {
        fleet,
        clock,
        events,
        requests,
        executor,
        health,
        publish,
        number,
        replaced,
        hands_over: false,
    };
    // Whoever asks from now on is told of every app.
    running.take_over();
    let ended = tokio::spawn(async move {
        running.run().await;
        sampling.abort();
    });
    (Supervision::new(ask, snapshot), ended)
}

struct Loop {
    fleet: Fleet,
    clock: Arc<dyn Clock>,
    events: mpsc::Receiver<Input>,
    requests: mpsc::Receiver<Request>,
    executor: Executor,
    health: watch::Receiver<MedicHealth>,
    publish: watch::Sender<Arc<Snapshot>>,
    number: u64,
    /// The workers of which it is said that they are replaced. Those that drain are there when the configuration is read again.
    replaced: BTreeSet<WorkerId>,
    /// The workers are the next Medic's.
    hands_over: bool,
}

impl Loop {
    /// Lets the fleet know who may have outlived the last Medic before it may start anybody.
    fn take_over(&mut self) {
        let workers = self.executor.take_over();
        self.step(Input::Returning { workers });
    }

    async fn run(mut self) {
        while !self.fleet.is_stopped() && !self.hands_over {
            let now = self.clock.now();
            let due = self.fleet.deadline(now).map_or(LONGEST_SLEEP, |at| at.since(now.monotonic));
            let wait = due.min(LONGEST_SLEEP);
            tokio::select! {
                input = self.events.recv() => self.step(input.unwrap_or(Input::Stop)),
                Some((command, done)) = self.requests.recv() => {
                    self.fulfil(command);
                    let _nobody_waits = done.send(());
                }
                Ok(()) = self.health.changed() => self.step(Input::Tick),
                () = tokio::time::sleep(wait) => self.step(Input::Tick),
            }
        }
        self.executor.finish(self.hands_over).await;
    }

    fn fulfil(&mut self, command: Command) {
        match command {
            Command::Input(input) => self.step(*input),
            Command::Reload(reload) => self.reload(*reload),
            Command::HandOver => self.hands_over = true,
        }
    }

    fn reload(&mut self, Reload { apps, configuration, is_recalled }: Reload) {
        self.executor.launcher().apps().replace(&apps);
        if !is_recalled {
            self.executor.recalled(false);
        }
        self.step(Input::Configured(Box::new(configuration)));
        for app in &apps {
            self.executor.watch(&app.name);
        }
        self.replace_outdated();
    }

    fn replace_outdated(&mut self) {
        let outdated = self.executor.outdated();
        self.replaced.retain(|worker| outdated.contains(worker));
        for worker in outdated {
            self.replace(worker);
        }
    }

    fn replace(&mut self, worker: WorkerId) {
        if self.replaced.insert(worker.clone()) {
            tracing::info!(%worker, "its command, folder, environment, user or limits changed: Medic replaces it");
        }
        self.decide(Input::Outdated { worker });
    }

    /// A worker is compared with the configuration when it is there and when it takes over, too: that may have changed since its
    /// start was decided.
    fn step(&mut self, input: Input) {
        let compared = match &input {
            Input::Worker { worker, input } if input.is_arrival() => Some(worker.clone()),
            _ => None,
        };
        self.decide(input);
        // a replacement without a pause does not wait for the timer, which counts in whole milliseconds
        let now = self.clock.now();
        if self.fleet.deadline(now).is_some_and(|due| due.since(now.monotonic).is_zero()) {
            self.decide(Input::Tick);
        }
        if let Some(worker) = compared.filter(|worker| self.executor.is_outdated(worker)) {
            self.replace(worker);
        }
    }

    fn decide(&mut self, input: Input) {
        let now = self.clock.now();
        let written = matches!(&input, Input::Written)
            || matches!(&input, Input::Worker { input, .. } if input.is_recorded());
        let is_recalled = matches!(&input, Input::Recalled(_));
        let mut effects = Vec::new();
        self.fleet.step(now, input, &mut effects);
        for effect in effects {
            self.executor.carry_out(effect);
        }
        if is_recalled {
            self.executor.recalled(true);
        }
        let (apps, heal) = (self.fleet.apps(now), self.fleet.heal(now));
        let mut snapshot = Snapshot { number: self.number, apps, heal, medic: MedicHealth::default() };
        snapshot.set_medic(self.health.borrow().clone());
        let is_news = {
            let published = self.publish.borrow();
            written || snapshot.apps != published.apps || snapshot.medic != published.medic
        };
        self.number += u64::from(is_news);
        snapshot.number = self.number;
        // What auto-heal sees moves every second: whoever reads has it, nobody is woken for it.
        self.publish.send_if_modified(|published| {
            *published = Arc::new(snapshot);
            is_news
        });
    }
}
