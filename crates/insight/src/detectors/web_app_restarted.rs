//! Web App Restarted: how often were the app's workers replaced, for which reason, and did anybody notice?
//!
//! A restart is a replacement that Medic decided on. A worker that crashed is replaced too, but nobody decided on it: those are
//! counted beside, since [`super::application_crashes`] speaks of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::detectors::application_crashes::CrashPoint;
use crate::detectors::buckets::{Buckets, times};
use crate::report::{Chart, Detail, Insight, Report, Series, Severity};
use model::auto_heal::evidence::Rule;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::auto_heal::words::counted;
use model::time::humanise;
use model::{TimeRange, Timestamp};

/// What is recorded, as insights and a chart. `restarts` in any order; `places`: every instance that exists.
pub fn report(range: TimeRange, restarts: &[Restart], crashes: &[CrashPoint], places: &[String]) -> Report {
    let mut restarts: Vec<&Restart> = restarts.iter().filter(|restart| range.contains(restart.at)).collect();
    restarts.sort_by_key(|restart| restart.at);
    let crashes: Vec<&CrashPoint> = crashes.iter().filter(|crash| range.contains(crash.at)).collect();
    let mut insights = Vec::new();
    insights.extend(failed_requests(&restarts));
    insights.extend(fuse_blown(&restarts));
    insights.extend(failed_attempts(&restarts));
    for (reason, done) in by_reason(&restarts) {
        insights.push(of_reason(reason, &done, places));
    }
    insights.extend(crash_replacements(&crashes, places));
    insights.extend(all_is_well(&restarts));
    insights.sort_by_key(|insight| insight.severity);
    Report { range, insights, charts: vec![chart(range, &restarts, &crashes)], lines: vec![] }
}

/// Where a restart happened, as `node/instance`.
pub(super) fn place(restart: &Restart) -> String {
    format!("{}/{}", restart.node, restart.instance)
}

/// Why workers were replaced, without what differs from one to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Rule(Rule),
    ByHand,
    ConfigurationChanged,
}

impl Reason {
    fn of(restart: &Restart) -> Self {
        match &restart.reason {
            RestartReason::Rule { rule, .. } => Self::Rule(*rule),
            RestartReason::ByHand { .. } => Self::ByHand,
            RestartReason::ConfigurationChanged => Self::ConfigurationChanged,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Rule(rule) => rule.to_string(),
            Self::ByHand => "Manual restart".to_owned(),
            Self::ConfigurationChanged => "Configuration changed".to_owned(),
        }
    }

    /// Behind `3 restarts`.
    fn words(self) -> String {
        match self {
            Self::Rule(rule) => format!("by the rule {rule}"),
            Self::ByHand => "by hand".to_owned(),
            Self::ConfigurationChanged => "for a changed configuration".to_owned(),
        }
    }

    /// What to do next, most promising first.
    fn advice(self) -> Vec<String> {
        let advice: &[&str] = match self {
            Self::Rule(Rule::PercentMemory | Rule::PrivateBytes) => &[
                "Look at Memory Analysis: memory that only ever grows is a leak, and a restart just puts it off.",
                "Where the app needs that much, give it a larger worker_size or memory_limit in medic.toml.",
            ],
            Self::Rule(Rule::PercentRequest | Rule::SlowRequests | Rule::SlowRequestsWithPath { .. }) => &[
                "Find what the requests waited for: a database, a lock or another service. A restart ends the waiting, not its cause.",
            ],
            Self::Rule(Rule::NotResponding) => &[
                "Find what blocked the whole worker: a deadlock, an endless loop or a blocked event loop. A restart does not remove the cause.",
            ],
            Self::Rule(Rule::StatusCode { .. } | Rule::StatusCodeRange { .. }) => &[
                "Read the app's log from before the first of them: it says why these statuses were answered.",
            ],
            Self::Rule(Rule::ProactiveCpu) => &[
                "Take a profile while it happens: a loop without end or an expensive expression uses the processor up.",
            ],
            Self::Rule(Rule::Requests) => &[
                "This rule counts requests whatever they do: where nothing was wrong, raise its count or remove it.",
            ],
            Self::ByHand | Self::ConfigurationChanged => &[],
        };
        let mut advice: Vec<String> = advice.iter().map(|step| (*step).to_owned()).collect();
        if matches!(self, Self::Rule(_)) {
            advice.push(
                "Each restart's evidence, with its samples and the rules that did not act, is in the history of Auto-Heal."
                    .to_owned(),
            );
        }
        advice
    }
}

const fn is_done(restart: &Restart) -> bool {
    matches!(restart.outcome, RestartOutcome::Done)
}

fn by_reason<'r>(restarts: &[&'r Restart]) -> BTreeMap<Reason, Vec<&'r Restart>> {
    let mut groups: BTreeMap<Reason, Vec<&Restart>> = BTreeMap::new();
    for restart in restarts.iter().copied().filter(|restart| is_done(restart)) {
        groups.entry(Reason::of(restart)).or_default().push(restart);
    }
    groups
}

fn of_reason(reason: Reason, done: &[&Restart], places: &[String]) -> Insight {
    let longest = done.iter().map(|restart| restart.duration_ms).max().unwrap_or(0);
    let drained: u64 = done.iter().map(|restart| restart.drained).sum();
    let failed: u64 = done.iter().map(|restart| restart.failed).sum();
    let mut details = times_of(done);
    details.push(instances(done.iter().map(|restart| place(restart)), places));
    details.push(Detail::text("Longest", humanise(Duration::from_millis(longest))));
    details.push(Detail::text("Requests drained", drained.to_string()));
    details.push(Detail::text("Requests failed", failed.to_string()));
    if let Some(evidence) = done.last().and_then(|latest| latest.evidence.as_ref()) {
        details.push(Detail::text("Why the latest", evidence.summary()));
    }
    Insight {
        severity: if matches!(reason, Reason::Rule(_)) { Severity::Warning } else { Severity::Info },
        title: format!("{} {}", counted(done.len(), "restart", "restarts"), reason.words()),
        details,
        advice: reason.advice(),
        incident: None,
    }
}

fn failed_requests(restarts: &[&Restart]) -> Option<Insight> {
    let costly: Vec<&Restart> = restarts.iter().copied().filter(|restart| restart.failed > 0).collect();
    let failed: u64 = costly.iter().map(|restart| restart.failed).sum();
    let worst = costly.iter().max_by_key(|restart| restart.failed)?;
    let mut details = times_of(&costly);
    details.push(Detail::text("Most at once", format!("{}, {}", worst.failed, worst.reason)));
    let failed = usize::try_from(failed).unwrap_or(usize::MAX);
    Some(Insight {
        severity: Severity::Critical,
        title: format!(
            "{} failed during {}",
            counted(failed, "request", "requests"),
            counted(costly.len(), "restart", "restarts")
        ),
        details,
        advice: vec![
            "What was still under way when the stop grace ended was cut off: raise stop_grace in medic.toml, or let the app finish sooner."
                .to_owned(),
        ],
        incident: None,
    })
}

fn fuse_blown(restarts: &[&Restart]) -> Option<Insight> {
    let blown: Vec<&Restart> = restarts
        .iter()
        .copied()
        .filter(|restart| matches!(restart.reason, RestartReason::Rule { blew_fuse: true, .. }))
        .collect();
    let latest = blown.last()?;
    let mut details = times_of(&blown);
    details.push(Detail::text("By the rule", Reason::of(latest).name()));
    Some(Insight {
        severity: Severity::Critical,
        title: match blown.len() {
            1 => "Too many restarts: the fuse blew".to_owned(),
            times => format!("Too many restarts: the fuse blew {times} times"),
        },
        details,
        advice: vec![
            "Restarts did not help, so the proactive rules were switched off for a while. Find the cause first.".to_owned(),
            "The Proactive Auto-Heal tab of Auto-Heal shows the fuse with its countdown, and arms it again.".to_owned(),
        ],
        incident: None,
    })
}

fn failed_attempts(restarts: &[&Restart]) -> Option<Insight> {
    let failed: Vec<&Restart> = restarts.iter().copied().filter(|restart| !is_done(restart)).collect();
    let latest = failed.last()?;
    let mut details = times_of(&failed);
    let places: BTreeSet<String> = failed.iter().map(|restart| place(restart)).collect();
    details.push(Detail::text("Instances", joined(&places)));
    details.push(Detail::text("Asked for", latest.reason.to_string()));
    if let RestartOutcome::Failed { why } = &latest.outcome {
        details.push(Detail::text("Why the latest failed", why.clone()));
    }
    Some(Insight {
        severity: Severity::Warning,
        title: format!(
            "{} failed: the old worker stayed",
            counted(failed.len(), "restart", "restarts")
        ),
        details,
        advice: vec![
            "Look at what the new worker wrote while it started; its log is in logfiles/application in the app's data folder."
                .to_owned(),
            "A worker that needs longer to get warm needs a longer warm_up, or WEBSITES_CONTAINER_START_TIME_LIMIT.".to_owned(),
        ],
        incident: None,
    })
}

fn crash_replacements(crashes: &[&CrashPoint], places: &[String]) -> Option<Insight> {
    let (first, last) =
        (crashes.iter().map(|crash| crash.at).min()?, crashes.iter().map(|crash| crash.at).max()?);
    let mut details = times(first, last);
    details.push(instances(crashes.iter().map(|crash| crash.place.clone()), places));
    Some(Insight {
        severity: Severity::Warning,
        title: format!("{} crashed and had to be replaced", counted(crashes.len(), "worker", "workers")),
        details,
        advice: vec![
            "Application Crashes says which crashes these were, and where in the code. They are not counted as restarts here."
                .to_owned(),
        ],
        incident: None,
    })
}

/// Nothing was decided, or nobody noticed.
fn all_is_well(restarts: &[&Restart]) -> Option<Insight> {
    let success = |title: String, details| Insight {
        severity: Severity::Success,
        title,
        details,
        advice: Vec::new(),
        incident: None,
    };
    if restarts.is_empty() {
        return Some(success("No restarts in this time range".to_owned(), Vec::new()));
    }
    let drained: u64 = restarts.iter().map(|restart| restart.drained).sum();
    restarts.iter().all(|restart| restart.failed == 0).then(|| {
        let details = vec![Detail::text("Requests that old workers finished", drained.to_string())];
        success(
            format!("No request failed during {}", counted(restarts.len(), "restart", "restarts")),
            details,
        )
    })
}

fn times_of(restarts: &[&Restart]) -> Vec<Detail> {
    match restarts {
        [] => Vec::new(),
        [first, ..] => times(first.at, restarts.last().map_or(first.at, |last| last.at)),
    }
}

/// `node/0, node/1`, with how many there are where that says more.
fn instances(of: impl Iterator<Item = String>, places: &[String]) -> Detail {
    let named: BTreeSet<String> = of.collect();
    let all = places.iter().chain(&named).collect::<BTreeSet<_>>().len();
    let text = joined(&named);
    Detail::text("Instances", if all > 1 { format!("{text} ({} of {all})", named.len()) } else { text })
}

fn joined(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A series a reason; after them what was no restart that was done.
fn chart(range: TimeRange, restarts: &[&Restart], crashes: &[&CrashPoint]) -> Chart {
    let buckets = Buckets::columns(range);
    let mut series: Vec<Series> = by_reason(restarts)
        .into_iter()
        .map(|(reason, done)| Series {
            name: reason.name(),
            values: buckets.tally(done.iter().map(|restart| restart.at)),
        })
        .collect();
    let mut add = |name: &str, times: Vec<Timestamp>| {
        if !times.is_empty() {
            series.push(Series { name: name.to_owned(), values: buckets.tally(times.into_iter()) });
        }
    };
    add(
        "Failed attempt",
        restarts.iter().filter(|restart| !is_done(restart)).map(|restart| restart.at).collect(),
    );
    add("After a crash", crashes.iter().map(|crash| crash.at).collect());
    Chart {
        title: "Replaced workers over time by reason".to_owned(),
        unit: "replacements".to_owned(),
        range,
        bucket_ms: buckets.width_ms,
        series,
    }
}

#[cfg(test)]
mod tests;
