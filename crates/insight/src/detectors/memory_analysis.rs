//! Memory Analysis: how near did the app's workers come to their memory limit, and do they grow?
//!
//! A minute is known by its peak. Growth is looked for in the present worker alone: a restart, a crash, or a fall below half of
//! the minute before (a process that Medic did not see end) begins a new course.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::detectors::application_crashes::GOING_ON;
use crate::detectors::buckets::{Buckets, times};
use crate::detectors::growth::{Growth, steady};
use crate::detectors::web_app_restarted::place;
use crate::report::{Detail, Insight, Line, LineChart, Mark, MarkKind, Report, Severity};
use model::auto_heal::evidence::{Rule, Unit};
use model::auto_heal::percent_memory::SHARE_PERCENT;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::auto_heal::words::{bytes, counted, percent};
use model::memory::MemoryMinute;
use model::time::humanise;
use model::{CrashCause, TimeRange, Timestamp};

/// Growth that reaches the limit within this is critical.
const SOON: Duration = Duration::from_hours(1);
/// Growth that reaches the limit later than this is worth knowing, no more.
const LATER: Duration = Duration::from_hours(24);
/// Beyond this nobody can tell.
const FORESEEABLE: Duration = Duration::from_hours(720);

/// The end of a worker that crashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashEnd {
    /// When.
    pub at: Timestamp,
    /// Where, as `node/instance`.
    pub place: String,
    /// Of what; want of memory is what this detector asks for.
    pub cause: CrashCause,
}

/// What is recorded, as insights and a chart. `memory`: minutes with their node; `restarts` and `crashes` in any order;
/// `places`: every instance that exists.
pub fn report(
    range: TimeRange,
    memory: &[(String, MemoryMinute)],
    restarts: &[Restart],
    crashes: &[CrashEnd],
    places: &[String],
) -> Report {
    let mut restarts: Vec<&Restart> = restarts.iter().filter(|restart| range.contains(restart.at)).collect();
    restarts.sort_by_key(|restart| restart.at);
    let mut crashes: Vec<&CrashEnd> = crashes.iter().filter(|crash| range.contains(crash.at)).collect();
    crashes.sort_by_key(|crash| crash.at);
    let courses = courses(range, memory, places);
    let mut insights: Vec<Insight> = courses.iter().filter_map(|course| near_limit(range, course)).collect();
    insights.extend(courses.iter().filter_map(|course| grows(course, &restarts, &crashes)));
    insights.extend(killed(&crashes));
    insights.extend(restarts_for_memory(&restarts));
    insights.push(what_each_had(&courses, &insights));
    insights.extend(unrecorded(&courses));
    insights.sort_by_key(|insight| insight.severity);
    Report {
        range,
        insights,
        charts: vec![],
        lines: vec![chart(range, &courses, marks(&restarts, &crashes))],
    }
}

/// One instance's minutes, oldest first.
struct Course<'m> {
    place: String,
    minutes: Vec<&'m MemoryMinute>,
}

impl Course<'_> {
    fn peak(&self) -> Option<&MemoryMinute> {
        self.minutes.iter().copied().max_by_key(|minute| percent_of_limit(minute))
    }
}

/// The instances that exist in their order, then those that are gone.
fn courses<'m>(range: TimeRange, memory: &'m [(String, MemoryMinute)], places: &[String]) -> Vec<Course<'m>> {
    let mut by_place: BTreeMap<String, BTreeMap<Timestamp, &MemoryMinute>> = BTreeMap::new();
    for (node, minute) in memory.iter().filter(|(_, minute)| range.contains(minute.minute)) {
        let place = format!("{node}/{}", minute.instance.index);
        by_place.entry(place).or_default().insert(minute.minute, minute);
    }
    let mut course = |place: &String| Course {
        place: place.clone(),
        minutes: by_place.remove(place).unwrap_or_default().into_values().collect(),
    };
    let mut courses: Vec<Course<'_>> = places.iter().map(&mut course).collect();
    let gone = by_place.into_iter();
    courses.extend(gone.map(|(place, minutes)| Course { place, minutes: minutes.into_values().collect() }));
    courses
}

fn percent_of_limit(minute: &MemoryMinute) -> u64 {
    percent(minute.private_bytes_max, minute.limit_bytes)
}

/// As percent memory compares: more than 90 % of the limit.
fn is_near(minute: &MemoryMinute) -> bool {
    minute.limit_bytes > 0
        && u128::from(minute.private_bytes_max) * 100
            > u128::from(minute.limit_bytes) * u128::from(SHARE_PERCENT)
}

fn near_limit(range: TimeRange, course: &Course<'_>) -> Option<Insight> {
    let near: Vec<&MemoryMinute> = course.minutes.iter().copied().filter(|minute| is_near(minute)).collect();
    let (first, last, peak) = (near.first()?, near.last()?, course.peak()?);
    let is_latest = course.minutes.last().is_some_and(|minute| minute.minute == last.minute);
    let still = is_latest && range.end.since(last.minute) <= GOING_ON;
    let place = &course.place;
    let mut details =
        vec![Detail::text("Highest", of_limit(peak)), Detail::text("Minutes above", near.len().to_string())];
    details.extend(times(first.minute, last.minute));
    Some(Insight {
        severity: if still { Severity::Critical } else { Severity::Warning },
        title: if still {
            format!("{place} is above {SHARE_PERCENT} % of its memory limit")
        } else {
            format!("{place} was above {SHARE_PERCENT} % of its memory limit")
        },
        details,
        advice: vec![
            format!(
                "Percent memory restarts the instance when it stays above {SHARE_PERCENT} % for more than 30 s; the Auto-Heal page says whether it looks."
            ),
            "Where the app needs that much, give it a larger worker_size or memory_limit in medic.toml."
                .to_owned(),
        ],
        incident: None,
    })
}

/// `1.6 GB of 1.75 GB (91 %)`.
fn of_limit(minute: &MemoryMinute) -> String {
    match minute.limit_bytes {
        0 => bytes(minute.private_bytes_max),
        limit => format!(
            "{} of {} ({} %)",
            bytes(minute.private_bytes_max),
            bytes(limit),
            percent_of_limit(minute)
        ),
    }
}

fn grows(course: &Course<'_>, restarts: &[&Restart], crashes: &[&CrashEnd]) -> Option<Insight> {
    let limit = course.minutes.last()?.limit_bytes;
    let growth = steady(&of_present_worker(course, restarts, crashes))?;
    let left = growth.time_to(limit).filter(|left| *left <= FORESEEABLE);
    let severity = match left {
        Some(left) if left <= SOON => Severity::Critical,
        Some(left) if left <= LATER => Severity::Warning,
        None if growth.last.1 >= limit && limit > 0 => Severity::Critical,
        _ => Severity::Info,
    };
    let rate = about(growth.bytes_per_hour);
    let mut details = growth_details(&growth);
    if let Some(left) = left {
        details.push(Detail::text(
            "At this rate the limit is reached",
            format!("in about {}", humanise(rounded(left))),
        ));
        details.push(Detail::time("That is at about", growth.last.0 + rounded(left)));
    }
    Some(Insight {
        severity,
        title: match severity {
            Severity::Info => format!("{} grows by {rate} an hour", course.place),
            _ => format!("{} grows by {rate} an hour: a leak is suspected", course.place),
        },
        details,
        advice: vec![
            "Compare two heap snapshots of the worker that lie some time apart: what grew between them is what is kept.".to_owned(),
            "The rate is the median of the slopes between all pairs of minutes of the present worker. A cache that fills grows too, and then stops: it is a suspicion until it goes on.".to_owned(),
        ],
        incident: None,
    })
}

fn growth_details(growth: &Growth) -> Vec<Detail> {
    let ((since, low), (until, high)) = (growth.first, growth.last);
    vec![
        Detail::text("Seen over", humanise(until.since(since))),
        Detail::time("Since", since),
        Detail::text("From", bytes(low)),
        Detail::text("To", bytes(high)),
        Detail::text("Pairs of minutes that rise", format!("{} %", growth.rising_percent)),
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
    course: &Course<'_>,
    restarts: &[&Restart],
    crashes: &[&CrashEnd],
) -> Vec<(Timestamp, u64)> {
    let over =
        |restart: &&&Restart| restart.outcome == RestartOutcome::Done && place(restart) == course.place;
    let restarted =
        restarts.iter().filter(over).map(|restart| restart.at + Duration::from_millis(restart.duration_ms));
    let ended = crashes.iter().filter(|crash| crash.place == course.place).map(|crash| crash.at);
    let since = restarted.chain(ended).max();
    let points: Vec<(Timestamp, u64)> = course
        .minutes
        .iter()
        .filter(|minute| since.is_none_or(|since| minute.minute > since))
        .map(|minute| (minute.minute, minute.private_bytes_max))
        .collect();
    let fell = points.windows(2).rposition(|pair| pair[1].1 < pair[0].1 / 2);
    points[fell.map_or(0, |before| before + 1)..].to_vec()
}

fn killed(crashes: &[&CrashEnd]) -> Option<Insight> {
    let kills: Vec<&CrashEnd> =
        crashes.iter().copied().filter(|crash| crash.cause == CrashCause::OutOfMemory).collect();
    let (first, last) = (kills.first()?.at, kills.last()?.at);
    let places: BTreeSet<&str> = kills.iter().map(|kill| kill.place.as_str()).collect();
    let mut details = times(first, last);
    details.push(Detail::text("Instances", places.into_iter().collect::<Vec<_>>().join(", ")));
    let (was, incident) = if kills.len() == 1 { ("was", "Its incident") } else { ("were", "Their incident") };
    Some(Insight {
        severity: Severity::Critical,
        title: format!("{} {was} killed for want of memory", counted(kills.len(), "worker", "workers")),
        details,
        advice: vec![
            format!("{incident} shows the last minutes of memory before the kill."),
            "The kernel kills without warning, and with it go the requests in flight. Give the machine or the cgroup more memory, or let percent memory restart the worker sooner by a lower memory_limit.".to_owned(),
        ],
        incident: None,
    })
}

fn restarts_for_memory(restarts: &[&Restart]) -> Option<Insight> {
    let is_memory = |rule: Rule| matches!(rule, Rule::PercentMemory | Rule::PrivateBytes);
    let of_memory: Vec<&Restart> = restarts
        .iter()
        .copied()
        .filter(|restart| restart.outcome == RestartOutcome::Done)
        .filter(|restart| matches!(restart.reason, RestartReason::Rule { rule, .. } if is_memory(rule)))
        .collect();
    let (first, last) = (of_memory.first()?, of_memory.last()?);
    let places: BTreeSet<String> = of_memory.iter().map(|restart| place(restart)).collect();
    let mut details = times(first.at, last.at);
    details.push(Detail::text("Instances", places.into_iter().collect::<Vec<_>>().join(", ")));
    if let Some(evidence) = &last.evidence {
        details.push(Detail::text("Why the latest", evidence.summary()));
    }
    Some(Insight {
        severity: Severity::Warning,
        title: format!("{} for memory", counted(of_memory.len(), "restart", "restarts")),
        details,
        advice: vec![
            "A restart puts a leak off. Web App Restarted says what each of them cost; the lines show how fast it comes back.".to_owned(),
        ],
        incident: None,
    })
}

/// The figures of every instance; good news where nothing else is bad.
fn what_each_had(courses: &[Course<'_>], found: &[Insight]) -> Insight {
    let figures = |course: &Course<'_>| {
        let (peak, last) = (course.peak()?, course.minutes.last()?);
        let text = format!("at most {}; last {}", of_limit(peak), bytes(last.private_bytes_max));
        Some(Detail::text(&course.place, text))
    };
    let details: Vec<Detail> = courses.iter().filter_map(figures).collect();
    let highest = courses.iter().filter_map(|course| course.peak().map(percent_of_limit)).max();
    let bad = found.iter().any(|insight| insight.severity <= Severity::Warning);
    let (severity, title, advice) = match highest {
        None => (
            Severity::None,
            "No memory is recorded in this time range".to_owned(),
            vec!["Memory is recorded once a minute while a worker runs. Look again in a minute, or choose another time range.".to_owned()],
        ),
        Some(highest) if !bad => {
            (Severity::Success, format!("No instance had more than {highest} % of its memory limit"), Vec::new())
        }
        Some(highest) => (Severity::None, format!("Each instance's memory, at most {highest} % of the limit"), Vec::new()),
    };
    Insight { severity, title, details, advice, incident: None }
}

/// Instances without a minute, where others have some.
fn unrecorded(courses: &[Course<'_>]) -> Option<Insight> {
    let (without, with): (Vec<_>, Vec<_>) = courses.iter().partition(|course| course.minutes.is_empty());
    if without.is_empty() || with.is_empty() {
        return None;
    }
    let names: Vec<&str> = without.iter().map(|course| course.place.as_str()).collect();
    Some(Insight {
        severity: Severity::None,
        title: format!("No memory is recorded of {}", names.join(", ")),
        details: Vec::new(),
        advice: vec!["No worker of these ran for a minute in this time range.".to_owned()],
        incident: None,
    })
}

fn marks(restarts: &[&Restart], crashes: &[&CrashEnd]) -> Vec<Mark> {
    let restarted = restarts.iter().map(|restart| Mark {
        at: restart.at,
        place: place(restart),
        kind: MarkKind::Restart,
        text: match restart.outcome {
            RestartOutcome::Done => restart.reason.to_string(),
            RestartOutcome::Failed { .. } => format!("{}; it failed", restart.reason),
        },
    });
    let ended = crashes.iter().map(|crash| Mark {
        at: crash.at,
        place: crash.place.clone(),
        kind: if crash.cause == CrashCause::OutOfMemory { MarkKind::OutOfMemory } else { MarkKind::Crash },
        text: String::new(),
    });
    let mut marks: Vec<Mark> = restarted.chain(ended).collect();
    marks.sort_by_key(|mark| (mark.at, mark.kind));
    marks
}

fn chart(range: TimeRange, courses: &[Course<'_>], marks: Vec<Mark>) -> LineChart {
    let buckets = Buckets::points(range);
    let recorded = courses.iter().filter(|course| !course.minutes.is_empty());
    LineChart {
        title: "Private bytes by instance against the limit".to_owned(),
        unit: Unit::Bytes,
        range,
        bucket_ms: buckets.width_ms,
        lines: recorded.map(|course| line(course, buckets)).collect(),
        marks,
    }
}

fn line(course: &Course<'_>, buckets: Buckets) -> Line {
    let mut values = vec![None; buckets.count];
    let mut limits = vec![None; buckets.count];
    for minute in &course.minutes {
        let Some(index) = buckets.index(minute.minute) else { continue };
        values[index] = values[index].max(Some(minute.private_bytes_max));
        limits[index] = Some(minute.limit_bytes).filter(|limit| *limit > 0);
    }
    Line { name: course.place.clone(), values, limits }
}

#[cfg(test)]
mod tests;
