//! The apps' front doors, the one that cannot be opened yet among them: whoever uses one need not know. It is told what it
//! missed when it is opened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use front_door::{BindError, Death, FrontDoor, FrontDoorSettings, Listeners, ServingThreads, Target};
use model::auto_heal::{Tallies, Watch};
use model::crash::AffectedRequests;
use model::process_connections::ProcessConnections;
use model::requests::RequestMinute;
use model::{AppName, Clock, NodeName, WorkerId};

use crate::config::App;
use crate::descriptors::Descriptors;
use crate::health::Health;
use crate::service_manager::ServiceManager;

/// The pause after the first attempt to open a door that failed; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Between two looks whether requests are still running. Ours: who has just connected has said by then what it wants.
const RUNNING: Duration = Duration::from_millis(300);

/// The front doors of all apps.
pub type Doors = Arc<BTreeMap<AppName, Arc<Door>>>;

/// One app's front door.
pub struct Door {
    settings: FrontDoorSettings,
    clock: Arc<dyn Clock>,
    serving: ServingThreads,
    service_manager: Arc<ServiceManager>,
    open: OnceLock<FrontDoor>,
    deferred: Mutex<Deferred>,
    /// What was counted last, when it was shut.
    left: Mutex<Vec<RequestMinute>>,
}

/// What a door that is not open yet has been told.
#[derive(Default)]
struct Deferred {
    route: Vec<Target>,
    watch: Option<(u64, Vec<Watch>)>,
}

/// Opens every door that can be opened; the others are tried again beside, as long as this process lives.
pub fn open(
    node: &NodeName,
    apps: &[App],
    clock: &Arc<dyn Clock>,
    descriptors: &Descriptors,
    health: &Health,
    service_manager: &Arc<ServiceManager>,
) -> Doors {
    let door = |app: &App| {
        let settings = FrontDoorSettings {
            wait: app.request_wait,
            retries: app.retry_requests,
            sockets: descriptors.shares().listening,
            ..FrontDoorSettings::new(node.clone(), app.name.clone(), app.listen)
        };
        let door = Arc::new(Door::new(settings, clock, descriptors, service_manager));
        if let Err(error) = door.open() {
            door.say_closed(&error, health);
            tracing::error!("{error}; trying again");
            tokio::spawn(Arc::clone(&door).open_later(health.clone()));
        }
        (app.name.clone(), door)
    };
    Arc::new(apps.iter().map(door).collect())
}

impl Door {
    fn new(
        settings: FrontDoorSettings,
        clock: &Arc<dyn Clock>,
        descriptors: &Descriptors,
        service_manager: &Arc<ServiceManager>,
    ) -> Self {
        Self {
            settings,
            clock: Arc::clone(clock),
            serving: descriptors.serving().clone(),
            service_manager: Arc::clone(service_manager),
            open: OnceLock::new(),
            deferred: Mutex::default(),
            left: Mutex::default(),
        }
    }

    /// Does it take requests?
    pub fn is_open(&self) -> bool {
        self.open.get().is_some()
    }

    /// See [`FrontDoor::route`].
    pub fn route(&self, targets: Vec<Target>) {
        let mut deferred = self.deferred();
        match self.open.get() {
            Some(open) => open.route(targets),
            None => deferred.route = targets,
        }
    }

    /// See [`FrontDoor::watch`].
    pub fn watch(&self, generation: u64, watches: Vec<Watch>) {
        let mut deferred = self.deferred();
        match self.open.get() {
            Some(open) => open.watch(generation, watches),
            None => deferred.watch = Some((generation, watches)),
        }
    }

    /// See [`FrontDoor::worker_ends`].
    pub fn worker_ends(&self, worker: &WorkerId) {
        if let Some(open) = self.open.get() {
            open.worker_ends(worker);
        }
    }

    /// See [`FrontDoor::is_drained`].
    pub fn is_drained(&self, worker: &WorkerId) -> bool {
        self.open.get().is_none_or(|open| open.is_drained(worker))
    }

    /// See [`FrontDoor::worker_crashes`].
    pub fn worker_crashes(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        let asked = {
            let mut deferred = self.deferred();
            deferred.route.retain(|target| target.worker != *worker);
            self.open.get().map(|open| open.worker_crashes(worker, death, connections))
        };
        answered(asked)
    }

    /// See [`FrontDoor::process_died`].
    pub fn process_died(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        answered(self.open.get().map(|open| open.process_died(worker, death, connections)))
    }

    /// See [`FrontDoor::take_minutes`]; after it was shut, what was counted last.
    pub fn take_minutes(&self) -> impl Future<Output = Vec<RequestMinute>> + Send + use<> {
        let asked = answered(self.open.get().map(FrontDoor::take_minutes));
        let left = std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner));
        async { [left, asked.await].concat() }
    }

    /// See [`FrontDoor::tallies`].
    pub fn tallies(&self) -> impl Future<Output = Vec<(WorkerId, Tallies)>> + Send + use<> {
        answered(self.open.get().map(FrontDoor::tallies))
    }

    /// See [`FrontDoor::shut_down`]; what was counted last waits for [`Door::take_minutes`].
    pub async fn shut_down(&self, grace: Duration) {
        let Some(open) = self.open.get() else { return };
        let rows = open.shut_down(grace).await;
        self.left.lock().unwrap_or_else(PoisonError::into_inner).extend(rows);
    }

    /// Whoever connects once this process has ended is refused.
    pub fn give_up(&self) {
        self.service_manager.give_up(self.settings.listen);
    }

    /// Stops taking requests and lets those that run finish within `limit`. Streams and tunnels are not waited for: they end with
    /// the last request.
    pub async fn hand_over(&self, limit: Duration) {
        let mut closing = std::pin::pin!(self.shut_down(limit));
        let none_runs = async {
            while {
                tokio::time::sleep(RUNNING).await;
                self.tallies().await.iter().any(|(_, tallies)| tallies.total.running > 0)
            } {}
        };
        tokio::select! {
            () = &mut closing => {}
            () = none_runs => {
                tokio::join!(closing, self.shut_down(Duration::ZERO));
            }
        }
    }

    fn open(&self) -> Result<(), BindError> {
        let mut deferred = self.deferred();
        let listeners = self.listeners()?;
        self.service_manager.keep(listeners.address(), listeners.sockets());
        let open = FrontDoor::open(self.settings.clone(), Arc::clone(&self.clock), &self.serving, listeners)?;
        if let Some((generation, watches)) = deferred.watch.take() {
            open.watch(generation, watches);
        }
        open.route(std::mem::take(&mut deferred.route));
        let _was_closed = self.open.set(open);
        Ok(())
    }

    /// Those of the last Medic, with the clients who wait there; else new ones.
    fn listeners(&self) -> Result<Listeners, BindError> {
        let FrontDoorSettings { app, listen, sockets, .. } = &self.settings;
        let count = self.serving.sockets(*sockets);
        match self.service_manager.take(*listen) {
            kept if kept.is_empty() => Listeners::bind(app, *listen, count),
            kept => Listeners::adopt(app, *listen, kept, count),
        }
    }

    async fn open_later(self: Arc<Self>, health: Health) {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let door = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || door.open()).await {
                Ok(Ok(())) => break,
                Ok(Err(error)) => self.say_closed(&error, &health),
                Err(_stopping) => return,
            }
        }
        health.opened(Some(&self.settings.app));
        tracing::info!("{}: listening on {}", self.settings.app, self.settings.listen);
    }

    fn say_closed(&self, error: &BindError, health: &Health) {
        let reason = match error {
            BindError::InUse { .. } => "the address is in use by another program",
            BindError::Permission { .. } => "Medic has no permission to listen there",
            BindError::NoSuchAddress { .. } => "this machine does not have the address",
            BindError::Other { .. } => "the system refused; see Medic's log",
        };
        health.closed(Some(&self.settings.app), self.settings.listen, reason);
    }

    fn deferred(&self) -> MutexGuard<'_, Deferred> {
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was asked of a door that is open; of another there is nothing to tell.
async fn answered<T: Default>(asked: Option<impl Future<Output = T>>) -> T {
    match asked {
        Some(asked) => asked.await,
        None => T::default(),
    }
}
