//! The console's answers about auto-heal and restarts.

use app::ConsoleError;
use insight::dry_run::{DryRun, Recorded};
use model::auto_heal::AutoHealConfig;
use model::auto_heal::fuse::FuseStatus;
use model::auto_heal::restart::RestartReason;
use model::status::{InstanceStatus, Snapshot};
use model::{AppName, TimeRange, range};

use super::{LiveConsole, failed};

impl LiveConsole {
    pub(super) async fn run_dry(
        &self,
        app: &AppName,
        config: &AutoHealConfig,
    ) -> Result<DryRun, ConsoleError> {
        self.known(app)?;
        // The question is what the rules would do, so they are judged as if they were switched on.
        refuse_invalid(&AutoHealConfig { enabled: true, ..config.clone() })?;
        let range = TimeRange::last(self.clock.wall(), range::LONGEST);
        let mut recorded = Recorded::new(config, range);
        let read = self.store.each_minute(app, range, recorded.needs_latencies(), |minute| {
            recorded.add_requests(minute);
        });
        read.await.map_err(|error| failed(&error))?;
        for history in self.store.memory_histories(app, range).await.map_err(|error| failed(&error))? {
            recorded.add_memory(&history);
        }
        Ok(recorded.dry_run())
    }

    /// Whether the fuse was blown is what the snapshot said; armed again it is either way.
    pub(super) async fn rearm(&self, app: &AppName, by: Option<String>) -> Result<bool, ConsoleError> {
        self.known(app)?;
        let was_blown = is_blown(&self.snapshot.borrow(), app);
        self.supervision.rearm(app.clone(), by).await;
        Ok(was_blown)
    }

    /// One at a time, so that of two people who ask for the same restart one is told that it is under way.
    pub(super) async fn restart_by_hand(
        &self,
        app: &AppName,
        index: u16,
        by: Option<String>,
    ) -> Result<(), ConsoleError> {
        self.known(app)?;
        let _one_after_another = self.restarting.lock().await;
        let before = {
            let snapshot = self.snapshot.borrow();
            let instance = instance_of(&snapshot, app, index)
                .ok_or_else(|| ConsoleError::Refused(format!("App \"{app}\" has no instance {index}.")))?;
            if let Some(refused) = instance.restart_refused() {
                return Err(ConsoleError::Conflict(insight::healing::restart_refused(index, &refused)));
            }
            instance.started_at
        };
        self.supervision.restart(self.place(app, index), RestartReason::ByHand { by }).await;
        let snapshot = self.snapshot.borrow();
        let begun = instance_of(&snapshot, app, index)
            .is_some_and(|instance| instance.restarting.is_some() || instance.started_at != before);
        if begun {
            return Ok(());
        }
        Err(ConsoleError::Conflict(format!(
            "Instance {index} was not restarted: it stopped running meanwhile. Check its state, then retry."
        )))
    }
}

pub(super) fn refuse_invalid(config: &AutoHealConfig) -> Result<(), ConsoleError> {
    let violations = config.check();
    if violations.is_empty() { Ok(()) } else { Err(ConsoleError::Invalid(violations)) }
}

fn is_blown(snapshot: &Snapshot, app: &AppName) -> bool {
    snapshot.heal.get(app).is_some_and(|heal| matches!(heal.fuse, FuseStatus::Blown { .. }))
}

fn instance_of<'s>(snapshot: &'s Snapshot, app: &AppName, index: u16) -> Option<&'s InstanceStatus> {
    snapshot.app(app)?.instances.iter().find(|instance| instance.index == index)
}
