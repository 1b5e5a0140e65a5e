//! Incidents, and what people make of them.

use std::time::Duration;

use app::ConsoleError;
use model::change::Changed;
use model::crash::{Incident, IncidentSummary};
use model::deploy::Code;
use model::incident_state::{IncidentDecision, IncidentState, Resolution};
use model::status::Snapshot;
use model::{AppName, IncidentId};

use super::{LiveConsole, failed};

/// The longest name of a build, a revision or a deploy in characters. Ours: an image with its digest has about 150.
const FIXED_IN_CHARS: usize = 200;
/// Ours: who wants to hear of it never again says so once a year.
const LONGEST_IGNORED: Duration = Duration::from_hours(366 * 24);

impl LiveConsole {
    /// Those of one app or of all.
    pub(super) async fn incidents_of(
        &self,
        app: Option<&AppName>,
        limit: u32,
    ) -> Result<Vec<Incident>, ConsoleError> {
        if let Some(app) = app {
            self.known(app)?;
        }
        let incidents = self.store.incidents(app, None, limit).await.map_err(|error| failed(&error))?;
        Ok(incidents.into_iter().map(|incident| self.as_it_is(incident)).collect())
    }

    /// Those of the apps that this snapshot has.
    pub(super) async fn incidents_of_some(
        &self,
        seen: &Snapshot,
        limit: u32,
    ) -> Result<Vec<Incident>, ConsoleError> {
        let mut all = Vec::new();
        for app in &seen.apps {
            all.extend(self.incidents_of(Some(&app.name), limit).await?);
        }
        all.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then_with(|| a.id.cmp(&b.id)));
        all.truncate(limit.try_into().unwrap_or(usize::MAX));
        Ok(all)
    }

    pub(super) async fn incident_summaries_of(
        &self,
        app: &AppName,
        limit: u32,
    ) -> Result<Vec<IncidentSummary>, ConsoleError> {
        self.known(app)?;
        let now = self.clock.wall();
        let incidents = self.store.incident_summaries(app, limit).await.map_err(|error| failed(&error))?;
        let as_it_is =
            |incident: IncidentSummary| IncidentSummary { state: incident.state.at(now), ..incident };
        Ok(incidents.into_iter().map(as_it_is).collect())
    }

    pub(super) async fn incident_of(&self, id: &IncidentId) -> Result<Option<Incident>, ConsoleError> {
        let incident = self.store.incident(id).await.map_err(|error| failed(&error))?;
        Ok(incident.map(|incident| self.as_it_is(incident)))
    }

    fn as_it_is(&self, incident: Incident) -> Incident {
        Incident { state: incident.state.at(self.clock.wall()), ..incident }
    }

    /// What the incident is then; `None` where there is no such incident.
    pub(super) async fn decide_incident(
        &self,
        id: &IncidentId,
        decision: IncidentDecision,
        by: Option<String>,
    ) -> Result<Option<Incident>, ConsoleError> {
        let Some(incident) = self.incident_of(id).await? else { return Ok(None) };
        let mut state = self.decided(&incident, decision, by.clone())?;
        if let IncidentState::Resolved(resolution) = &mut state {
            resolution.faulty_code = self.faulty_code(&incident).await?.map(Box::new);
        }
        let what = Changed::Incident { incident: incident.id.clone(), became: state.clone() };
        let change = self.change(&incident.app, by, what);
        let changed = self.store.change_incident(&incident.id, &state, &change).await;
        let is_there = changed.map_err(|error| failed(&error))?;
        Ok(is_there.then_some(Incident { state, ..incident }))
    }

    /// What the incident is then; `None` where there is no such incident.
    pub(super) async fn join_signal_only(
        &self,
        id: &IncidentId,
        joined: bool,
        by: Option<String>,
    ) -> Result<Option<Incident>, ConsoleError> {
        let Some(incident) = self.incident_of(id).await? else { return Ok(None) };
        if incident.captured == 0 || incident.signal.is_none() {
            let why = "No crash of this incident was captured after a signal. Join or separate crashes at a captured incident.";
            return Err(ConsoleError::Refused(why.to_owned()));
        }
        let what = Changed::SignalOnly { incident: incident.id.clone(), joined };
        let change = self.change(&incident.app, by, what);
        let changed = self.store.join_signal_only(&incident.id, joined, &change).await;
        changed.map_err(|error| failed(&error))?;
        self.incident_of(&incident.id).await
    }

    /// What the worker was started from that crashed last.
    async fn faulty_code(&self, incident: &Incident) -> Result<Option<Code>, ConsoleError> {
        let latest = self.store.crashes_of_incident(&incident.id, 1).await.map_err(|error| failed(&error))?;
        let Some(crash) = latest.first() else { return Ok(None) };
        let code = self.store.code_at(&crash.place.app, &crash.place.node, crash.worker.started_at).await;
        code.map_err(|error| failed(&error))
    }

    fn decided(
        &self,
        incident: &Incident,
        decision: IncidentDecision,
        by: Option<String>,
    ) -> Result<IncidentState, ConsoleError> {
        let now = self.clock.wall();
        match decision {
            IncidentDecision::Resolve { fixed_in } => {
                let fixed_in =
                    fixed_in.map(|build| build.trim().to_owned()).filter(|build| !build.is_empty());
                if fixed_in.as_ref().is_some_and(|build| build.chars().count() > FIXED_IN_CHARS) {
                    let limit = format!("fixed_in: at most {FIXED_IN_CHARS} characters.");
                    return Err(ConsoleError::Refused(limit));
                }
                let faulty_build = incident.build_id().map(str::to_owned);
                Ok(IncidentState::Resolved(Resolution {
                    resolved_at: now,
                    resolved_by: by,
                    fixed_in,
                    faulty_build,
                    faulty_code: None,
                }))
            }
            IncidentDecision::Ignore { until } if until <= now || until > now + LONGEST_IGNORED => {
                Err(ConsoleError::Refused("until: a time within the next 366 days.".to_owned()))
            }
            IncidentDecision::Ignore { until } => Ok(IncidentState::Ignored { until, by }),
            IncidentDecision::Reopen => Ok(IncidentState::Open),
        }
    }
}
