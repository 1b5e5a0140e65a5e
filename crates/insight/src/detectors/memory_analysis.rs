//! Memory Analysis: how near did the app's workers come to their memory limit, and do they grow?
//!
//! A minute is known by its peak. Growth is looked for in the present worker alone: a restart, a crash, or a fall below half of
//! the minute before (a process that Medic did not see end) begins a new stretch.

mod chart;
mod growth;

use std::time::Duration;

use crate::words::{bytes, counted};
use crate::{deploys, rules};
use chart::chart;
use growth::{Growth, steady};
use model::auto_heal::arithmetic::percent;
use model::auto_heal::evidence::Rule;
use model::auto_heal::percent_memory::SHARE_PERCENT;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::memory::{MemoryHistory, MemoryMinute};
use model::time::humanise;
use model::{Place, Timestamp};

use crate::buckets::times;
use crate::detector::{Category, Detector, Sharing, Span};
use crate::evidence::{Ask, CrashCount, Evidence, names};
use crate::report::{Action, Detail, Insight, Report, Severity, Target};
use crate::severity::GOING_ON;

/// The detector.
pub static DETECTOR: Detector = Detector {
    id: "memory-analysis",
    title: "Memory Analysis",
    category: Category::AvailabilityAndPerformance,
    description: "How close each instance came to its memory limit, whether its memory grows, and what happened meanwhile.",
    keywords: "memory leak private bytes limit out of memory OOM kill growth RAM heap worker size cgroup",
    span: Span::Range,
    evidence: &[
        Ask::MemoryMinutes,
        Ask::Restarts { limit: 10_000 },
        Ask::CrashCounts,
        Ask::Deploys { limit: deploys::MARKED },
    ],
    sharing: Sharing::Snapshot { tables: &[] },
    report,
};

/// Growth that reaches the limit later than this is worth knowing, no more.
const SOON: Duration = Duration::from_hours(24);
/// Beyond this nobody can tell.
const FORESEEABLE: Duration = Duration::from_hours(720);

fn report(evidence: &Evidence) -> Report {
    let Evidence { range, now, .. } = evidence;
    let mut restarts: Vec<&Restart> = evidence.restarts.iter().collect();
    restarts.sort_by_key(|restart| restart.at);
    let crashes = crash_ends(&evidence.crash_counts);
    let histories = histories(&evidence.memory, &evidence.places);
    let mut insights: Vec<Insight> =
        histories.iter().filter_map(|history| near_limit(*now, history)).collect();
    insights.extend(histories.iter().filter_map(|history| grows(*now, history, &restarts, &crashes)));
    insights.extend(killed(*now, &crashes));
    insights.extend(restarts_for_memory(*now, &restarts));
    insights.push(what_each_had(&histories, &insights));
    insights.extend(unrecorded(&histories));
    insights.sort_by_key(|insight| insight.severity);
    let report = Report {
        range: *range,
        total: None,
        insights,
        charts: vec![],
        lines: vec![chart(*range, &histories, &restarts, &crashes)],
        tables: vec![],
    };
    deploys::marked(report, &evidence.deploys)
}

/// Workers that crashed on one instance, and of what: want of memory is what this detector asks for.
struct CrashEnd<'e> {
    at: Timestamp,
    place: &'e Place,
    count: u64,
    /// Killed for want of memory.
    of_memory: bool,
}

/// Oldest first.
fn crash_ends(counts: &[CrashCount]) -> Vec<CrashEnd<'_>> {
    let mut ends = Vec::new();
    for CrashCount { at, place, count, out_of_memory, .. } in counts {
        for (of_memory, count) in [(true, *out_of_memory), (false, count.saturating_sub(*out_of_memory))] {
            if count > 0 {
                ends.push(CrashEnd { at: *at, place, count, of_memory });
            }
        }
    }
    ends.sort_by_key(|end| end.at);
    ends
}

/// One instance's minutes, oldest first.
struct History<'m> {
    place: &'m Place,
    minutes: &'m [MemoryMinute],
}

impl History<'_> {
    fn peak(&self) -> Option<&MemoryMinute> {
        self.minutes.iter().max_by_key(|minute| percent_of_limit(minute))
    }
}

/// The instances that exist in their order, then those that are gone.
fn histories<'m>(memory: &'m [MemoryHistory], places: &'m [Place]) -> Vec<History<'m>> {
    let recorded = |place: &Place| memory.iter().find(|history| history.place == *place);
    let minutes = |place| recorded(place).map(|history| &*history.minutes).unwrap_or_default();
    let exists = places.iter().map(|place| History { place, minutes: minutes(place) });
    let gone = memory.iter().filter(|history| !places.contains(&history.place));
    exists.chain(gone.map(|MemoryHistory { place, minutes }| History { place, minutes })).collect()
}

fn percent_of_limit(minute: &MemoryMinute) -> u64 {
    percent(minute.private_bytes_max, minute.limit_bytes)
}

/// As percent memory compares: more than 90% of the limit.
fn is_near(minute: &MemoryMinute) -> bool {
    minute.limit_bytes > 0
        && u128::from(minute.private_bytes_max) * 100
            > u128::from(minute.limit_bytes) * u128::from(SHARE_PERCENT)
}

fn near_limit(now: Timestamp, history: &History<'_>) -> Option<Insight> {
    let near: Vec<&MemoryMinute> = history.minutes.iter().filter(|minute| is_near(minute)).collect();
    let (first, last, peak) = (near.first()?, near.last()?, history.peak()?);
    let is_latest = history.minutes.last().is_some_and(|minute| minute.minute == last.minute);
    let is_still = is_latest && now.since(last.minute) <= GOING_ON;
    let mut details =
        vec![Detail::text("Peak", of_limit(peak)), Detail::text("Minutes above", near.len().to_string())];
    details.extend(times(first.minute, last.minute));
    let verb = if is_still { "is" } else { "was" };
    Some(Insight {
        details,
        actions: vec![
            Action::at(
                format!(
                    "Percent memory restarts an instance that stays above {SHARE_PERCENT}% for more than 30 s, if the rule is active (see Auto-heal)."
                ),
                Target::ProactiveRules,
            ),
            Action::new(
                "If the app needs that much memory, raise worker_size or memory_limit in medic.toml.",
            ),
        ],
        ..Insight::new(
            Severity::of_past(last.minute, now),
            format!("{} {verb} above {SHARE_PERCENT}% of its memory limit", history.place.within_app()),
        )
    })
}

/// `1.6 GiB of 1.75 GiB (91%)`.
fn of_limit(minute: &MemoryMinute) -> String {
    match minute.limit_bytes {
        0 => bytes(minute.private_bytes_max),
        limit => format!(
            "{} of {} ({})",
            bytes(minute.private_bytes_max),
            bytes(limit),
            match percent_of_limit(minute) {
                0 => "<1%".to_owned(),
                percent => format!("{percent}%"),
            }
        ),
    }
}

fn grows(
    now: Timestamp,
    history: &History<'_>,
    restarts: &[&Restart],
    crashes: &[CrashEnd<'_>],
) -> Option<Insight> {
    let limit = history.minutes.last()?.limit_bytes;
    let growth = steady(&of_present_worker(history, restarts, crashes))?;
    let left = growth.time_to(limit).filter(|left| *left <= FORESEEABLE);
    let is_reached = limit > 0 && growth.last.1 >= limit;
    let severity = match left {
        Some(left) if left <= SOON => Severity::of_past(growth.last.0, now),
        None if is_reached => Severity::of_past(growth.last.0, now),
        _ => Severity::Info,
    };
    let mut details = growth_details(&growth);
    if let Some(left) = left {
        details.push(Detail::text("Time to limit", format!("about {}", humanise(rounded(left)))));
        details.push(Detail::time("Estimated limit reached", growth.last.0 + rounded(left)));
    }
    let suspicion = if severity == Severity::Info { "" } else { ": possible memory leak" };
    Some(Insight {
        details,
        actions: vec![
            Action::new(
                "Take two heap snapshots of the worker some time apart and compare them: what grew between them is retained.",
            ),
            Action::new(
                "Watch whether the growth goes on. A cache that fills up grows too, and then stops. The rate is the median slope between all pairs of minutes of the current worker.",
            ),
        ],
        ..Insight::new(
            severity,
            format!(
                "{} grows by {} an hour{suspicion}",
                history.place.within_app(),
                about(growth.bytes_per_hour)
            ),
        )
    })
}

fn growth_details(growth: &Growth) -> Vec<Detail> {
    let ((since, low), (until, high)) = (growth.first, growth.last);
    vec![
        Detail::text("Observed for", humanise(until.since(since))),
        Detail::time("Since", since),
        Detail::text("From", bytes(low)),
        Detail::text("To", bytes(high)),
        Detail::text("Rising pairs of minutes", format!("{}%", growth.rising_percent)),
    ]
}

/// A rate to the byte would claim more than is known.
fn about(bytes_per_hour: u64) -> String {
    let step = if bytes_per_hour < 10 << 20 { 1 << 10 } else { 1 << 20 };
    bytes((bytes_per_hour + step / 2) / step * step)
}

/// A forecast to the second would lie.
fn rounded(left: Duration) -> Duration {
    let step_s = if left < Duration::from_hours(1) { 60 } else { 600 };
    Duration::from_secs(left.as_secs().div_ceil(step_s) * step_s)
}

/// The points since this instance's last restart, crash or fall.
fn of_present_worker(
    history: &History<'_>,
    restarts: &[&Restart],
    crashes: &[CrashEnd<'_>],
) -> Vec<(Timestamp, u64)> {
    let over =
        |restart: &&&Restart| restart.outcome == RestartOutcome::Done && restart.place == *history.place;
    let restarted =
        restarts.iter().filter(over).map(|restart| restart.at + Duration::from_millis(restart.duration_ms));
    let ended = crashes.iter().filter(|crash| crash.place == history.place).map(|crash| crash.at);
    let since = restarted.chain(ended).max();
    let points: Vec<(Timestamp, u64)> = history
        .minutes
        .iter()
        .filter(|minute| since.is_none_or(|since| minute.minute > since))
        .map(|minute| (minute.minute, minute.private_bytes_max))
        .collect();
    let fell = points.windows(2).rposition(|pair| pair[1].1 < pair[0].1 / 2);
    points[fell.map_or(0, |before| before + 1)..].to_vec()
}

fn killed(now: Timestamp, crashes: &[CrashEnd<'_>]) -> Option<Insight> {
    let kills: Vec<&CrashEnd<'_>> = crashes.iter().filter(|crash| crash.of_memory).collect();
    let (first, last) = (kills.first()?.at, kills.last()?.at);
    let mut details = times(first, last);
    details.push(Detail::text("Instances", names(kills.iter().map(|kill| kill.place))));
    let count: u64 = kills.iter().map(|kill| kill.count).sum();
    Some(Insight {
        details,
        actions: vec![
            Action::at(
                "Open the incident for the memory before the kill.",
                Target::Detector { id: "application-crashes" },
            ),
            Action::new(
                "Give the machine or the cgroup more memory, or lower memory_limit so that percent memory restarts the worker before the kernel kills it. A kill fails all in-flight requests.",
            ),
        ],
        ..Insight::new(
            Severity::of_failure(last, now),
            counted(count, "out-of-memory kill", "out-of-memory kills"),
        )
    })
}

fn restarts_for_memory(now: Timestamp, restarts: &[&Restart]) -> Option<Insight> {
    let is_memory = |rule: Rule| matches!(rule, Rule::PercentMemory | Rule::PrivateBytes);
    let of_memory: Vec<&Restart> = restarts
        .iter()
        .copied()
        .filter(|restart| restart.outcome == RestartOutcome::Done)
        .filter(|restart| matches!(restart.reason, RestartReason::Rule { rule, .. } if is_memory(rule)))
        .collect();
    let (first, last) = (of_memory.first()?, of_memory.last()?);
    let mut details = times(first.at, last.at);
    details.push(Detail::text("Instances", names(of_memory.iter().map(|restart| &restart.place))));
    if let Some(evidence) = &last.evidence {
        details.push(Detail::text("Reason (latest)", rules::summary(evidence)));
    }
    Some(Insight {
        details,
        actions: vec![Action::at(
            "A restart only delays a leak. See which requests each restart affected, and how fast memory grows back.",
            Target::Detector { id: "web-app-restarted" },
        )],
        ..Insight::new(
            Severity::of_past(last.at, now),
            format!("{} because of memory", counted(of_memory.len(), "restart", "restarts")),
        )
    })
}

/// The figures of every instance; good news where nothing else is bad.
fn what_each_had(histories: &[History<'_>], found: &[Insight]) -> Insight {
    let figures = |history: &History<'_>| {
        let (peak, last) = (history.peak()?, history.minutes.last()?);
        let text = format!("peak {}; last {}", of_limit(peak), bytes(last.private_bytes_max));
        Some(Detail::text(&history.place.within_app(), text))
    };
    let details: Vec<Detail> = histories.iter().filter_map(figures).collect();
    let highest = histories.iter().filter_map(History::peak).max_by_key(|minute| percent_of_limit(minute));
    let Some(highest) = highest else {
        return Insight {
            actions: vec![Action::new(
                "Medic records memory once a minute while a worker runs. Look again in a minute, or choose another time range.",
            )],
            ..Insight::new(Severity::Info, "No memory recorded in this time range")
        };
    };
    let is_fine = found.iter().all(|insight| insight.severity > Severity::Warning) && !is_near(highest);
    let insight = if is_fine {
        Insight::new(Severity::Healthy, format!("Memory below threshold: peak {}", of_limit(highest)))
    } else {
        Insight::new(Severity::Info, format!("Peak memory: {}", of_limit(highest)))
    };
    Insight { details, ..insight }
}

/// Instances without a minute, where others have some.
fn unrecorded(histories: &[History<'_>]) -> Option<Insight> {
    let (without, with): (Vec<_>, Vec<_>) = histories.iter().partition(|history| history.minutes.is_empty());
    if without.is_empty() || with.is_empty() {
        return None;
    }
    let names = names(without.iter().map(|history| history.place));
    Some(Insight {
        actions: vec![Action::new("No worker of these instances ran for a minute in this time range.")],
        ..Insight::new(Severity::Info, format!("No memory recorded of {names}"))
    })
}

#[cfg(test)]
mod tests;
