//! What holds of every detector's page, over the registry.

use super::*;
use crate::nothing::{bare_incident, nothing_recorded};
use std::time::Duration;

use insight::detectors::DETECTORS;
use insight::evidence::{CrashCount, Evidence};
use model::auto_heal::Rule;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::crash::{Incident, IncidentInRange};
use model::memory::{MemoryHistory, MemoryMinute};
use model::{CrashCause, IncidentId, Place, TimeRange, Timestamp, WorkerId};

const MB: u64 = 1 << 20;
const MINUTES: u64 = 1_440;
const INSTANCES: u16 = 2;

/// A row of a chart's table for each part of the longest range that can be told apart in the chart.
const MOST_ROWS: usize = 150;
/// Of HTML, before it is compressed.
const MOST_BYTES_OF_A_DAY: usize = 100_000;
/// Where something happens in every minute.
const MOST_BYTES_OF_THE_WORST_DAY: usize = 450_000;

/// The memory of a day, far below a limit: then it is drawn twice.
fn a_day() -> Evidence {
    let now: Timestamp = "2026-01-31T08:15".parse().unwrap();
    let places = (0..INSTANCES).map(|index| worker(index).place).collect();
    let mut day = nothing_recorded(TimeRange::last(now, Duration::from_hours(24)), now, places);
    let minute = |index: u16, at: Timestamp| MemoryMinute {
        minute: at,
        private_bytes_max: (200 + at.as_ms().unsigned_abs() / 60_000 * 7 % 90 + u64::from(index)) * MB,
        limit_bytes: 16_384 * MB,
    };
    let history = |index: u16| {
        let own = minutes(&day).filter(|(_, other)| *other == index);
        MemoryHistory { place: worker(index).place, minutes: own.map(|(at, _)| minute(index, at)).collect() }
    };
    day.memory = (0..INSTANCES).map(history).collect();
    day
}

fn worker(index: u16) -> WorkerId {
    format!("web-1/shop/{index}/1769847000000").parse().unwrap()
}

/// Every minute of every instance.
fn minutes(day: &Evidence) -> impl Iterator<Item = (Timestamp, u16)> + use<> {
    let start = day.range.start;
    let at = move |minute| start + Duration::from_mins(minute);
    (0..MINUTES).flat_map(move |minute| (0..INSTANCES).map(move |index| (at(minute), index)))
}

/// In every minute each instance crashes, runs out of memory and is restarted by two rules.
fn the_worst_day() -> Evidence {
    let mut day = a_day();
    let causes = [("0", CrashCause::OutOfMemory), ("1", CrashCause::Signal)];
    let id = |digit: &str| -> IncidentId { digit.repeat(16).parse().unwrap() };
    let crash = |(at, index): (Timestamp, u16)| CrashCount {
        first: at,
        at,
        place: worker(index).place,
        count: 6,
        out_of_memory: 3,
    };
    let restart = |rule, (at, index): (Timestamp, u16)| Restart {
        old: worker(index),
        new: None,
        place: worker(index).place,
        at,
        reason: RestartReason::Rule { rule, blew_fuse: false },
        evidence: None,
        duration_ms: 1_200,
        drained: 1,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Done,
    };
    day.crash_counts = minutes(&day).map(crash).collect();
    day.incidents = causes.iter().map(|(digit, cause)| incident(&day, id(digit), *cause)).collect();
    day.incidents_in_range = day
        .incidents
        .iter()
        .map(|one| IncidentInRange { incident: one.summary(), count: one.count })
        .collect();
    let rules = [Rule::PercentMemory, Rule::NotResponding];
    day.restarts = rules.iter().flat_map(|rule| minutes(&day).map(|at| restart(*rule, at))).collect();
    day
}

fn incident(day: &Evidence, id: IncidentId, cause: CrashCause) -> Incident {
    Incident {
        count: 4_320,
        first_seen: day.range.start,
        instances: day.places.iter().map(Place::within_app).collect(),
        ..bare_incident(id, cause, day.now)
    }
}

/// The charts of a detector's page and their tables.
fn charts(detector: &Detector, evidence: &Evidence) -> String {
    let mut report = (detector.report)(evidence);
    // a table of what happened has as many rows as are asked for
    report.tables.clear();
    let links = Links { app: evidence.status.name.clone(), range: None };
    view! { <Answer report=report links=links /> }.to_html()
}

/// How many rows each chart's table has, its head aside.
fn rows_of_tables(html: &str) -> Vec<usize> {
    let tables = html.split("data-key=\"chart-table-").skip(1);
    tables.map(|rest| rest.split("</details>").next().unwrap().matches("<tr>").count() - 1).collect()
}

#[test]
fn a_day_of_two_instances_is_light_whatever_happened() {
    for (day, most_bytes) in [(a_day(), MOST_BYTES_OF_A_DAY), (the_worst_day(), MOST_BYTES_OF_THE_WORST_DAY)]
    {
        for detector in DETECTORS {
            let html = charts(detector, &day);
            for rows in rows_of_tables(&html) {
                assert!((1..=MOST_ROWS).contains(&rows), "{}: {rows} rows", detector.id);
            }
            assert!(html.len() <= most_bytes, "{}: {} bytes", detector.id, html.len());
        }
    }
    let drawn = DETECTORS.iter().map(|detector| rows_of_tables(&charts(detector, &the_worst_day())).len());
    assert!(drawn.sum::<usize>() >= 3, "the charts were not found in the pages");
}
