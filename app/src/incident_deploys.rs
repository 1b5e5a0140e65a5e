//! The deploys that are told with an incident, on its page and in its Markdown copy.

use std::time::Duration;

use model::TimeRange;
use model::crash::Incident;
use model::deploy::Deploy;

use crate::{Console, ConsoleError};

/// What crashed first this long after a deploy may come of it.
const AFTER_DEPLOY: Duration = Duration::from_hours(24);
/// The worker that a deploy has started is measured only once it is ready.
const UNTIL_MEASURED: Duration = Duration::from_mins(5);
/// More would cover the chart.
const MARKED: u32 = 20;

/// None of an app that is not configured any more: its incidents are still there.
pub struct IncidentDeploys {
    /// The last one before the incident was first seen, where that is not long ago.
    pub before: Option<Deploy>,
    /// Those of the last minutes before a kill for want of memory, newest first.
    pub beside_memory: Vec<Deploy>,
}

impl IncidentDeploys {
    /// What the console knows of them.
    pub async fn read(console: &dyn Console, incident: &Incident) -> Result<Self, ConsoleError> {
        let just_after = Duration::from_millis(1);
        let first_seen = incident.first_seen;
        let range = TimeRange { start: first_seen - AFTER_DEPLOY, end: first_seen + just_after };
        let before = deploys(console, incident, range, 1).await?.pop();
        let beside_memory = match (incident.memory.first(), incident.memory.last()) {
            (Some(first), Some(last)) => {
                let range = TimeRange { start: first.at - UNTIL_MEASURED, end: last.at + just_after };
                deploys(console, incident, range, MARKED).await?
            }
            _ => Vec::new(),
        };
        Ok(Self { before, beside_memory })
    }
}

async fn deploys(
    console: &dyn Console,
    incident: &Incident,
    range: TimeRange,
    limit: u32,
) -> Result<Vec<Deploy>, ConsoleError> {
    match console.deploys(&incident.app, range, limit).await {
        Err(ConsoleError::NoSuchApp(_)) => Ok(Vec::new()),
        deploys => deploys,
    }
}

/// A deploy of this revision, for tests.
#[cfg(test)]
pub(crate) fn deploy_of(revision: &str, at: model::Timestamp) -> Deploy {
    use model::deploy::{Code, Revision};
    let code = |name: &str| Code {
        revision: Some(Revision { name: name.to_owned(), source: "git".to_owned() }),
        executable: None,
        script: None,
        command: "c".to_owned(),
    };
    let (app, node) = ("shop".parse().unwrap(), "node-a".parse().unwrap());
    Deploy { app, node, at, to: code(revision), from: Some(code("before")) }
}
