//! What detectors say: the evidence that one asks for is gathered, whichever it is.

use app::ConsoleError;
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

/// More would cover a chart.
const DEPLOYS_MARKED: u32 = 100;

impl LiveConsole {
    pub(super) async fn report_of(
        &self,
        app: &AppName,
        detector: &Detector,
        range: TimeRange,
    ) -> Result<Report, ConsoleError> {
        let unknown = || ConsoleError::NoSuchApp(app.clone());
        let status = self.snapshot.borrow().app(app).cloned().ok_or_else(unknown)?;
        let numbers = self.crash_monitoring_of(app).unwrap_or_default();
        let mut evidence = Evidence::new(range, self.clock.wall(), status, self.places(app), numbers);
        for ask in detector.evidence {
            self.gather(app, *ask, &mut evidence).await.map_err(|error| failed(&error))?;
        }
        let mut report = (detector.report)(&evidence);
        // what draws nothing does without the database, too
        if !(report.charts.is_empty() && report.lines.is_empty()) {
            let deploys = self.store.deploys(app, range, DEPLOYS_MARKED).await;
            insight::deploys::mark_on(&mut report, &deploys.map_err(|error| failed(&error))?);
        }
        Ok(report)
    }

    async fn gather(&self, app: &AppName, ask: Ask, evidence: &mut Evidence) -> Result<(), StoreError> {
        let (store, range) = (&self.store, evidence.range);
        match ask {
            Ask::CrashCounts => {
                let counts = store.crash_counts(app, range, part(range)).await?;
                let count = |row: store::CrashCount| CrashCount {
                    first: row.first,
                    at: row.last,
                    place: row.place,
                    count: row.count,
                    out_of_memory: row.out_of_memory,
                };
                evidence.crash_counts = counts.into_iter().map(count).collect();
            }
            Ask::Incidents { limit } => {
                evidence.incidents = store.incidents(Some(app), Some(range), limit).await?;
            }
            Ask::IncidentsInRange { limit } => {
                evidence.incidents_in_range = store.incidents_in_range(app, range, limit).await?;
            }
            Ask::IncidentCount => evidence.incident_count = store.incident_count(app, range).await?,
            Ask::Crashes { limit } => evidence.crashes = store.crashes(app, range, limit).await?,
            Ask::Audits { limit } => {
                let rows = store.audits(app, range, limit).await?;
                let audit = |row: store::AuditRow| DumpAudit {
                    crash: row.crash,
                    incident: row.incident,
                    audit: row.audit,
                };
                evidence.audits = rows.into_iter().map(audit).collect();
            }
            Ask::Restarts { limit } => {
                evidence.restarts = store.restarts_in_brief(app, range, limit).await?;
            }
            Ask::HealEvents { limit } => {
                evidence.heal_events = store.heal_events_in_brief(app, range, limit).await?;
            }
            Ask::MemoryMinutes => evidence.memory = store.memory_histories(app, range).await?,
            Ask::RequestMinutes => evidence.requests = store.minutes(app, range).await?,
            Ask::Processes => evidence.processes = self.processes(&evidence.status).await,
        }
        Ok(())
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
