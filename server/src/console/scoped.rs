//! The console as a principal may use it: the only way to the port that pages and API ask. Whatever is asked, the table of
//! operations in `access` is asked first.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use app::{
    ConfigurationLine, Console, ConsoleError, MadeShare, ProactiveNumbers, RulesChange, SettingChanges,
    ToShare, WorkerOutput,
};
use async_trait::async_trait;
use insight::detector::Detector;
use insight::dry_run::DryRun;
use insight::evidence::Ask;
use insight::report::Report;
use insight::share::SharedReport;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::event::HealEvent;
use model::auto_heal::restart::Restart;
use model::change::Change;
use model::crash::{Crash, Incident, IncidentSummary};
use model::crash_monitor::Numbers;
use model::deploy::Deploy;
use model::incident_state::IncidentDecision;
use model::settings::{AppSettings, Setting};
use model::share::{Included, Share, ShareId};
use model::status::Snapshot;
use model::{AppName, IncidentId, NodeName, TimeRange, Timestamp};

use super::{LiveConsole, SharedLinks, failed};
use crate::access::{Operation, Principal};
use crate::config::Line;

/// Gives each principal the console that it may use.
#[derive(Clone)]
pub struct Consoles(Arc<LiveConsole>);

impl Consoles {
    /// Of what runs.
    pub(super) const fn new(live: Arc<LiveConsole>) -> Self {
        Self(live)
    }

    /// What share links show, which is nobody's console.
    pub fn shared_links(&self) -> SharedLinks {
        SharedLinks::new(Arc::clone(&self.0))
    }

    /// The dashboard's address, for links that nobody asked for by a name.
    pub fn listen(&self) -> SocketAddr {
        self.0.listen
    }

    /// Of whoever asks.
    pub fn of(&self, principal: Principal) -> Arc<dyn Console> {
        Arc::new(Scoped { live: Arc::clone(&self.0), principal })
    }
}

/// The number that the setting of capture from the first crash overrides.
const CRASHES: &str = "crash_monitoring.crashes";

struct Scoped {
    live: Arc<LiveConsole>,
    principal: Principal,
}

impl Scoped {
    /// Nobody shares what they may not see.
    fn may_see(&self, what: &ToShare) -> Result<(), ConsoleError> {
        self.principal.may(match what {
            ToShare::Incident(_) => Operation::SeeCrashes,
            ToShare::Report { .. } => Operation::SeeReports,
            ToShare::Restart { .. } => Operation::SeeHistory,
        })
    }
}

#[async_trait]
impl Console for Scoped {
    fn now(&self) -> Timestamp {
        self.live.clock.wall()
    }

    fn node(&self) -> NodeName {
        self.live.node.clone()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        match self.principal.may(Operation::SeeStatus) {
            Ok(()) => self.live.snapshot(),
            Err(_) => Arc::default(),
        }
    }

    async fn report(
        &self,
        app: &AppName,
        detector: &'static Detector,
        range: TimeRange,
    ) -> Result<Report, ConsoleError> {
        self.principal.may(Operation::SeeReports)?;
        if detector.evidence.contains(&Ask::Processes) {
            self.principal.may(Operation::SeeProcesses)?;
        }
        self.live.report_of(app, detector, range).await
    }

    async fn crashes(&self, app: &AppName, range: TimeRange, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        self.live.recorded(app, self.live.store.crashes(app, range, limit)).await
    }

    async fn incidents(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Incident>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        self.live.incidents_of(app, limit).await
    }

    async fn incident_summaries(
        &self,
        app: &AppName,
        limit: u32,
    ) -> Result<Vec<IncidentSummary>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        self.live.incident_summaries_of(app, limit).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        self.live.incident_of(id).await
    }

    async fn change_incident(
        &self,
        id: &IncidentId,
        decision: IncidentDecision,
    ) -> Result<Option<Incident>, ConsoleError> {
        self.principal.may(Operation::ChangeIncidents)?;
        self.live.decide_incident(id, decision, self.principal.name()).await
    }

    async fn join_signal_only(
        &self,
        id: &IncidentId,
        joined: bool,
    ) -> Result<Option<Incident>, ConsoleError> {
        self.principal.may(Operation::ChangeIncidents)?;
        self.live.join_signal_only(id, joined, self.principal.name()).await
    }

    async fn crashes_of(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        self.live.store.crashes_of_incident(id, limit).await.map_err(|error| failed(&error))
    }

    async fn settings(&self, app: &AppName) -> Result<AppSettings, ConsoleError> {
        self.principal.may(Operation::SeeSettings)?;
        self.live.settings_in_force(app).await
    }

    async fn change_settings(&self, app: &AppName, changes: SettingChanges) -> Result<(), ConsoleError> {
        self.principal.may(Operation::ChangeSettings)?;
        self.live.change_some_settings(app, changes, self.principal.name()).await
    }

    fn setting_name(&self, setting: Setting) -> &'static str {
        app_service::settings::name(setting)
    }

    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>> {
        self.principal.may(Operation::SeeSettings).ok()?;
        self.live.known(app).ok()?;
        // An app has numbers of its own, which have taken in the general ones.
        let concerns = |line: &&Line| match &line.app {
            Some(name) => name == app.as_str(),
            None => !["crash_monitoring.", "auto_heal."].iter().any(|general| line.key.starts_with(general)),
        };
        let line = |line: &Line| ConfigurationLine {
            key: line.key.clone(),
            value: line.value.clone(),
            source: line.source.clone(),
            hint: line.hint.clone(),
        };
        let crashes = self.live.crash_monitoring_of(app)?.crashes.to_string();
        let in_force = |line: ConfigurationLine| {
            // a setting may say otherwise
            if line.key == CRASHES && line.value != crashes {
                ConfigurationLine { value: crashes.clone(), source: "settings".to_owned(), ..line }
            } else {
                line
            }
        };
        Some(self.live.lines().iter().filter(concerns).map(line).map(in_force).collect())
    }

    fn crash_monitoring(&self, app: &AppName) -> Option<Numbers> {
        self.principal.may(Operation::SeeSettings).ok()?;
        self.live.crash_monitoring_of(app)
    }

    async fn auto_heal(&self, app: &AppName) -> Result<AutoHealConfig, ConsoleError> {
        self.principal.may(Operation::SeeRules)?;
        self.live.rules(app).await
    }

    async fn change_auto_heal(&self, app: &AppName, change: RulesChange<'_>) -> Result<(), ConsoleError> {
        let principal = self.principal;
        let may_save = |held: &AutoHealConfig| {
            let rules = change(held)?;
            principal.may_save(&rules, held).map(|()| rules)
        };
        self.live.change_rules(app, &may_save, self.principal.name()).await
    }

    async fn dry_run(&self, app: &AppName, config: &AutoHealConfig) -> Result<DryRun, ConsoleError> {
        self.principal.may(Operation::TryRules)?;
        self.live.run_dry(app, config).await
    }

    fn proactive(&self, app: &AppName) -> Option<ProactiveNumbers> {
        self.principal.may(Operation::SeeRules).ok()?;
        self.live.app(app).map(|app| app.proactive)
    }

    async fn rearm_fuse(&self, app: &AppName) -> Result<bool, ConsoleError> {
        self.principal.may(Operation::Resume)?;
        self.live.rearm(app, self.principal.name()).await
    }

    async fn restart(&self, app: &AppName, instance: u16) -> Result<(), ConsoleError> {
        self.principal.may(Operation::Restart)?;
        self.live.restart_by_hand(app, instance, self.principal.name()).await
    }

    async fn output(&self, app: &AppName, instance: u16) -> Result<Option<WorkerOutput>, ConsoleError> {
        self.principal.may(Operation::SeeOutput)?;
        self.live.output_of(app, instance).await
    }

    async fn restarts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.restarts(app, range, limit)).await
    }

    async fn restarts_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.restarts_in_brief(app, range, limit)).await
    }

    async fn deploys(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Deploy>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.deploys(app, range, limit)).await
    }

    async fn share_preview(
        &self,
        what: &ToShare,
        included: Included,
    ) -> Result<Option<SharedReport>, ConsoleError> {
        self.may_see(what)?;
        Ok(self.live.snapshot_of(what, included).await?.map(|snapshot| snapshot.report))
    }

    async fn share(
        &self,
        what: &ToShare,
        included: Included,
        expires_in: Duration,
    ) -> Result<Option<MadeShare>, ConsoleError> {
        self.may_see(what)?;
        self.principal.may(Operation::Share)?;
        self.live.share(what, included, expires_in, self.principal.name()).await
    }

    async fn shares(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Share>, ConsoleError> {
        self.principal.may(Operation::SeeShares)?;
        self.live.shares_of(app, limit).await
    }

    async fn end_share(&self, id: &ShareId) -> Result<bool, ConsoleError> {
        self.principal.may(Operation::EndShare)?;
        self.live.end_share(id, self.principal.name()).await
    }

    async fn changes(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Change>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.changes(app, range, limit)).await
    }

    async fn last_settings_change(&self, app: &AppName) -> Result<Option<Change>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.last_settings_change(app)).await
    }

    async fn heal_events(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.heal_events(app, range, limit)).await
    }

    async fn heal_events_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError> {
        self.principal.may(Operation::SeeHistory)?;
        self.live.recorded(app, self.live.store.heal_events_in_brief(app, range, limit)).await
    }
}
