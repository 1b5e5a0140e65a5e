//! What detectors say: the evidence that one asks for is gathered, whichever it is.

use app::ConsoleError;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use insight::buckets::part;
use insight::detector::Detector;
use insight::evidence::{Ask, CrashCount, DumpAudit, Evidence};
use insight::report::Report;
use model::process::Process;
use model::status::{AppStatus, InstanceStatus};
use model::{AppName, Place, TimeRange};
use store::StoreError;
use tokio::task::spawn_blocking;

use super::{LiveConsole, failed};
use crate::vitals::process_list::{APART, ProcessList};

/// Questions that one page asks of the database at the same time. Each takes a connection with its own memory.
const AT_ONCE: usize = 2;

/// Adds what was gathered to the evidence.
type Add = Box<dyn FnOnce(&mut Evidence) + Send>;

impl LiveConsole {
    pub(super) async fn report_of(
        &self,
        app: &AppName,
        detector: &Detector,
        range: TimeRange,
    ) -> Result<Report, ConsoleError> {
        Ok((detector.report)(&self.evidence_of(app, detector, range).await?))
    }

    /// All that a detector asks for.
    pub(super) async fn evidence_of(
        &self,
        app: &AppName,
        detector: &Detector,
        range: TimeRange,
    ) -> Result<Evidence, ConsoleError> {
        let unknown = || ConsoleError::NoSuchApp(app.clone());
        let status = self.snapshot.borrow().app(app).cloned().ok_or_else(unknown)?;
        let numbers = self.crash_monitoring_of(app).unwrap_or_default();
        let gather = |ask: &Ask| self.gather(app, &status, *ask, range);
        let gathered = stream::iter(detector.evidence.iter().map(gather)).buffer_unordered(AT_ONCE);
        let gathered: Vec<Add> = gathered.try_collect().await.map_err(|error| failed(&error))?;
        let mut evidence = Evidence::new(range, self.clock.wall(), status, self.places(app), numbers);
        for add in gathered {
            add(&mut evidence);
        }
        Ok(evidence)
    }

    async fn gather(
        &self,
        app: &AppName,
        status: &AppStatus,
        ask: Ask,
        range: TimeRange,
    ) -> Result<Add, StoreError> {
        let store = &self.store;
        Ok(match ask {
            Ask::CrashCounts => {
                let counts = store.crash_counts(app, range, part(range)).await?;
                Box::new(|evidence| evidence.crash_counts = counts.into_iter().map(crash_count).collect())
            }
            Ask::Incidents { limit } => {
                let incidents = store.incidents(Some(app), Some(range), limit).await?;
                Box::new(|evidence| evidence.incidents = incidents)
            }
            Ask::IncidentsInRange { limit } => {
                let incidents = store.incidents_in_range(app, range, limit).await?;
                Box::new(|evidence| evidence.incidents_in_range = incidents)
            }
            Ask::IncidentCount => {
                let count = store.incident_count(app, range).await?;
                Box::new(move |evidence| evidence.incident_count = count)
            }
            Ask::Crashes { limit } => {
                let crashes = store.crashes(app, range, limit).await?;
                Box::new(|evidence| evidence.crashes = crashes)
            }
            Ask::Audits { limit } => {
                let audits = store.audits(app, range, limit).await?;
                Box::new(|evidence| evidence.audits = audits.into_iter().map(dump_audit).collect())
            }
            Ask::Restarts { limit } => {
                let restarts = store.restarts_in_brief(app, range, limit).await?;
                Box::new(|evidence| evidence.restarts = restarts)
            }
            Ask::HealEvents { limit } => {
                let events = store.heal_events_in_brief(app, range, limit).await?;
                Box::new(|evidence| evidence.heal_events = events)
            }
            Ask::MemoryMinutes => {
                let memory = store.memory_histories(app, range).await?;
                Box::new(|evidence| evidence.memory = memory)
            }
            Ask::Processes => {
                let processes = self.processes(status).await;
                Box::new(|evidence| evidence.processes = processes)
            }
            Ask::Deploys { limit } => {
                let deploys = store.deploys(app, range, limit).await?;
                Box::new(|evidence| evidence.deploys = deploys)
            }
        })
    }

    /// Each instance's processes, looked at twice so that it is known what they use now.
    async fn processes(&self, app: &AppStatus) -> Vec<(Place, Vec<Process>)> {
        let worker = |instance: &InstanceStatus| (self.place(&app.name, instance.index), instance.pid);
        let workers: Vec<(Place, Option<u32>)> = app.instances.iter().map(worker).collect();
        let look = |workers: Vec<(Place, Option<u32>)>| {
            let at = |pid: Option<u32>| pid.map(ProcessList::at).unwrap_or_default();
            spawn_blocking(move || workers.into_iter().map(|(_, pid)| at(pid)).collect::<Vec<_>>())
        };
        let begun = self.clock.monotonic();
        let before = look(workers.clone()).await.unwrap_or_default();
        tokio::time::sleep(APART).await;
        let elapsed = self.clock.monotonic().saturating_sub(begun);
        let now = look(workers.clone()).await.unwrap_or_default();
        let told = before.iter().zip(&now).map(|(before, now)| before.then(now, elapsed));
        workers.into_iter().map(|(place, _)| place).zip(told).collect()
    }
}

fn crash_count(row: store::CrashCount) -> CrashCount {
    let store::CrashCount { first, last, place, count, out_of_memory } = row;
    CrashCount { first, at: last, place, count, out_of_memory }
}

fn dump_audit(row: store::AuditRow) -> DumpAudit {
    let store::AuditRow { crash, incident, audit } = row;
    DumpAudit { crash, incident, audit }
}
