//! How Medic itself does, gathered from those who know it, for the snapshot that pages, API and `/healthz` read.

use std::net::SocketAddr;
use std::sync::Arc;

use model::status::{ClosedAddress, MedicHealth};
use model::{AppName, Clock};
use store::StoreStatus;
use tokio::sync::watch;

/// Where it is gathered; clones share it.
#[derive(Clone)]
pub struct Health {
    now: watch::Sender<MedicHealth>,
    clock: Arc<dyn Clock>,
}

impl Health {
    /// All is well until somebody says otherwise.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { now: watch::Sender::default(), clock }
    }

    /// As it is now, and whenever it changes.
    pub fn watch(&self) -> watch::Receiver<MedicHealth> {
        self.now.subscribe()
    }

    /// Medic cannot listen there: for `app`, or for the dashboard. Since when stays what was said first.
    pub fn closed(&self, app: Option<&AppName>, address: SocketAddr, reason: &str) {
        let (app, now) = (app.cloned(), self.clock.wall());
        self.change(|health| {
            let known = health.not_listening.iter_mut().find(|closed| closed.app == app);
            if let Some(known) = known {
                reason.clone_into(&mut known.reason);
                return;
            }
            let (address, reason) = (address.to_string(), reason.to_owned());
            health.not_listening.push(ClosedAddress { app, address, since: now, reason });
            health.not_listening.sort();
        });
    }

    /// Medic listens there now.
    pub fn opened(&self, app: Option<&AppName>) {
        self.change(|health| health.not_listening.retain(|closed| closed.app.as_ref() != app));
    }

    /// Says what the store says of its database, until the store is gone.
    pub async fn follow(self, mut store: watch::Receiver<StoreStatus>) {
        loop {
            let database = store.borrow_and_update().health.clone();
            self.change(|health| health.database = database);
            if store.changed().await.is_err() {
                return;
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut MedicHealth)) {
        self.now.send_if_modified(|health| {
            let before = health.clone();
            change(health);
            *health != before
        });
    }
}
