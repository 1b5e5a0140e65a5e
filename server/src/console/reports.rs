//! What the detectors of restarts and memory say.

use app::{ConsoleError, RestartReport};
use insight::detectors::memory_analysis;
use insight::detectors::memory_analysis::CrashEnd;
use insight::detectors::web_app_restarted;
use insight::report::Report;
use model::crash::Crash;
use model::{AppName, TimeRange};

use super::{LiveConsole, failed};

/// How many restarts a report speaks of. Ours: one every 9 seconds of a day.
const RESTARTS_LIMIT: u32 = 10_000;
/// How many crashes, the newest, a report on memory marks.
const CRASHES_LIMIT: u32 = 1_000;

impl LiveConsole {
    pub(super) async fn report_on_restarts(
        &self,
        app: &AppName,
        range: TimeRange,
    ) -> Result<RestartReport, ConsoleError> {
        let mut restarts = self.restarts_in(app, range, RESTARTS_LIMIT).await?;
        let crashes = self.crash_points(app, range).await?;
        let report = web_app_restarted::report(range, &restarts, &crashes, &self.places(app));
        restarts.truncate(usize::try_from(RestartReport::LATEST_KEPT).unwrap_or(usize::MAX));
        let events = self.heal_events_in(app, range, RestartReport::LATEST_KEPT).await?;
        Ok(RestartReport { report, restarts, events })
    }

    pub(super) async fn report_on_memory(
        &self,
        app: &AppName,
        range: TimeRange,
    ) -> Result<Report, ConsoleError> {
        let restarts = self.restarts_in(app, range, RESTARTS_LIMIT).await?;
        let memory = self.store.memory_minutes(app, range).await.map_err(|error| failed(&error))?;
        let crashes = self.crash_ends(app, range).await?;
        Ok(memory_analysis::report(range, &memory, &restarts, &crashes, &self.places(app)))
    }

    async fn crash_ends(&self, app: &AppName, range: TimeRange) -> Result<Vec<CrashEnd>, ConsoleError> {
        let crashes = self.store.crashes(app, range, CRASHES_LIMIT).await.map_err(|error| failed(&error))?;
        let end = |crash: Crash| {
            let place = format!("{}/{}", crash.node, crash.instance);
            CrashEnd { at: crash.at, place, cause: crash.cause }
        };
        Ok(crashes.into_iter().map(end).collect())
    }
}
