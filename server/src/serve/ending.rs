//! How Medic ends: with its workers, or so that the next Medic goes on with them.
//!
//! ```text
//!  SIGTERM ─▶ no new requests ─▶ requests in flight ─▶ workers end ──────┐
//!                                                                        ├─▶ last counts, database
//!  SIGUSR1 ─▶ decisions are written ─▶ requests in flight, no new ones ──┘
//! ```
//! A stop that hands over closes the listen addresses last, so that they are closed as shortly as can be; where a service manager
//! keeps the sockets, visitors wait instead of being refused.

use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use super::signals::{Asked, Signals};
use crate::configured::ConfiguredApps;
use crate::doors::Doors;
use crate::service_manager::ServiceManager;
use crate::stopping::{Stop, Stopper};
use crate::supervision::Supervision;

/// How long each part may take. Beyond what apps are granted: for the front doors to cut what is left; for killed workers to
/// end, and for a last crash to be analysed and recorded.
const DOORS_STOP: Duration = Duration::from_secs(5);
const WORKERS_STOP: Duration = Duration::from_mins(1);
/// How long requests in flight may take where Medic hands over. Ours: most are done by then, and visitors who wait for the next
/// Medic do not give up.
const HAND_OVER: Duration = Duration::from_secs(5);
/// How long the last decisions may take to be written where Medic hands over: an action of a rule has 10 seconds to end.
const RECORDS_STOP: Duration = Duration::from_secs(30);

/// What ends.
pub(super) struct Ending {
    pub(super) supervision: Supervision,
    pub(super) doors: Doors,
    pub(super) apps: ConfiguredApps,
    pub(super) loop_ended: JoinHandle<()>,
    pub(super) stop: Stop,
}

impl Ending {
    /// Says so to everybody. Every further signal hastens the end, and none makes another of it.
    pub(super) fn begin(
        &self,
        asked: Asked,
        signals: Signals,
        stopper: Stopper,
        service_manager: &ServiceManager,
    ) -> AbortHandle {
        let supervision = (asked != Asked::HandOver).then(|| self.supervision.clone());
        let said = match asked {
            Asked::HandOver => "handing over; the apps go on running",
            Asked::Stop | Asked::Reload => "shutting down with the apps",
        };
        tracing::info!("{said}; repeat the signal to force");
        service_manager.stopping(said);
        if supervision.is_some() {
            self.doors.all().iter().for_each(|door| door.give_up());
        }
        stopper.stop();
        tokio::spawn(hasten(signals, stopper, supervision)).abort_handle()
    }

    /// What is decided is written, then no new requests, then those in flight within a few seconds. The workers run on.
    pub(super) async fn hand_over(self) {
        let Self { supervision, doors, loop_ended, stop, .. } = self;
        let left = async {
            supervision.hand_over().await;
            let _panicked = loop_ended.await;
        };
        stop.wait("the last records", RECORDS_STOP, left).await;
        let mut closing = JoinSet::new();
        for door in doors.all() {
            closing.spawn(door.hand_over(HAND_OVER));
        }
        let drained = stop.wait("requests in flight", HAND_OVER + DOORS_STOP, closing.join_all());
        tokio::select! { _ = drained => {}, () = stop.hastened() => {} }
    }

    /// No new requests, then the requests in flight (within each app's stop grace), then the workers.
    pub(super) async fn stop(self) {
        let Self { supervision, doors, apps, loop_ended, stop } = self;
        let grace = apps.now().iter().map(|app| app.stop_grace).max().unwrap_or_default();
        let mut closing = JoinSet::new();
        for door in doors.all() {
            closing.spawn(door.shut_down());
        }
        let drained = stop.wait("requests in flight", grace + DOORS_STOP, closing.join_all());
        tokio::select! { _ = drained => {}, () = stop.hastened() => {} }
        let ended = async {
            supervision.stop().await;
            let _panicked = loop_ended.await;
        };
        // what is left then is the next Medic's, by its shim
        stop.wait("workers to end", 2 * grace + WORKERS_STOP, ended).await;
    }
}

/// Workers, where they end too, are killed.
async fn hasten(mut signals: Signals, stopper: Stopper, supervision: Option<Supervision>) {
    loop {
        if signals.next().await == Asked::Reload {
            continue;
        }
        stopper.stop();
        if let Some(supervision) = &supervision {
            supervision.hasten().await;
        }
    }
}
