//! How Medic itself does, gathered from those who know it, for the snapshot that pages, API and `/healthz` read.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use insight::medic::Problem;
use model::status::{ClosedAddress, MedicHealth, StorageHealth};
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

    /// Medic cannot listen there: for `app`, which it may `still` listen for elsewhere, or for the dashboard. Since when stays what
    /// was said first of that address.
    pub fn closed(
        &self,
        app: Option<&AppName>,
        address: SocketAddr,
        reason: &str,
        still: Option<SocketAddr>,
    ) {
        let (app, now) = (app.cloned(), self.clock.wall());
        let (address, reason) = (address.to_string(), reason.to_owned());
        let still_listening = still.map(|still| still.to_string());
        self.change(|health| {
            let mut known = health.not_listening.iter().filter(|closed| closed.app == app);
            let since = known.find(|closed| closed.address == address).map_or(now, |closed| closed.since);
            health.not_listening.retain(|closed| closed.app != app);
            health.not_listening.push(ClosedAddress { app, address, since, reason, still_listening });
            health.not_listening.sort();
        });
    }

    /// Medic listens there now.
    pub fn opened(&self, app: Option<&AppName>) {
        self.change(|health| health.not_listening.retain(|closed| closed.app.as_ref() != app));
    }

    /// What Medic's files take of the disk, where that needs a look. Since when stays what was said first; what is new, and what is
    /// no more, goes to the log.
    pub fn storage(&self, now: StorageHealth) {
        self.change(|health| {
            let titles = |storage: &StorageHealth| {
                insight::medic::storage(storage)
                    .into_iter()
                    .map(|problem| problem.title)
                    .collect::<BTreeSet<_>>()
            };
            let before = titles(&health.storage);
            health.storage = since_first(now, &health.storage);
            let problems = insight::medic::storage(&health.storage);
            for Problem { title, details, .. } in problems.iter().filter(|now| !before.contains(&now.title)) {
                tracing::warn!("storage: {title}. {details}");
            }
            for title in before.difference(&titles(&health.storage)) {
                tracing::info!("storage: resolved: {title}");
            }
        });
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

fn since_first(mut now: StorageHealth, known: &StorageHealth) -> StorageHealth {
    for quota in &mut now.near_quotas {
        if let Some(known) = known.near_quotas.iter().find(|known| known.app == quota.app) {
            quota.since = known.since;
        }
    }
    if let (Some(disk), Some(known)) = (&mut now.disk, &known.disk) {
        disk.since = known.since;
    }
    if let (Some(undeleted), Some(known)) = (&mut now.undeleted, &known.undeleted) {
        undeleted.since = known.since;
    }
    now
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use model::status::NearQuota;

    use super::*;

    #[test]
    fn what_goes_on_keeps_the_time_when_it_began() {
        let health = Health::new(Arc::new(shim::SystemClock));
        let near = |since, used_bytes| {
            let since = Timestamp::from_ms(since);
            let quota = NearQuota { app: None, since, used_bytes, quota_bytes: 10 };
            StorageHealth { near_quotas: vec![quota], ..StorageHealth::default() }
        };
        health.storage(near(1, 8));
        health.storage(near(2, 9));
        assert_eq!(health.watch().borrow().storage, near(1, 9));
        health.storage(StorageHealth::default());
        health.storage(near(3, 9));
        assert_eq!(health.watch().borrow().storage, near(3, 9));
    }
}
