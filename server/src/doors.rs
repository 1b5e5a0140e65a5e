//! The apps' front doors: of all apps that are configured, the one that cannot be opened yet among them, and those of apps that are
//! gone, as long as requests are in flight there. Whoever uses one need not know how it is.
//!
//! Addresses are given out here, for all apps at once: one that another app is to have is handed over with its sockets and the
//! clients in their queues, so that two apps may exchange theirs and refuse nobody.

mod door;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use front_door::Listeners;
use model::{AppName, Clock, NodeName};

pub use door::Door;

use crate::config::App;
use crate::descriptors::Descriptors;
use crate::health::Health;
use crate::service_manager::ServiceManager;
use door::{Opening, Wanted};

/// The pause after the first attempt to open a door that failed; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The front doors of all apps; clones share them.
#[derive(Clone)]
pub struct Doors {
    opening: Arc<Opening>,
    by_app: Arc<Mutex<BTreeMap<AppName, Arc<Door>>>>,
    /// Held while addresses are given out.
    giving_out: Arc<tokio::sync::Mutex<()>>,
}

impl Doors {
    /// None yet.
    pub fn new(
        node: &NodeName,
        clock: &Arc<dyn Clock>,
        descriptors: &Descriptors,
        health: &Health,
        service_manager: &Arc<ServiceManager>,
    ) -> Self {
        let opening = Opening {
            node: node.clone(),
            clock: Arc::clone(clock),
            serving: descriptors.serving().clone(),
            sockets: descriptors.shares().listening,
            health: health.clone(),
            service_manager: Arc::clone(service_manager),
        };
        Self { opening: Arc::new(opening), by_app: Arc::default(), giving_out: Arc::default() }
    }

    /// The app's, also while it still closes.
    pub fn get(&self, app: &AppName) -> Option<Arc<Door>> {
        self.lock().get(app).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<Door>> {
        self.lock().values().cloned().collect()
    }

    /// The doors of these apps are open from now on, each at its address, and no others. What cannot be opened is said and tried
    /// again, and stays open where it was until then. Doors of apps that are gone let requests finish within their grace.
    pub async fn configure(&self, apps: &[App]) {
        let _one_after_another = self.giving_out.lock().await;
        let wanted: BTreeMap<AppName, Wanted> =
            apps.iter().map(|app| (app.name.clone(), Wanted::of(app))).collect();
        for name in wanted.keys() {
            let mut doors = self.lock();
            doors.entry(name.clone()).or_insert_with(|| Arc::new(Door::new(name, &self.opening)));
        }
        let mut given = self.release(&wanted).await;
        let own_ports = self.ports();
        for door in self.all() {
            match wanted.get(door.app()) {
                Some(wanted) => {
                    let listeners = given.remove(&wanted.listen);
                    if door.settle(*wanted, listeners, &own_ports) {
                        tokio::spawn(self.clone().open_later(Arc::clone(&door)));
                    }
                }
                None => door.close(),
            }
        }
        self.lock().retain(|_, door| Arc::strong_count(door) > 1 || !door.is_gone());
    }

    /// The sockets of addresses that another app is to have.
    async fn release(&self, wanted: &BTreeMap<AppName, Wanted>) -> BTreeMap<SocketAddr, Listeners> {
        let mut given = BTreeMap::new();
        for door in self.all() {
            let Some(address) = door.listens_at() else { continue };
            let goes = |(name, wanted): (&AppName, &Wanted)| wanted.listen == address && name != door.app();
            if wanted.iter().any(goes) {
                given.extend(door.release().await.map(|listeners| (address, listeners)));
            }
        }
        given
    }

    /// Where Medic itself listens for apps. Addresses that differ may share a port, and one of all addresses takes the others' in:
    /// who moves from one to the other is not in its own way.
    fn ports(&self) -> BTreeSet<u16> {
        self.all().iter().filter_map(|door| door.listens_at()).map(|address| address.port()).collect()
    }

    /// As long as it is to be opened, or this process lives.
    async fn open_later(self, door: Arc<Door>) {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let _one_after_another = self.giving_out.lock().await;
            if door.try_again(&self.ports()) {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AppName, Arc<Door>>> {
        self.by_app.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
