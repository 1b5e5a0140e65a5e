//! Web App Restarted: how often were the app's workers replaced, for which reason, and did anybody notice?
//!
//! A restart is a replacement that Medic decided on. A worker that crashed is replaced too, but nobody decided on it: those are
//! counted beside, since [`super::application_crashes`] speaks of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::words::counted;
use crate::{deploys, healing, rules, words};
use model::auto_heal::evidence::Rule;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::time::humanise;
use model::{Place, TimeRange, Timestamp};

use crate::buckets::{Buckets, times};
use crate::detector::{Category, Detector, Sharing, Span};
use crate::evidence::{Ask, CrashCount, Evidence, names};
use crate::report::{Action, Chart, Detail, Insight, Note, Report, Series, Severity, Table, Target, Total};
use crate::tables::{self, RestartColumns};

/// The detector.
pub static DETECTOR: Detector = Detector {
    id: "web-app-restarted",
    title: "Web App Restarted",
    category: Category::AvailabilityAndPerformance,
    description: "How often Medic restarted workers, for which reason, and which requests that affected.",
    keywords: "restart recycle replace reboot auto-heal reason overlapped graceful drained failed requests streams websockets fuse restart limit \
               by hand configuration",
    span: Span::Range,
    // Ours: a restart every 9 seconds of a day.
    evidence: &[Ask::Restarts { limit: 10_000 }, Ask::CrashCounts, Ask::Deploys { limit: deploys::MARKED }],
    sharing: Sharing::Snapshot {
        tables: &[(
            LATEST,
            &[
                "at", "instance", "reason", "outcome", "duration", "drained", "failed", "streams", "tunnels",
                "observed",
            ],
        )],
    },
    report,
};

/// How many restarts the table lists.
const LISTED: usize = 100;
const LATEST: &str = "Latest restarts";

fn report(evidence: &Evidence) -> Report {
    let Evidence { range, now, places, .. } = evidence;
    let mut restarts: Vec<&Restart> = evidence.restarts.iter().collect();
    restarts.sort_by_key(|restart| restart.at);
    let crashes = &*evidence.crash_counts;
    let mut insights = Vec::new();
    insights.extend(failed_requests(&restarts, *now));
    insights.extend(ended_streams(&restarts));
    insights.extend(limit_reached(&restarts, *now));
    insights.extend(failed_attempts(&restarts, *now));
    for (reason, done) in by_reason(&restarts) {
        insights.push(of_reason(reason, &done, places, *now));
    }
    insights.extend(crash_replacements(crashes, places, *now));
    insights.extend(all_is_well(&restarts, crashes));
    insights.sort_by_key(|insight| insight.severity);
    let count = u64::try_from(restarts.len()).unwrap_or(u64::MAX);
    let report = Report {
        range: *range,
        total: Some(Total { count, one: "restart", many: "restarts" }),
        insights,
        charts: vec![chart(*range, &restarts, crashes)],
        lines: vec![],
        tables: vec![latest(&evidence.restarts)],
    };
    deploys::marked(report, &evidence.deploys)
}

fn latest(restarts: &[Restart]) -> Table {
    let listed = restarts.get(..LISTED).unwrap_or(restarts);
    let empty = "No restarts in this time range";
    let mut table = tables::restarts(LATEST, listed, RestartColumns::Whole, empty);
    if restarts.len() > LISTED {
        table.notes.push(Note::new(format!("The newest {LISTED} of {} are listed.", restarts.len())));
    }
    table.notes.push(tables::evidence_note());
    table
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
            Self::Rule(rule) => rules::title(rule),
            Self::ByHand => "Manual restart".to_owned(),
            Self::ConfigurationChanged => "Configuration changed".to_owned(),
        }
    }

    /// `3 restarts by rule Percent memory`.
    fn title(self, count: usize) -> String {
        match self {
            Self::Rule(rule) => {
                format!("{} by rule {}", counted(count, "restart", "restarts"), rules::title(rule))
            }
            Self::ByHand => counted(count, "manual restart", "manual restarts"),
            Self::ConfigurationChanged => {
                format!("{} after a configuration change", counted(count, "restart", "restarts"))
            }
        }
    }

    /// What to do next, most promising first.
    fn actions(self) -> Vec<Action> {
        let Self::Rule(rule) = self else { return Vec::new() };
        let mut actions = (rules::words(rule).advice)();
        actions.push(Action::at("Review the evidence of each restart.", Target::AutoHealHistory));
        actions
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

fn of_reason(reason: Reason, done: &[&Restart], places: &[Place], now: Timestamp) -> Insight {
    let longest = done.iter().map(|restart| restart.duration_ms).max().unwrap_or(0);
    let drained: u64 = done.iter().map(|restart| restart.drained).sum();
    let failed: u64 = done.iter().map(|restart| restart.failed).sum();
    let mut details = times_of(done);
    details.push(instances(done.iter().map(|restart| &restart.place), places));
    details.push(Detail::text("Longest duration", humanise(Duration::from_millis(longest))));
    details.push(Detail::text("Requests drained", drained.to_string()));
    details.push(Detail::text("Requests failed", failed.to_string()));
    details.extend(streams_ended(done).map(|ended| Detail::text("Streams ended", ended)));
    if let Some(evidence) = done.last().and_then(|latest| latest.evidence.as_ref()) {
        details.push(Detail::text("Reason (latest)", rules::summary(evidence)));
    }
    let severity = match (reason, done.last()) {
        (Reason::Rule(_), Some(latest)) => Severity::of_past(latest.at, now),
        _ => Severity::Info,
    };
    Insight { details, actions: reason.actions(), ..Insight::new(severity, reason.title(done.len())) }
}

fn failed_requests(restarts: &[&Restart], now: Timestamp) -> Option<Insight> {
    let costly: Vec<&Restart> = restarts.iter().copied().filter(|restart| restart.failed > 0).collect();
    let failed: u64 = costly.iter().map(|restart| restart.failed).sum();
    let worst = costly.iter().max_by_key(|restart| restart.failed)?;
    let mut details = times_of(&costly);
    details.push(Detail::text(
        "Most in one restart",
        format!("{} ({})", worst.failed, healing::reason(&worst.reason)),
    ));
    let title = format!(
        "{} failed during {}",
        counted(failed, "request", "requests"),
        counted(costly.len(), "restart", "restarts")
    );
    Some(Insight {
        details,
        actions: vec![Action::new(
            "Requests that were still in flight at the end of stop_grace received 502. Raise stop_grace in medic.toml, or make the app finish sooner.",
        )],
        ..Insight::new(Severity::of_failure(costly.last()?.at, now), title)
    })
}

fn limit_reached(restarts: &[&Restart], now: Timestamp) -> Option<Insight> {
    let last_ones: Vec<&Restart> = restarts
        .iter()
        .copied()
        .filter(|restart| matches!(restart.reason, RestartReason::Rule { blew_fuse: true, .. }))
        .collect();
    let latest = last_ones.last()?;
    let mut details = times_of(&last_ones);
    details.push(Detail::text("Rule", Reason::of(latest).name()));
    let title = match last_ones.len() {
        1 => "Restart limit reached: proactive rules paused".to_owned(),
        times => format!("Restart limit reached {times} times: proactive rules paused"),
    };
    Some(Insight {
        details,
        actions: vec![
            Action::new("Find the cause first: the restarts did not help. Custom rules go on."),
            Action::at("See when the proactive rules resume, or resume them.", Target::ProactiveRules),
        ],
        ..Insight::new(Severity::of_past(latest.at, now), title)
    })
}

fn failed_attempts(restarts: &[&Restart], now: Timestamp) -> Option<Insight> {
    let failed: Vec<&Restart> = restarts.iter().copied().filter(|restart| !is_done(restart)).collect();
    let latest = failed.last()?;
    let mut details = times_of(&failed);
    details.push(Detail::text("Instances", names(failed.iter().map(|restart| &restart.place))));
    details.push(Detail::text("Reason", healing::reason(&latest.reason)));
    if let RestartOutcome::Failed { why } = &latest.outcome {
        details.push(Detail::text("Failure (latest)", healing::failure(why)));
    }
    let title = format!("{} failed: the old worker stayed", counted(failed.len(), "restart", "restarts"));
    Some(Insight {
        details,
        actions: vec![
            Action::new(
                "Read what the new worker wrote while it started, in logfiles/application in the app's data folder.",
            ),
            Action::at(
                "If the worker needs longer to become ready, raise warm_up. The Settings page says where it is set.",
                Target::Settings,
            ),
        ],
        ..Insight::new(Severity::of_past(latest.at, now), title)
    })
}

fn crash_replacements(crashes: &[CrashCount], places: &[Place], now: Timestamp) -> Option<Insight> {
    let (first, last) =
        (crashes.iter().map(|crash| crash.first).min()?, crashes.iter().map(|crash| crash.at).max()?);
    let count: u64 = crashes.iter().map(|crash| crash.count).sum();
    let mut details = times(first, last);
    details.push(instances(crashes.iter().map(|crash| &crash.place), places));
    Some(Insight {
        details,
        actions: vec![Action::at(
            "See which crashes these were, and where in the code. They are not counted as restarts here.",
            Target::Detector { id: "application-crashes" },
        )],
        ..Insight::new(
            Severity::of_failure(last, now),
            format!("{} after a crash", counted(count, "restart", "restarts")),
        )
    })
}

/// What the restarts ended that was meant to last.
fn ended_streams(restarts: &[&Restart]) -> Option<Insight> {
    let costly: Vec<&Restart> = restarts.iter().copied().filter(|restart| restart.ended_streams()).collect();
    let ended = streams_ended(&costly)?;
    let failed: u64 = costly.iter().map(|restart| restart.failed).sum();
    let mut details = times_of(&costly);
    details.push(Detail::text("Requests failed", failed.to_string()));
    let title = format!("{ended} ended during {}", counted(costly.len(), "restart", "restarts"));
    Some(Insight {
        details,
        actions: vec![Action::new(
            "Streams and tunnels (such as WebSockets) that are open at the end of stop_grace end with the old worker. Make clients reconnect, or close them when the app receives SIGTERM.",
        )],
        ..Insight::new(Severity::Info, title)
    })
}

fn streams_ended(restarts: &[&Restart]) -> Option<String> {
    let sum = |of: fn(&Restart) -> u64| restarts.iter().map(|restart| of(restart)).sum();
    words::streams(sum(|restart| restart.streams_ended), sum(|restart| restart.tunnels_ended))
}

/// Nothing was replaced, or no request failed for it and no stream ended.
fn all_is_well(restarts: &[&Restart], crashes: &[CrashCount]) -> Option<Insight> {
    if restarts.is_empty() {
        return crashes.is_empty().then(|| Insight::new(Severity::Healthy, "No restarts in this time range"));
    }
    let drained: u64 = restarts.iter().map(|restart| restart.drained).sum();
    restarts.iter().all(|restart| restart.failed == 0 && !restart.ended_streams()).then(|| Insight {
        details: vec![Detail::text("Requests drained", drained.to_string())],
        ..Insight::new(
            Severity::Healthy,
            format!("No requests failed during {}", counted(restarts.len(), "restart", "restarts")),
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
fn instances<'e>(of: impl Iterator<Item = &'e Place>, places: &'e [Place]) -> Detail {
    let named: BTreeSet<&Place> = of.collect();
    let all = places.iter().chain(named.iter().copied()).collect::<BTreeSet<_>>().len();
    let text = names(named.iter().copied());
    Detail::text("Instances", if all > 1 { format!("{text} ({} of {all})", named.len()) } else { text })
}

/// A series a reason; after them what was no restart that was done.
fn chart(range: TimeRange, restarts: &[&Restart], crashes: &[CrashCount]) -> Chart {
    let buckets = Buckets::columns(range);
    let mut series: Vec<Series> = Vec::new();
    let mut add = |name: String, counts: Vec<(Timestamp, u64)>| {
        if !counts.is_empty() {
            series.push(Series { name, values: buckets.tally(counts.into_iter()) });
        }
    };
    for (reason, done) in by_reason(restarts) {
        add(reason.name(), done.iter().map(|restart| (restart.at, 1)).collect());
    }
    let failed = restarts.iter().filter(|restart| !is_done(restart));
    add("Failed attempt".to_owned(), failed.map(|restart| (restart.at, 1)).collect());
    add("After a crash".to_owned(), crashes.iter().map(|crash| (crash.at, crash.count)).collect());
    Chart {
        title: "Restarts over time by reason".to_owned(),
        unit: "restarts".to_owned(),
        range,
        bucket_ms: buckets.width_ms,
        series,
        deploys: vec![],
    }
}

#[cfg(test)]
mod tests;
