//! Writes to the store in the order they were decided, one at a time, beside the loop.
//!
//! A crash that cannot be written is handed back, and the policy says when to try again; meanwhile its shim keeps it. A guard
//! that cannot be written is kept here, the newest of each instance, and tried again with the next write.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::crash::Crash;
use engine::crash_monitor::Guard;
use engine::fleet::Input;
use engine::{InstanceKey, WorkerId, instance};
use store::Store;
use tokio::sync::mpsc;

/// How often a guard that could not be written is tried again when nothing else is written.
const RETRY: Duration = Duration::from_secs(5);

/// What is to be written.
pub(super) enum Entry {
    Crash(Box<Crash>),
    Guard(InstanceKey, Guard),
}

/// Writes until the sender is gone.
pub(super) async fn write(
    store: Store,
    node: String,
    mut entries: mpsc::UnboundedReceiver<Entry>,
    inbox: mpsc::Sender<Input>,
) {
    let mut guards: BTreeMap<InstanceKey, Guard> = BTreeMap::new();
    loop {
        let entry = if guards.is_empty() {
            entries.recv().await
        } else {
            let Ok(entry) = tokio::time::timeout(RETRY, entries.recv()).await else {
                save_guards(&store, &node, &mut guards).await;
                continue;
            };
            entry
        };
        match entry {
            None => break,
            Some(Entry::Guard(instance, guard)) => {
                guards.insert(instance, guard);
                save_guards(&store, &node, &mut guards).await;
            }
            Some(Entry::Crash(crash)) => {
                let input = record(&store, &crash).await;
                let worker: WorkerId = crash.worker;
                // The loop may be gone: then the shim keeps the crash for the next Medic.
                let _ended = inbox.send(Input::Worker { worker, input }).await;
            }
        }
    }
    save_guards(&store, &node, &mut guards).await;
}

async fn record(store: &Store, crash: &Crash) -> instance::Input {
    match store.record_crash(crash).await {
        Ok(recorded) => {
            if recorded.new {
                tracing::info!(worker = %crash.worker, incident = %crash.incident, count = recorded.count, "crash recorded");
            }
            instance::Input::Recorded
        }
        Err(error) => {
            tracing::error!(worker = %crash.worker, %error, "a crash could not be recorded; its shim keeps it until it can");
            instance::Input::NotRecorded
        }
    }
}

async fn save_guards(store: &Store, node: &str, guards: &mut BTreeMap<InstanceKey, Guard>) {
    while let Some((instance, guard)) = guards.pop_first() {
        let json = serde_json::to_string(&guard).expect("a guard is plain data");
        if let Err(error) = store.save_state(node, &instance, &json).await {
            tracing::error!(%instance, %error, "the crash monitoring's state could not be saved; trying again");
            guards.insert(instance, guard);
            return;
        }
    }
}
