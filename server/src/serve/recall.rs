//! What the database holds for the loop: what guards people, and what they have set. Read before the loop begins where the
//! database is there in a moment, else as soon as it is; and given back to a database that has to begin anew.

use std::time::Duration;

use model::NodeName;
use model::status::DatabaseState;
use store::{Store, StoreStatus};

use crate::apps::Stored;
use crate::config::App;
use crate::console::Maintenance;

/// How long the loop's beginning waits for a database. Living workers are not reached until then.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The pause after an attempt that failed although the database is open.
const PAUSE: Duration = Duration::from_secs(2);

/// What the database holds, if it is there in a moment.
pub(super) async fn at_start(store: &Store, node: &NodeName, apps: &[App]) -> Option<Stored> {
    let mut status = store.status();
    let tried = |status: &StoreStatus| status.health.state != DatabaseState::Opening;
    let _not_yet = tokio::time::timeout(FIRST_WAIT, status.wait_for(tried)).await;
    if !store.status().borrow().is_open() {
        tracing::warn!("the database is not available: settings and rules are the defaults until it is");
        return None;
    }
    let read = Stored::read(store, node, apps.iter().map(|app| app.name.clone())).await;
    read.inspect_err(|error| tracing::error!(%error, "saved settings and rules were not read; trying again"))
        .ok()
}

/// Reads it later, where it could not be read at the start, and gives what is known to every database that begins anew.
pub(super) async fn keep(store: Store, maintenance: Maintenance, mut is_recalled: bool) {
    let mut status = store.status();
    let mut begun_anew = if is_recalled { status.borrow().begun_anew } else { 0 };
    loop {
        let now = status.borrow_and_update().clone();
        let done = match now.is_open() {
            true if !is_recalled => maintenance.recall().await.map(|()| is_recalled = true),
            true if now.begun_anew != begun_anew => maintenance.restore().await,
            _ => {
                tokio::select! {
                    changed = status.changed() => if changed.is_err() { return },
                    () = maintenance.is_recall_wanted() => is_recalled = false,
                }
                continue;
            }
        };
        match done {
            Ok(()) => begun_anew = now.begun_anew,
            Err(error) => {
                tracing::error!(%error, "saved settings and rules were not taken over; trying again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
