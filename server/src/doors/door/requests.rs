//! What is asked of an app's doors about its requests, and told to them: by all that are open or close.

use front_door::Death;
use model::WorkerId;
use model::auto_heal::Tallies;
use model::crash::AffectedRequests;
use model::process_connections::ProcessConnections;
use model::requests::RequestMinute;

use super::Door;

impl Door {
    /// See [`front_door::FrontDoor::worker_crashes`].
    pub fn worker_crashes(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<&ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        let mut state = self.state();
        state.route.retain(|target| target.worker != *worker);
        all_affected(
            state.all().map(|door| door.worker_crashes(worker, death, connections.cloned())).collect(),
        )
    }

    /// See [`front_door::FrontDoor::process_died`].
    pub fn process_died(
        &self,
        worker: &WorkerId,
        death: Death,
        connections: Option<&ProcessConnections>,
    ) -> impl Future<Output = AffectedRequests> + Send + use<> {
        let state = self.state();
        all_affected(state.all().map(|door| door.process_died(worker, death, connections.cloned())).collect())
    }

    /// See [`front_door::FrontDoor::ask_back`].
    pub fn ask_back(&self, worker: &WorkerId) -> impl Future<Output = Vec<u16>> + Send + use<> {
        let asked: Vec<_> = self.state().all().map(|door| door.ask_back(worker)).collect();
        async {
            let mut from = Vec::new();
            for asked in asked {
                from.extend(asked.await);
            }
            from
        }
    }

    /// See [`front_door::FrontDoor::taken_back`].
    pub fn taken_back(&self, worker: &WorkerId, port: Option<u16>) {
        self.state().all().for_each(|door| door.taken_back(worker, port));
    }

    /// See [`front_door::FrontDoor::take_minutes`]; after one was shut, what was counted last.
    pub fn take_minutes(&self) -> impl Future<Output = Vec<RequestMinute>> + Send + use<> {
        let (asked, mut rows) = {
            let mut state = self.state();
            let asked: Vec<_> = state.all().map(|door| door.take_minutes()).collect();
            (asked, std::mem::take(&mut state.left))
        };
        async move {
            for asked in asked {
                rows.extend(asked.await);
            }
            rows
        }
    }

    /// See [`front_door::FrontDoor::tallies`]; what closes is judged by nobody.
    pub fn tallies(&self) -> impl Future<Output = Vec<(WorkerId, Tallies)>> + Send + use<> {
        let asked = self.state().open.as_ref().map(|open| open.tallies());
        async move {
            match asked {
                Some(asked) => asked.await,
                None => Vec::new(),
            }
        }
    }
}

/// What each of an app's doors says.
async fn all_affected(asked: Vec<impl Future<Output = AffectedRequests>>) -> AffectedRequests {
    let mut affected = AffectedRequests::default();
    for asked in asked {
        affected.add(asked.await);
    }
    affected
}
