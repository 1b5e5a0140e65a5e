//! Writes to the store in the order they were decided, one at a time, beside the loop.
//!
//! What guards people is written only when it goes on from what was remembered: a Medic that began without its database must
//! not put its own beginning over that.
//!
//! A crash that cannot be written is handed back, and the policy says when to try again; meanwhile its shim keeps it. Nobody
//! else keeps the rest, so it stays here until it is written: of what is remembered the newest, of restarts and events the
//! latest thousand.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::fleet::Input;
use engine::instance;
use engine::instance::ChildEvent;
use insight::healing;
use model::auto_heal::AutoHealState;
use model::auto_heal::event::HealEvent;
use model::auto_heal::fuse::FuseState;
use model::auto_heal::restart::{Restart, RestartOutcome};
use model::change::Change;
use model::crash::Crash;
use model::crash_monitor::CrashMonitorState;
use model::deploy::Code;
use model::{AppName, CrashId, NodeName, Place, WorkerId};
use store::{Store, StoreError};
use tokio::sync::mpsc;

use crate::stopping::Stop;

/// How often what could not be written is tried again when nothing else is written.
const RETRY: Duration = Duration::from_secs(5);
/// How long one write may take when Medic stops.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// How many restarts and events wait for the store. Ours: the fuse keeps proactive ones far below it in any outage.
const WAITING_LIMIT: usize = 1_000;

/// What is to be written.
pub(super) enum Entry {
    Crash(Box<Crash>),
    Restart(Box<Restart>),
    Event(Box<HealEvent>),
    Change(Box<Change>),
    /// From which code a worker was started.
    Started(WorkerId, Box<Code>),
    CrashMonitor(Place, CrashMonitorState),
    AutoHeal(Place, AutoHealState),
    Fuse(AppName, FuseState),
    /// What came before was counted from nothing; it has been said again, together with what was remembered.
    Recalled,
    /// What comes now counts some of it from nothing, until that is recalled.
    NotRecalled,
}

/// Who writes.
pub(super) struct Ledger {
    store: Store,
    node: NodeName,
    inbox: mpsc::Sender<Input>,
    is_recalled: bool,
    waiting: Waiting,
    stop: Stop,
}

impl Ledger {
    /// `is_recalled`: what guards people begins from what was remembered.
    pub(super) fn new(
        store: Store,
        node: NodeName,
        inbox: mpsc::Sender<Input>,
        is_recalled: bool,
        stop: Stop,
    ) -> Self {
        Self { store, node, inbox, is_recalled, waiting: Waiting::default(), stop }
    }

    /// Writes until the sender is gone.
    pub(super) async fn write(mut self, mut entries: mpsc::UnboundedReceiver<Entry>) {
        let mut status = self.store.status();
        loop {
            let entry = tokio::select! {
                entry = entries.recv() => entry,
                Ok(()) = status.changed(), if !self.waiting.is_empty() => {
                    self.flush().await;
                    continue;
                }
                () = tokio::time::sleep(RETRY), if !self.waiting.is_empty() => {
                    self.flush().await;
                    continue;
                }
            };
            match entry {
                None => break,
                Some(Entry::Crash(crash)) => {
                    let recorded = record(&self.store, &crash);
                    let recorded =
                        self.stop.wait("a crash's record; its shim keeps it", WRITE_LIMIT, recorded);
                    let input = input(&crash.id(), recorded.await.unwrap_or(false));
                    let worker: WorkerId = crash.worker;
                    // The loop may be gone: then the shim keeps the crash for the next Medic.
                    let _ended = self.inbox.send(Input::Worker { worker, input }).await;
                }
                Some(Entry::NotRecalled) => self.is_recalled = false,
                Some(Entry::Recalled) => {
                    self.is_recalled = true;
                    self.flush().await;
                }
                Some(entry) => {
                    self.waiting.add(entry);
                    self.flush().await;
                }
            }
        }
        self.flush().await;
    }

    async fn flush(&mut self) {
        let stop = self.stop.clone();
        let written = async {
            if self.is_recalled {
                self.waiting.write_states(&self.store, &self.node).await?;
            }
            self.waiting.write_facts(&self.store, &self.inbox).await
        };
        let written = stop.wait("restarts' and events' records", WRITE_LIMIT, written).await;
        if let Some(Err(error)) = written {
            say(&error, "what auto-heal and crash monitoring did could not be saved; trying again");
        }
    }
}

/// That there is no database was said when it went.
fn say(error: &StoreError, what: &str) {
    if matches!(error, StoreError::Unavailable { .. }) {
        tracing::debug!(%error, "{what}");
    } else {
        tracing::error!(%error, "{what}");
    }
}

/// How it went with the record of a crash.
fn input(crash: &CrashId, is_recorded: bool) -> instance::WorkerEvent {
    match (crash.process, is_recorded) {
        (None, true) => instance::WorkerEvent::Recorded,
        (None, false) => instance::WorkerEvent::NotRecorded,
        (Some(process), true) => instance::WorkerEvent::Child { process, event: ChildEvent::Recorded },
        (Some(process), false) => instance::WorkerEvent::Child { process, event: ChildEvent::NotRecorded },
    }
}

/// Whether it was.
async fn record(store: &Store, crash: &Crash) -> bool {
    match store.record_crash(crash).await {
        Ok(recorded) => {
            if recorded.new {
                tracing::info!(crash = %crash.id(), incident = %crash.incident, count = recorded.count, "crash recorded");
            }
            true
        }
        Err(error) => {
            let id = crash.id();
            say(&error, &format!("the crash of {id} could not be recorded; its shim keeps it until it can"));
            false
        }
    }
}

/// What is not written yet.
#[derive(Default)]
struct Waiting {
    facts: VecDeque<Fact>,
    crash_monitors: BTreeMap<Place, CrashMonitorState>,
    auto_heal: BTreeMap<Place, AutoHealState>,
    fuses: BTreeMap<AppName, FuseState>,
}

enum Fact {
    Restart(Box<Restart>),
    Event(Box<HealEvent>),
    Change(Box<Change>),
    Started(WorkerId, Box<Code>),
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.crash_monitors.is_empty()
            && self.auto_heal.is_empty()
            && self.fuses.is_empty()
    }

    fn add(&mut self, entry: Entry) {
        match entry {
            // Never waits here: its shim keeps it.
            Entry::Crash(_) | Entry::Recalled | Entry::NotRecalled => {}
            Entry::Restart(restart) => self.facts.push_back(Fact::Restart(restart)),
            Entry::Event(event) => self.facts.push_back(Fact::Event(event)),
            Entry::Change(change) => self.facts.push_back(Fact::Change(change)),
            Entry::Started(worker, code) => self.facts.push_back(Fact::Started(worker, code)),
            Entry::CrashMonitor(place, state) => {
                self.crash_monitors.insert(place, state);
            }
            Entry::AutoHeal(place, state) => {
                self.auto_heal.insert(place, state);
            }
            Entry::Fuse(app, state) => {
                self.fuses.insert(app, state);
            }
        }
        while self.facts.len() > WAITING_LIMIT {
            self.facts.pop_front();
        }
    }

    /// What is written is dropped, so that an error leaves the rest.
    async fn write_states(&mut self, store: &Store, node: &NodeName) -> Result<(), StoreError> {
        while let Some(entry) = self.fuses.first_entry() {
            store.save_fuse(node, entry.key(), &json(entry.get())).await?;
            entry.remove();
        }
        while let Some(entry) = self.crash_monitors.first_entry() {
            store.save_crash_monitor_state(entry.key(), &json(entry.get())).await?;
            entry.remove();
        }
        while let Some(entry) = self.auto_heal.first_entry() {
            store.save_auto_heal_state(entry.key(), &json(entry.get())).await?;
            entry.remove();
        }
        Ok(())
    }

    async fn write_facts(&mut self, store: &Store, inbox: &mpsc::Sender<Input>) -> Result<(), StoreError> {
        let are_facts = !self.facts.is_empty();
        while let Some(fact) = self.facts.front() {
            match fact {
                Fact::Restart(restart) => {
                    if store.record_restart(restart).await? {
                        log(restart);
                    }
                }
                Fact::Event(event) => {
                    store.record_heal_event(event).await?;
                }
                Fact::Change(change) => {
                    store.record_change(change).await?;
                }
                Fact::Started(worker, code) => {
                    let Place { app, node, .. } = &worker.place;
                    if store.record_start(app, node, worker.started_at, code).await? {
                        tracing::info!(%worker, "deploy detected: this worker is the first to run other code");
                    }
                }
            }
            self.facts.pop_front();
        }
        if are_facts {
            let _ended = inbox.send(Input::Written).await;
        }
        Ok(())
    }
}

fn log(restart: &Restart) {
    let Restart { old, failed, drained, streams_ended, tunnels_ended, reason, outcome, .. } = restart;
    match outcome {
        RestartOutcome::Done => {
            tracing::info!(worker = %old, failed, drained, streams_ended, tunnels_ended, "{}", healing::restart_summary(restart));
        }
        RestartOutcome::Failed { why } => {
            tracing::warn!(worker = %old, reason = healing::reason(reason), "not replaced: {}", healing::failure(why));
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("what is remembered is plain data")
}
