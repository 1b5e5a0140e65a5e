//! The one loop that decides: it owns the fleet of all instances, feeds it what happens, carries out what it wants, and
//! publishes a numbered snapshot that pages and server-sent events read.
//!
//! Everything that waits (starting a shim, talking to one, writing to the store) runs beside the loop and comes back as an
//! input. The inbox is bounded: when Medic cannot keep up, shims wait, and nothing is dropped.

mod hands;
mod launcher;
mod ledger;
mod link;
mod run_dir;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use engine::crash_monitor::Guard;
use engine::fleet::{AppSpec, Fleet, Input};
use engine::settings::AppSettings;
use engine::status::Snapshot;
use engine::{AppName, Clock, InstanceKey};
use front_door::FrontDoor;
use store::Store;
use tokio::sync::{Notify, mpsc, watch};

pub use launcher::Launcher;

use hands::Hands;

/// How many events may wait for the loop.
const INBOX: usize = 1_024;

/// The front doors of all apps.
pub type FrontDoors = Arc<BTreeMap<AppName, Arc<FrontDoor>>>;

/// What the loop needs of the world.
pub struct World {
    /// This machine's name.
    pub node: String,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Where crashes and guards go.
    pub store: Store,
    /// Where requests come in.
    pub front_doors: FrontDoors,
    /// How workers are started.
    pub launcher: Launcher,
}

/// The loop, seen from outside.
#[derive(Clone)]
pub struct Supervision {
    inbox: mpsc::Sender<Input>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    hasten: Arc<Notify>,
}

impl Supervision {
    /// What is true now; wait on it for changes.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// An app's settings changed.
    pub async fn configure(&self, app: AppName, settings: AppSettings) {
        let _ended = self.inbox.send(Input::Settings { app, settings }).await;
    }

    /// Stops every worker, each within its grace.
    pub async fn stop(&self) {
        let _ended = self.inbox.send(Input::Stop).await;
    }

    /// Kills what was asked to stop and has not.
    pub async fn hasten(&self) {
        self.hasten.notify_one();
        let _ended = self.inbox.send(Input::Stop).await;
    }

    /// Ends when [`Supervision::hasten`] is called.
    pub async fn hastened(&self) {
        self.hasten.notified().await;
    }
}

/// Takes over the workers that are already running, then starts the loop. The handle ends when everything is stopped.
pub async fn start(
    world: World,
    specs: Vec<(AppSpec, AppSettings)>,
    guards: BTreeMap<InstanceKey, Guard>,
) -> (Supervision, tokio::task::JoinHandle<()>) {
    let (inbox, events) = mpsc::channel(INBOX);
    let (publish, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let clock = Arc::clone(&world.clock);
    let fleet = Fleet::new(clock.now(), &world.node, specs, &guards, crash::incident_id);
    let mut running =
        Loop { fleet, clock, events, hands: Hands::new(world, inbox.clone()), publish, number: 0 };
    running.take_over().await;
    (Supervision { inbox, snapshot, hasten: Arc::default() }, tokio::spawn(running.run()))
}

struct Loop {
    fleet: Fleet,
    clock: Arc<dyn Clock>,
    events: mpsc::Receiver<Input>,
    hands: Hands,
    publish: watch::Sender<Arc<Snapshot>>,
    number: u64,
}

impl Loop {
    /// Lets the fleet know every worker that outlived the last Medic before it may start any.
    async fn take_over(&mut self) {
        for (worker, input) in self.hands.adopt_all().await {
            self.step(Input::Worker { worker, input });
        }
    }

    async fn run(mut self) {
        self.step(Input::Tick);
        while !self.fleet.is_stopped() {
            let wait = self.fleet.deadline().map_or(Duration::from_hours(1), |at| at.since(self.clock.now()));
            let input = tokio::select! {
                input = self.events.recv() => input.unwrap_or(Input::Stop),
                () = tokio::time::sleep(wait) => Input::Tick,
            };
            self.step(input);
        }
        self.hands.finish().await;
    }

    fn step(&mut self, input: Input) {
        let now = self.clock.now();
        let recorded = matches!(&input, Input::Worker { input: engine::instance::Input::Recorded, .. });
        let mut effects = Vec::new();
        self.fleet.step(now, input, &mut effects);
        for effect in effects {
            self.hands.carry_out(effect);
        }
        let apps = self.fleet.apps(now);
        if recorded || apps != self.publish.borrow().apps {
            self.number += 1;
            self.publish.send_replace(Arc::new(Snapshot { number: self.number, apps, heal: BTreeMap::new() }));
        }
    }
}
