//! Once a second: what every worker that takes requests uses and what its front door counted, for auto-heal and for the
//! memory chart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::fleet::Input;
use model::auto_heal::{Observation, Tallies};
use model::memory::MemoryMinute;
use model::status::{InstanceState, Snapshot};
use model::{Clock, NodeName, Place, Timestamp, WorkerId};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::Dependencies;
use crate::doors::Doors;
use crate::panics;
use crate::vitals::{Meter, Reading};

/// How many rows wait when the database cannot take them: a day of 64 instances. The oldest are given up first.
pub const WAITING_LIMIT: usize = 64 * 24 * 60;
/// How often. The rules count in seconds.
const EVERY: Duration = Duration::from_secs(1);

/// The most private bytes of each instance and minute, until somebody writes them down; clones share it.
#[derive(Clone, Default)]
pub struct MemoryMinutes(Arc<Mutex<BTreeMap<(Timestamp, Place), MemoryMinute>>>);

impl MemoryMinutes {
    /// All of them; none are left.
    pub fn take(&self) -> Vec<(Place, MemoryMinute)> {
        let kept = std::mem::take(&mut *self.lock());
        kept.into_iter().map(|((_, place), minute)| (place, minute)).collect()
    }

    /// Takes in minutes, those too that could not be written.
    pub fn add(&self, minutes: impl IntoIterator<Item = (Place, MemoryMinute)>) {
        let mut kept = self.lock();
        for (place, minute) in minutes {
            let most = minute.private_bytes_max;
            let row = kept.entry((minute.minute, place)).or_insert(minute);
            row.private_bytes_max = row.private_bytes_max.max(most);
        }
        while kept.len() > WAITING_LIMIT {
            kept.pop_first();
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Timestamp, Place), MemoryMinute>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What looks at the workers.
pub(super) struct Sampler {
    node: NodeName,
    clock: Arc<dyn Clock>,
    front_doors: Doors,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    memory: MemoryMinutes,
}

/// A worker that takes requests.
struct Target {
    worker: WorkerId,
    pid: u32,
    limit_bytes: u64,
}

type Meters = BTreeMap<WorkerId, Meter>;

impl Sampler {
    pub(super) fn new(dependencies: &Dependencies, snapshot: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self {
            node: dependencies.node.clone(),
            clock: Arc::clone(&dependencies.clock),
            front_doors: dependencies.front_doors.clone(),
            snapshot,
            memory: dependencies.memory.clone(),
        }
    }

    /// Looks until the loop is gone. Auto-heal has no other eyes, so it goes on after a panic, with what it knew forgotten.
    pub(super) async fn run(self, inbox: mpsc::Sender<Input>) {
        let sampler = Arc::new(self);
        panics::outlive("measuring workers for auto-heal", || Arc::clone(&sampler).look_on(inbox.clone()))
            .await;
    }

    async fn look_on(self: Arc<Self>, inbox: mpsc::Sender<Input>) {
        let mut seconds = tokio::time::interval(EVERY);
        // After a standstill there is nothing to catch up on.
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut meters = Meters::new();
        loop {
            seconds.tick().await;
            let targets = targets(&self.node, &self.snapshot.borrow().clone());
            let counted = self.counted().await;
            let clock = Arc::clone(&self.clock);
            let look = move || {
                let seen = look(&targets, &mut meters, counted, &*clock);
                (meters, targets, seen)
            };
            let (kept, targets, seen) = match tokio::task::spawn_blocking(look).await {
                Ok(seen) => seen,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                // the runtime is ending
                Err(_) => return,
            };
            meters = kept;
            self.memory.add(minutes(&targets, &seen, self.clock.wall()));
            if !seen.is_empty() && inbox.send(Input::Observed(seen)).await.is_err() {
                return;
            }
        }
    }

    /// What the front doors counted. All are asked before any is waited for.
    async fn counted(&self) -> BTreeMap<WorkerId, Tallies> {
        let asked: Vec<_> = self.front_doors.all().iter().map(|front_door| front_door.tallies()).collect();
        let mut counted = BTreeMap::new();
        for tallies in asked {
            counted.extend(tallies.await);
        }
        counted
    }
}

fn targets(node: &NodeName, snapshot: &Snapshot) -> Vec<Target> {
    let of_app = |app: &model::status::AppStatus| {
        let heal = snapshot.heal.get(&app.name);
        let running = app.instances.iter().filter(|instance| instance.state == InstanceState::Running);
        let target = |instance: &model::status::InstanceStatus| {
            let place = Place { node: node.clone(), app: app.name.clone(), instance: instance.index };
            let worker = WorkerId { place, started_at: instance.started_at? };
            let healing = heal?.instances.iter().find(|heal| heal.index == instance.index)?;
            Some(Target { worker, pid: instance.pid?, limit_bytes: healing.status.limit.bytes })
        };
        running.filter_map(target).collect::<Vec<_>>()
    };
    snapshot.apps.iter().flat_map(of_app).collect()
}

fn look(
    targets: &[Target],
    meters: &mut Meters,
    mut counted: BTreeMap<WorkerId, Tallies>,
    clock: &dyn Clock,
) -> Vec<(WorkerId, Observation)> {
    meters.retain(|worker, _| targets.iter().any(|target| target.worker == *worker));
    let observe = |target: &Target| {
        let meter = meters.entry(target.worker.clone()).or_insert_with(|| Meter::new(target.pid));
        if meter.is_blind() {
            *meter = Meter::new(target.pid);
        }
        let Reading { private_bytes, cpu_percent } = meter.read(clock.monotonic(), target.limit_bytes);
        let seen = Observation {
            private_bytes,
            cpu_percent,
            tallies: counted.remove(&target.worker).unwrap_or_default(),
            // Whoever takes requests is warm.
            warm_up: false,
            ..Observation::default()
        };
        (target.worker.clone(), seen)
    };
    targets.iter().map(observe).collect()
}

fn minutes(
    targets: &[Target],
    seen: &[(WorkerId, Observation)],
    now: Timestamp,
) -> Vec<(Place, MemoryMinute)> {
    let minute = |(target, (worker, seen)): (&Target, &(WorkerId, Observation))| {
        let minute = MemoryMinute {
            minute: now.minute(),
            private_bytes_max: seen.private_bytes?,
            limit_bytes: target.limit_bytes,
        };
        Some((worker.place.clone(), minute))
    };
    targets.iter().zip(seen).filter_map(minute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_keeps_the_most_and_minutes_are_bounded() {
        let minutes = MemoryMinutes::default();
        let row = |minute: u32, most| {
            let place: Place = "node-a/shop/0".parse().unwrap();
            let minute = Timestamp::from_ms(i64::from(minute) * 60_000);
            (place, MemoryMinute { minute, private_bytes_max: most, limit_bytes: 100 })
        };
        minutes.add([row(1, 5), row(1, 9), row(1, 7), row(2, 1)]);
        assert_eq!(minutes.take(), [row(1, 9), row(2, 1)]);
        assert!(minutes.take().is_empty());
        minutes.add((0..=u32::try_from(WAITING_LIMIT).unwrap()).map(|minute| row(minute, 1)));
        let kept = minutes.take();
        assert_eq!((kept.len(), kept[0].1.minute), (WAITING_LIMIT, Timestamp::from_ms(60_000)));
    }
}
