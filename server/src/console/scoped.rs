//! The console as a principal may use it. Whatever is asked, the table of operations in `access` is asked first.

use std::sync::Arc;
use std::time::Duration;

use app::{
    Action, ConfigurationLine, Console, ConsoleError, MadeShare, ProactiveNumbers, Reader, RulesChange,
    SettingChanges, ToShare, WorkerOutput,
};
use async_trait::async_trait;
use insight::detector::Detector;
use insight::dry_run::DryRun;
use insight::evidence::Ask;
use insight::report::Report;
use insight::share::SharedReport;
use model::account::{Account, AccountRole, Session};
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

use super::{LiveConsole, failed};
use crate::access::{Operation, Principal};
use crate::accounts::Accounts;
use crate::config::Line;

/// The number that the setting of capture from the first crash overrides.
const CRASHES: &str = "crash_monitoring.crashes";

/// So many links are looked through for one that somebody of some apps alone wants to revoke.
const SHARES_SEARCHED: u32 = 10_000;

pub(super) struct Scoped {
    pub(super) live: Arc<LiveConsole>,
    pub(super) accounts: Accounts,
    pub(super) principal: Principal,
}

impl Scoped {
    /// Nobody shares what they may not see; is it there for them?
    async fn may_see(&self, operation: Operation, what: &ToShare) -> Result<bool, ConsoleError> {
        let (sees, app) = match what {
            ToShare::Incident(id) => {
                return Ok(self.may_of(Operation::SeeCrashes, id).await? && self.may_of(operation, id).await?);
            }
            ToShare::Report { app, .. } => (Operation::SeeReports, app),
            ToShare::Restart { app, .. } => (Operation::SeeHistory, app),
        };
        self.principal.may_in(sees, app)?;
        self.principal.may_in(operation, app).map(|()| true)
    }

    /// Is there such an incident for them, and may they? One of an app that they have no role for is as one that there is not.
    async fn may_of(&self, operation: Operation, id: &IncidentId) -> Result<bool, ConsoleError> {
        if !self.principal.sees_all() {
            let incident = self.live.incident_of(id).await?;
            if !incident.is_some_and(|incident| self.principal.sees(&incident.app)) {
                return Ok(false);
            }
        }
        self.principal.may(operation).map(|()| true)
    }
}

#[async_trait]
impl Console for Scoped {
    fn now(&self) -> Timestamp {
        self.live.clock.wall()
    }

    fn reader(&self) -> Reader {
        match self.principal.person() {
            Some(crate::accounts::Person { account, session }) => {
                let (account, session) = (account.clone(), session.clone());
                Reader::Person(Box::new(app::Person { account, session }))
            }
            None if self.principal.is_stranger() => Reader::Stranger,
            None if self.accounts.are_in_force() => Reader::Operator,
            None => Reader::Machine,
        }
    }

    fn lacks(&self, action: Action) -> Option<AccountRole> {
        self.principal.lacks(action.into())
    }

    fn sessions(&self) -> Vec<Session> {
        let person = self.principal.person();
        person.map(|person| self.accounts.sessions_of(&person.account.name)).unwrap_or_default()
    }

    fn accounts(&self) -> Result<Vec<Account>, ConsoleError> {
        self.principal.may(Operation::SeeAccounts)?;
        Ok(self.accounts.all())
    }

    fn node(&self) -> NodeName {
        self.live.node.clone()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        match self.principal.may(Operation::SeeStatus) {
            Ok(()) if self.principal.sees_all() => self.live.snapshot(),
            Ok(()) => Arc::new(self.live.snapshot().only(|app| self.principal.sees(app))),
            Err(_) => Arc::default(),
        }
    }

    async fn report(
        &self,
        app: &AppName,
        detector: &'static Detector,
        range: TimeRange,
    ) -> Result<Report, ConsoleError> {
        self.principal.may_in(Operation::SeeReports, app)?;
        if detector.evidence.contains(&Ask::Processes) {
            self.principal.may_in(Operation::SeeProcesses, app)?;
        }
        self.live.report_of(app, detector, range).await
    }

    async fn crashes(&self, app: &AppName, range: TimeRange, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        self.principal.may_in(Operation::SeeCrashes, app)?;
        self.live.recorded(app, self.live.store.crashes(app, range, limit)).await
    }

    async fn incidents(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Incident>, ConsoleError> {
        self.principal.may(Operation::SeeCrashes)?;
        match app {
            Some(app) => self.principal.may_in(Operation::SeeCrashes, app)?,
            None if !self.principal.sees_all() => {
                return self.live.incidents_of_some(&self.snapshot(), limit).await;
            }
            None => {}
        }
        self.live.incidents_of(app, limit).await
    }

    async fn incident_summaries(
        &self,
        app: &AppName,
        limit: u32,
    ) -> Result<Vec<IncidentSummary>, ConsoleError> {
        self.principal.may_in(Operation::SeeCrashes, app)?;
        self.live.incident_summaries_of(app, limit).await
    }

    async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError> {
        if !self.may_of(Operation::SeeCrashes, id).await? {
            return Ok(None);
        }
        self.live.incident_of(id).await
    }

    async fn change_incident(
        &self,
        id: &IncidentId,
        decision: IncidentDecision,
    ) -> Result<Option<Incident>, ConsoleError> {
        if !self.may_of(Operation::ChangeIncidents, id).await? {
            return Ok(None);
        }
        self.live.decide_incident(id, decision, self.principal.name()).await
    }

    async fn join_signal_only(
        &self,
        id: &IncidentId,
        joined: bool,
    ) -> Result<Option<Incident>, ConsoleError> {
        if !self.may_of(Operation::ChangeIncidents, id).await? {
            return Ok(None);
        }
        self.live.join_signal_only(id, joined, self.principal.name()).await
    }

    async fn crashes_of(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, ConsoleError> {
        if !self.may_of(Operation::SeeCrashes, id).await? {
            return Ok(Vec::new());
        }
        self.live.store.crashes_of_incident(id, limit).await.map_err(|error| failed(&error))
    }

    async fn settings(&self, app: &AppName) -> Result<AppSettings, ConsoleError> {
        self.principal.may_in(Operation::SeeSettings, app)?;
        self.live.settings_in_force(app).await
    }

    async fn change_settings(&self, app: &AppName, changes: SettingChanges) -> Result<(), ConsoleError> {
        self.principal.may_in(Operation::ChangeSettings, app)?;
        self.live.change_some_settings(app, changes, self.principal.name()).await
    }

    fn setting_name(&self, setting: Setting) -> &'static str {
        app_service::settings::name(setting)
    }

    fn configuration(&self, app: &AppName) -> Option<Vec<ConfigurationLine>> {
        self.principal.may_in(Operation::SeeConfiguration, app).ok()?;
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
        self.principal.may_in(Operation::SeeSettings, app).ok()?;
        self.live.crash_monitoring_of(app)
    }

    async fn auto_heal(&self, app: &AppName) -> Result<AutoHealConfig, ConsoleError> {
        self.principal.may_in(Operation::SeeRules, app)?;
        self.live.rules(app).await
    }

    async fn change_auto_heal(&self, app: &AppName, change: RulesChange<'_>) -> Result<(), ConsoleError> {
        self.principal.may_in(Operation::ChangeRules, app)?;
        let may_save = |held: &AutoHealConfig| {
            let rules = change(held)?;
            self.principal.may_save(&rules, held).map(|()| rules)
        };
        self.live.change_rules(app, &may_save, self.principal.name()).await
    }

    async fn dry_run(&self, app: &AppName, config: &AutoHealConfig) -> Result<DryRun, ConsoleError> {
        self.principal.may_in(Operation::TryRules, app)?;
        self.live.run_dry(app, config).await
    }

    fn proactive(&self, app: &AppName) -> Option<ProactiveNumbers> {
        self.principal.may_in(Operation::SeeRules, app).ok()?;
        self.live.app(app).map(|app| app.proactive)
    }

    async fn rearm_fuse(&self, app: &AppName) -> Result<bool, ConsoleError> {
        self.principal.may_in(Operation::Resume, app)?;
        self.live.rearm(app, self.principal.name()).await
    }

    async fn restart(&self, app: &AppName, instance: u16) -> Result<(), ConsoleError> {
        self.principal.may_in(Operation::Restart, app)?;
        self.live.restart_by_hand(app, instance, self.principal.name()).await
    }

    async fn output(&self, app: &AppName, instance: u16) -> Result<Option<WorkerOutput>, ConsoleError> {
        self.principal.may_in(Operation::SeeOutput, app)?;
        self.live.output_of(app, instance).await
    }

    async fn restarts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.restarts(app, range, limit)).await
    }

    async fn restarts_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.restarts_in_brief(app, range, limit)).await
    }

    async fn deploys(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Deploy>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.deploys(app, range, limit)).await
    }

    async fn share_preview(
        &self,
        what: &ToShare,
        included: Included,
    ) -> Result<Option<SharedReport>, ConsoleError> {
        // a preview is for whoever may share it: of people those with the role, of this machine's users all
        let operation =
            if self.principal.person().is_some() { Operation::Share } else { Operation::SeeReports };
        if !self.may_see(operation, what).await? {
            return Ok(None);
        }
        Ok(self.live.snapshot_of(what, included).await?.map(|snapshot| snapshot.report))
    }

    async fn share(
        &self,
        what: &ToShare,
        included: Included,
        expires_in: Duration,
    ) -> Result<Option<MadeShare>, ConsoleError> {
        if !self.may_see(Operation::Share, what).await? {
            return Ok(None);
        }
        self.live.share(what, included, expires_in, self.principal.name()).await
    }

    async fn shares(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Share>, ConsoleError> {
        self.principal.may(Operation::SeeShares)?;
        match app {
            Some(app) => self.principal.may_in(Operation::SeeShares, app)?,
            None if !self.principal.sees_all() => {
                let all = self.live.shares_of(None, limit).await?;
                return Ok(all.into_iter().filter(|share| self.principal.sees(&share.app)).collect());
            }
            None => {}
        }
        self.live.shares_of(app, limit).await
    }

    async fn end_share(&self, id: &ShareId) -> Result<bool, ConsoleError> {
        self.principal.may(Operation::EndShare)?;
        if !self.principal.sees_all() {
            let all = self.live.shares_of(None, SHARES_SEARCHED).await?;
            if !all.iter().any(|share| share.id == *id && self.principal.sees(&share.app)) {
                return Ok(false);
            }
        }
        self.live.end_share(id, self.principal.name()).await
    }

    async fn changes(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Change>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.changes(app, range, limit)).await
    }

    async fn last_settings_change(&self, app: &AppName) -> Result<Option<Change>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.last_settings_change(app)).await
    }

    async fn heal_events(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.heal_events(app, range, limit)).await
    }

    async fn heal_events_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, ConsoleError> {
        self.principal.may_in(Operation::SeeHistory, app)?;
        self.live.recorded(app, self.live.store.heal_events_in_brief(app, range, limit)).await
    }
}
