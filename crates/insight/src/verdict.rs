//! The one answer to "how is it?": status, since when, why, whom it hurts, what Medic does next. Pages, the API and whatever
//! tells people say this and nothing else, so that a fact has one severity and one wording everywhere.
//!
//! Only what was measured is claimed: that a worker runs is known, that it answers is not. "Not responding" needs a probe
//! without an answer as well as requests that wait.

use model::Timestamp;
use model::crash_monitor::{EndsInARow, RECENT};
use model::status::{AppHeal, AppStatus, InstanceState, InstanceStatus};
use model::time::humanise;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::report::Severity;
use crate::start;
use crate::words::{counted, instance_state, last_end};

/// How an app is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum VerdictStatus {
    /// No instance is running, or Medic cannot listen on the app's address.
    Down,
    /// Workers become ready and end soon after, again and again.
    RestartLoop,
    /// Workers run, requests wait, and a probe got no answer.
    NotResponding,
    /// Some instances are running and some are not, or Medic cannot listen on the app's new address.
    Degraded,
    /// All are starting for the first time, or running after a crash in the last 15 minutes.
    Recovering,
    /// All are running, without a crash in the last 15 minutes.
    Healthy,
    /// Medic was told to stop it.
    Stopped,
}

impl VerdictStatus {
    /// As pages write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "Down",
            Self::RestartLoop => "Restart loop",
            Self::NotResponding => "Not responding",
            Self::Degraded => "Degraded",
            Self::Recovering => "Recovering",
            Self::Healthy => "Healthy",
            Self::Stopped => "Stopped",
        }
    }

    /// The same on every page.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Down | Self::RestartLoop | Self::NotResponding => Severity::Critical,
            Self::Degraded | Self::Recovering => Severity::Warning,
            Self::Healthy => Severity::Healthy,
            Self::Stopped => Severity::Info,
        }
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Verdict {
    pub status: VerdictStatus,
    /// The first moment of the present streak, across restarts of Medic.
    pub since: Timestamp,
    /// Why, and what to look at; sentences, or empty where there is nothing to say.
    pub reason: String,
    /// Whom it hurts; a sentence, or empty.
    pub impact: String,
    /// What Medic does next; a sentence, or empty.
    pub next: String,
}

impl Verdict {
    /// `Down for 7 min`: status and duration.
    pub fn headline(&self, now: Timestamp) -> String {
        let age = now.since(self.since);
        let age = Duration::from_secs(age.as_secs());
        format!("{} for {}", self.status.word(), humanise(age))
    }
}

/// How an app is now. `heal` is what auto-heal sees of it, where that is known.
pub fn verdict(app: &AppStatus, heal: Option<&AppHeal>, now: Timestamp) -> Verdict {
    let view = View { app, heal, now };
    view.closed()
        .or_else(|| view.stopped())
        .or_else(|| view.none_running())
        .or_else(|| view.not_responding())
        .or_else(|| view.some_running())
        .or_else(|| view.not_moved())
        .or_else(|| view.recovering())
        .unwrap_or_else(|| view.healthy())
}

struct View<'a> {
    app: &'a AppStatus,
    heal: Option<&'a AppHeal>,
    now: Timestamp,
}

impl View<'_> {
    fn closed(&self) -> Option<Verdict> {
        let closed = self.app.not_listening.as_ref().filter(|closed| closed.still_listening.is_none())?;
        Some(Verdict {
            status: VerdictStatus::Down,
            since: closed.since,
            reason: format!("Medic cannot listen on {}: {}.", closed.address, closed.reason),
            impact: "No request reaches the app.".to_owned(),
            next: "Medic retries until the address is free.".to_owned(),
        })
    }

    /// It has another address by now, which cannot be opened, and is reached where it was.
    fn not_moved(&self) -> Option<Verdict> {
        let closed = self.app.not_listening.as_ref()?;
        let old = closed.still_listening.as_ref()?;
        Some(Verdict {
            status: VerdictStatus::Degraded,
            since: closed.since,
            reason: format!("Medic cannot listen on {}: {}.", closed.address, closed.reason),
            impact: format!("Medic still listens on {old}."),
            next: "Medic retries until the address is free.".to_owned(),
        })
    }

    fn stopped(&self) -> Option<Verdict> {
        let ended = |instance: &InstanceStatus| {
            matches!(instance.state, InstanceState::Stopped | InstanceState::Stopping)
        };
        let stops = |instance: &InstanceStatus| ended(instance) && instance.ends.is_none();
        self.app.instances.iter().all(stops).then(|| Verdict {
            status: VerdictStatus::Stopped,
            since: self.latest(|instance| instance.since),
            reason: "Stopped on request.".to_owned(),
            impact: String::new(),
            next: String::new(),
        })
    }

    fn none_running(&self) -> Option<Verdict> {
        if self.app.instances.iter().any(is_running) {
            return self.loops();
        }
        let failed: Vec<_> = self.app.instances.iter().filter_map(|i| Some((i, i.ends.as_ref()?))).collect();
        let Some((instance, ends)) = failed.iter().max_by_key(|(_, ends)| ends.since).copied() else {
            return Some(self.starting());
        };
        let is_loop = ends.was_ready && ends.count > 1;
        Some(Verdict {
            status: if is_loop { VerdictStatus::RestartLoop } else { VerdictStatus::Down },
            since: ends.since,
            reason: reason(ends),
            impact: "All requests get 503 while no instance is running.".to_owned(),
            next: self.next(instance),
        })
    }

    /// Every instance that is running is one of a row that ended soon.
    fn loops(&self) -> Option<Verdict> {
        let in_a_loop = |instance: &InstanceStatus| instance.ends.as_ref().is_some_and(|ends| ends.count > 1);
        let all = self.app.instances.iter().all(in_a_loop);
        let ends = self.app.instances.iter().filter_map(|instance| instance.ends.as_ref());
        let worst = ends.max_by_key(|ends| ends.since).filter(|_| all)?;
        Some(Verdict {
            status: VerdictStatus::RestartLoop,
            since: worst.since,
            reason: reason(worst),
            impact: "Requests fail each time the worker ends.".to_owned(),
            next: "Healthy again once a worker stays up for 1 min and 15 min pass without a crash."
                .to_owned(),
        })
    }

    /// Nothing has ended yet.
    fn starting(&self) -> Verdict {
        let slowest = self.app.instances.iter().min_by_key(|instance| instance.since);
        let start = slowest.and_then(|instance| instance.starting.as_ref());
        let next = "Medic routes requests once the readiness check passes.";
        Verdict {
            status: VerdictStatus::Recovering,
            since: self.latest(|instance| instance.since),
            reason: start.map_or_else(|| "Starting.".to_owned(), start::activity),
            impact: "Requests wait until an instance is ready.".to_owned(),
            next: start.map_or_else(|| next.to_owned(), |start| format!("{next} {}", start::limit(start))),
        }
    }

    fn not_responding(&self) -> Option<Verdict> {
        let running = || self.app.instances.iter().filter(|instance| is_running(instance));
        if !running().all(|instance| instance.not_responding) {
            return None;
        }
        let (waiting, given_up) = self.unanswered();
        let acts = self.app.auto_heal_enabled;
        Some(Verdict {
            status: VerdictStatus::NotResponding,
            since: self.latest(|instance| instance.not_responding_since.unwrap_or(instance.since)),
            reason: "The worker is running, but no request and no probe got an answer.".to_owned(),
            impact: format!(
                "{} waiting, {given_up} canceled by clients.",
                counted(waiting, "request", "requests")
            ),
            next: if acts {
                "The rule Not responding restarts the instance if this lasts.".to_owned()
            } else {
                "No automatic restart: proactive auto-heal is off.".to_owned()
            },
        })
    }

    fn some_running(&self) -> Option<Verdict> {
        let serves = |instance: &&InstanceStatus| is_running(instance) && !instance.not_responding;
        let all = self.app.instances.len();
        let running = self.app.instances.iter().filter(serves).count();
        let out = || self.app.instances.iter().filter(|instance| !serves(instance));
        let began = |instance: &InstanceStatus| {
            let ends = instance.ends.as_ref().map(|ends| ends.since);
            ends.or(instance.not_responding_since).unwrap_or(instance.since)
        };
        let first = out().min_by_key(|instance| began(instance))?;
        let why = match &first.ends {
            Some(ends) => reason(ends),
            None if first.not_responding => "Not responding.".to_owned(),
            None => format!("{}.", instance_state(first.state)),
        };
        Some(Verdict {
            status: VerdictStatus::Degraded,
            since: began(first),
            reason: format!("Instance {}: {why}", first.index),
            impact: format!("{running} of {all} instances are running."),
            next: self.next(first),
        })
    }

    fn recovering(&self) -> Option<Verdict> {
        let recent = || self.app.instances.iter().filter_map(|instance| instance.recent_crashes);
        let last = recent().map(|crashes| crashes.last).max()?;
        let first = recent().map(|crashes| crashes.first).min()?;
        let count: u32 = recent().map(|crashes| crashes.count).sum();
        let left = (last + RECENT).since(self.now);
        let age = Duration::from_secs(self.now.since(last).as_secs());
        Some(Verdict {
            status: VerdictStatus::Recovering,
            since: first,
            reason: format!(
                "{}, the last {} ago.",
                counted(u64::from(count), "crash", "crashes"),
                humanise(age)
            ),
            impact: "All instances are running.".to_owned(),
            next: format!(
                "Healthy in {} without another crash.",
                humanise(Duration::from_secs(left.as_secs()))
            ),
        })
    }

    fn healthy(&self) -> Verdict {
        Verdict {
            status: VerdictStatus::Healthy,
            since: self.latest(|instance| instance.since),
            reason: match self.app.instances.len() {
                1 => "The instance is running.".to_owned(),
                all => format!("All {all} instances are running."),
            },
            impact: String::new(),
            next: String::new(),
        }
    }

    fn next(&self, instance: &InstanceStatus) -> String {
        match (instance.state, instance.next_start) {
            (InstanceState::Waiting, Some(at)) if at > self.now => {
                let left = Duration::from_secs(at.since(self.now).as_secs().max(1));
                format!("Next attempt in {}.", humanise(left))
            }
            (InstanceState::Waiting, _) => "Next attempt now.".to_owned(),
            (InstanceState::Starting, _) => {
                instance.starting.as_ref().map_or_else(|| "Starting.".to_owned(), start::activity)
            }
            (InstanceState::Running, _) if self.app.auto_heal_enabled => {
                "The rule Not responding restarts the instance if this lasts.".to_owned()
            }
            (InstanceState::Running, _) => "No automatic restart: proactive auto-heal is off.".to_owned(),
            (InstanceState::Stopping, _) => "The worker is stopping.".to_owned(),
            (InstanceState::Stopped, _) => String::new(),
        }
    }

    fn unanswered(&self) -> (u64, u64) {
        let instances = self.heal.map(|heal| heal.instances.iter()).into_iter().flatten();
        instances.fold((0, 0), |(waiting, given_up), one| (waiting + one.waiting, given_up + one.given_up))
    }

    fn latest(&self, at: fn(&InstanceStatus) -> Timestamp) -> Timestamp {
        self.app.instances.iter().map(at).max().unwrap_or(self.now)
    }
}

fn is_running(instance: &InstanceStatus) -> bool {
    instance.state == InstanceState::Running
}

/// `Exit code 3, 20 consecutive exits.` And what to look at, where that is known.
fn reason(ends: &EndsInARow) -> String {
    let last = last_end(&ends.last);
    let remedy = start::remedy(&ends.last).map_or_else(String::new, |remedy| format!(" {remedy}"));
    match ends.count {
        0 | 1 => format!("{last}.{remedy}"),
        count => format!("{last}, {count} consecutive exits.{remedy}"),
    }
}

#[cfg(test)]
mod tests;
