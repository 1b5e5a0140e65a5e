//! One app's front door, however it is.
//!
//! ```text
//!              opened                     another address: that is opened, then this one closed
//!  not open ───────────▶ open ────────────────────────────────────────────────────┐
//!   ▲    ▲ │ fails: said, tried again     │ ▲                                     │
//!   │    └─┘                              │ └─ fails: said, tried again; it stays ┘
//!   │         all requests done           ▼ the app is gone
//!   └──────────────────────────────── closing
//! ```
//! Connections that are open outlive a change of the address. What the door is told while it is not open it is told when it is. An
//! app that comes back while its door closes gets another one beside it, and both are asked.

mod requests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use front_door::{BindError, FrontDoor, FrontDoorSettings, Listeners, ServingThreads, Target};
use model::auto_heal::Watch;
use model::requests::RequestMinute;
use model::{AppName, Clock, NodeName, WorkerId};
use tokio::task::JoinSet;

use crate::config::App;
use crate::health::Health;
use crate::service_manager::ServiceManager;

/// Between two looks whether requests are still running. Ours: who has just connected has said by then what it wants.
const RUNNING: Duration = Duration::from_millis(300);

/// What opening one takes.
pub(super) struct Opening {
    pub(super) node: NodeName,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) serving: ServingThreads,
    /// Listening sockets of each.
    pub(super) sockets: usize,
    pub(super) health: Health,
    pub(super) service_manager: Arc<ServiceManager>,
}

/// What the configuration says of one.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) listen: SocketAddr,
    wait: Duration,
    retries: bool,
    /// How long its requests may take when it is closed.
    grace: Duration,
}

impl Wanted {
    pub(super) fn of(app: &App) -> Self {
        let App { listen, request_wait, retry_requests, stop_grace, .. } = *app;
        Self { listen, wait: request_wait, retries: retry_requests, grace: stop_grace }
    }
}

/// One app's front door.
pub struct Door {
    app: AppName,
    opening: Arc<Opening>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Absent where the app is not configured.
    wanted: Option<Wanted>,
    open: Option<Arc<FrontDoor>>,
    /// The address as it was configured and as it is, with a port in place of 0.
    at: Option<(SocketAddr, SocketAddr)>,
    /// How long requests may take when it is closed, as it was configured last.
    grace: Duration,
    /// Those that take nobody any more.
    closing: Vec<Arc<FrontDoor>>,
    /// It is being tried again.
    is_tried: bool,
    route: Vec<Target>,
    watch: Option<(u64, Vec<Watch>)>,
    /// What was counted last, when one was shut.
    left: Vec<RequestMinute>,
}

impl State {
    fn all(&self) -> impl Iterator<Item = &Arc<FrontDoor>> {
        self.closing.iter().chain(&self.open)
    }
}

impl Door {
    pub(super) fn new(app: &AppName, opening: &Arc<Opening>) -> Self {
        Self { app: app.clone(), opening: Arc::clone(opening), state: Mutex::default() }
    }

    /// Whose it is.
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// Does it take requests?
    pub fn is_open(&self) -> bool {
        self.listens_at().is_some()
    }

    /// Where it does.
    pub(super) fn listens_at(&self) -> Option<SocketAddr> {
        self.state().at.map(|(_, address)| address)
    }

    /// See [`FrontDoor::route`].
    pub fn route(&self, targets: Vec<Target>) {
        let mut state = self.state();
        state.all().for_each(|door| door.route(targets.clone()));
        state.route = targets;
    }

    /// See [`FrontDoor::watch`].
    pub fn watch(&self, generation: u64, watches: Vec<Watch>) {
        let mut state = self.state();
        if let Some(open) = &state.open {
            open.watch(generation, watches.clone());
        }
        state.watch = Some((generation, watches));
    }

    /// See [`FrontDoor::worker_ends`].
    pub fn worker_ends(&self, worker: &WorkerId) {
        self.state().all().for_each(|door| door.worker_ends(worker));
    }

    /// See [`FrontDoor::is_drained`]. Of a worker that has its requests by a door that closes, once that has closed.
    pub fn is_drained(&self, worker: &WorkerId) -> bool {
        self.state().all().all(|door| door.is_drained(worker))
    }

    /// See [`FrontDoor::shut_down`], with the app's stop grace; what was counted last waits for [`Door::take_minutes`].
    pub async fn shut_down(self: Arc<Self>) {
        let (doors, grace) = {
            let state = self.state();
            let doors: Vec<_> = state.all().cloned().collect();
            (doors, state.grace)
        };
        let mut shutting = JoinSet::new();
        for open in doors {
            let door = Arc::clone(&self);
            shutting.spawn(async move { door.shut(&open, grace).await });
        }
        shutting.join_all().await;
    }

    /// Whoever connects once this process has ended is refused.
    pub fn give_up(&self) {
        if let Some(address) = self.listens_at() {
            self.opening.service_manager.give_up(address);
        }
    }

    /// Stops taking requests and lets those that run finish within `limit`. Streams and tunnels are not waited for: they end with
    /// the last request.
    pub async fn hand_over(self: Arc<Self>, limit: Duration) {
        let doors: Vec<_> = self.state().all().cloned().collect();
        let mut closing = JoinSet::new();
        for open in doors {
            let door = Arc::clone(&self);
            closing.spawn(async move { door.hand_over_one(&open, limit).await });
        }
        closing.join_all().await;
    }

    async fn hand_over_one(&self, open: &FrontDoor, limit: Duration) {
        let mut closing = std::pin::pin!(self.shut(open, limit));
        let none_runs = async {
            while {
                tokio::time::sleep(RUNNING).await;
                open.tallies().await.iter().any(|(_, tallies)| tallies.total.running > 0)
            } {}
        };
        tokio::select! {
            () = &mut closing => {}
            () = none_runs => {
                tokio::join!(closing, self.shut(open, Duration::ZERO));
            }
        }
    }

    async fn shut(&self, open: &FrontDoor, grace: Duration) {
        let rows = open.shut_down(grace).await;
        self.state().left.extend(rows);
    }

    /// It is to be as configured from now on, by the sockets that another app had there, where there are any. `true` where it is
    /// to be tried again, which nobody does yet.
    pub(super) fn settle(&self, wanted: Wanted, given: Option<Listeners>, own_ports: &BTreeSet<u16>) -> bool {
        let mut state = self.state();
        (state.wanted, state.grace) = (Some(wanted), wanted.grace);
        state.all().for_each(|door| door.configure(wanted.wait, wanted.retries));
        if self.has_settled(&mut state, given, own_ports) {
            return false;
        }
        !std::mem::replace(&mut state.is_tried, true)
    }

    /// `true` where there is nothing more to try.
    pub(super) fn try_again(&self, own_ports: &BTreeSet<u16>) -> bool {
        let mut state = self.state();
        let settled = self.has_settled(&mut state, None, own_ports);
        state.is_tried = !settled;
        settled
    }

    /// Gives its sockets away, with whoever waits in their queues. Connections stay.
    pub(super) async fn release(&self) -> Option<Listeners> {
        let asked = {
            let mut state = self.state();
            state.at = None;
            state.open.as_ref().map(|open| open.release())
        };
        asked?.await
    }

    /// The app is gone: nobody is let in any more, and what is in flight may finish within the app's grace.
    pub(super) fn close(self: Arc<Self>) {
        let closing = {
            let mut state = self.state();
            if state.wanted.take().is_none() {
                return;
            }
            if let Some((_, address)) = state.at.take() {
                self.opening.service_manager.give_up(address);
                tracing::info!("{}: no longer listening on {address}", self.app);
            }
            (state.route, state.watch) = (Vec::new(), None);
            let open = state.open.take();
            state.closing.extend(open.clone());
            open.map(|open| (open, state.grace))
        };
        self.opening.health.opened(Some(&self.app));
        let Some((open, grace)) = closing else { return };
        tokio::spawn(async move {
            self.shut(&open, grace).await;
            self.state().closing.retain(|closing| !Arc::ptr_eq(closing, &open));
        });
    }

    /// Nothing is left of it that anybody could want.
    pub(super) fn is_gone(&self) -> bool {
        let state = self.state();
        state.wanted.is_none() && state.all().next().is_none() && state.left.is_empty()
    }

    fn has_settled(&self, state: &mut State, given: Option<Listeners>, own_ports: &BTreeSet<u16>) -> bool {
        let Some(wanted) = state.wanted else { return true };
        let before = state.at;
        if before.is_none_or(|(configured, _)| configured != wanted.listen) {
            if let Err(error) = self.open_at(state, wanted, given, own_ports) {
                if !state.is_tried {
                    tracing::error!("{error}; trying again");
                }
                self.say_closed(&error, before.map(|(_, address)| address));
                return false;
            }
            tracing::info!("{}: listening on {}", self.app, wanted.listen);
        }
        self.opening.health.opened(Some(&self.app));
        true
    }

    fn open_at(
        &self,
        state: &mut State,
        wanted: Wanted,
        given: Option<Listeners>,
        own_ports: &BTreeSet<u16>,
    ) -> Result<(), BindError> {
        let Opening { node, clock, serving, service_manager, sockets, .. } = &*self.opening;
        let listeners = match given {
            Some(listeners) => listeners,
            None => self.listeners(wanted.listen, own_ports)?,
        };
        let address = listeners.address();
        service_manager.keep(address, listeners.sockets());
        if let Some(open) = &state.open {
            open.listen(listeners)?;
        } else {
            let settings = FrontDoorSettings {
                wait: wanted.wait,
                retries: wanted.retries,
                sockets: *sockets,
                ..FrontDoorSettings::new(node.clone(), self.app.clone(), wanted.listen)
            };
            let open = FrontDoor::open(settings, Arc::clone(clock), serving, listeners)?;
            if let Some((generation, watches)) = &state.watch {
                open.watch(*generation, watches.clone());
            }
            open.route(state.route.clone());
            state.open = Some(Arc::new(open));
        }
        if let Some((_, before)) = state.at.replace((wanted.listen, address)) {
            service_manager.give_up(before);
        }
        Ok(())
    }

    /// Those of the last Medic, with the clients who wait there; else new ones.
    fn listeners(&self, address: SocketAddr, own_ports: &BTreeSet<u16>) -> Result<Listeners, BindError> {
        let Opening { serving, sockets, service_manager, .. } = &*self.opening;
        let count = serving.sockets(*sockets);
        match service_manager.take(address) {
            kept if !kept.is_empty() => Listeners::adopt(&self.app, address, kept, count),
            _ if own_ports.contains(&address.port()) => Listeners::bind_beside(&self.app, address, count),
            _ => Listeners::bind(&self.app, address, count),
        }
    }

    fn say_closed(&self, error: &BindError, still: Option<SocketAddr>) {
        let address = match error {
            BindError::InUse { address, .. }
            | BindError::Permission { address, .. }
            | BindError::NoSuchAddress { address, .. }
            | BindError::Other { address, .. } => *address,
        };
        let reason = match error {
            BindError::InUse { .. } => "the address is in use by another program",
            BindError::Permission { .. } => "Medic has no permission to listen there",
            BindError::NoSuchAddress { .. } => "this machine does not have the address",
            BindError::Other { .. } => "the operating system refused: see the Medic log",
        };
        self.opening.health.closed(Some(&self.app), address, reason, still);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
