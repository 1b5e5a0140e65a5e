//! What an incident shows.

use model::IncidentId;
use model::change::{Change, Changed};
use model::crash::{Crash, Incident};
use model::incident_state::{IncidentState, Resolution};
use store::{Database, Store};

use crate::databases::change;
use crate::fixtures::{EVER, app, at, captured, crash, incident, out_of_memory, place, range};

fn ids(incidents: &[Incident]) -> Vec<String> {
    incidents.iter().map(|incident| incident.id.to_string().trim_start_matches('0').to_owned()).collect()
}

pub(crate) async fn an_incident_shows_its_latest_captured_crash(store: Store, _: Database) {
    assert_eq!(store.incident(&incident(1)).await.unwrap(), None);
    let shown = async || store.incident(&incident(1)).await.unwrap().unwrap();

    store.record_crash(&crash("shop", 0, 1)).await.unwrap();
    store.record_crash(&crash("shop", 10, 1)).await.unwrap();
    assert_eq!((shown().await.exit_code, shown().await.audit), (Some(1), None));

    let (early, late) = (captured("shop", 20, 1), captured("shop", 30, 1));
    store.record_crash(&late).await.unwrap();
    store.record_crash(&early).await.unwrap();
    store.record_crash(&crash("shop", 40, 1)).await.unwrap();
    let shown = shown().await;
    assert_eq!(shown.audit, late.audit);
    assert_eq!(shown.crashing_thread, late.findings.crashing_thread);
    assert_eq!((shown.signal, shown.exit_code, shown.in_flight_count), (late.signal, None, 31));
    assert_eq!((shown.in_flight, shown.notes), (late.in_flight, late.findings.notes));
    assert_eq!((shown.count, shown.last_seen), (5, at(40)));
}

pub(crate) async fn an_incident_shows_the_memory_of_its_latest_crash(store: Store, _: Database) {
    let (early, late) = (out_of_memory("shop", 0, 1), out_of_memory("shop", 10, 1));
    for crash in [&late, &early] {
        store.record_crash(crash).await.unwrap();
    }
    assert_eq!(store.incident(&incident(1)).await.unwrap().unwrap().memory, late.memory);
}

pub(crate) async fn first_and_last_do_not_depend_on_the_order_of_recording(store: Store, _: Database) {
    for (offset_ms, node, instance) in
        [(50, "b", 0), (10, "a", 10), (90, "a", 2), (40, "a", 2), (60, "node.with-marks_", 1)]
    {
        let mut crash = crash("shop", offset_ms, 1);
        crash.place = place(node, "shop", instance);
        store.record_crash(&crash).await.unwrap();
    }
    let incident = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!((incident.first_seen, incident.last_seen, incident.count), (at(10), at(90), 5));
    assert_eq!(incident.instances, ["a/2", "a/10", "b/0", "node.with-marks_/1"]);
}

pub(crate) async fn incidents_are_those_that_crashed_in_the_range(store: Store, _: Database) {
    // 1 before and after the range, 2 at its start, 3 at its end, 4 within and after
    for (offset_ms, number) in [(-10, 1), (200, 1), (0, 2), (100, 3), (50, 4), (300, 4)] {
        store.record_crash(&crash("shop", offset_ms, number)).await.unwrap();
    }
    let listed = store.incidents(None, Some(range(0, 100)), 10).await.unwrap();
    assert_eq!(ids(&listed), ["4", "2"]);
    assert_eq!((listed[0].count, listed[0].last_seen), (2, at(300)), "over all time");
    assert_eq!(ids(&store.incidents(None, Some(EVER), 10).await.unwrap()), ["4", "1", "3", "2"]);
}

pub(crate) async fn incidents_of_one_app_or_of_all(store: Store, _: Database) {
    for (name, offset_ms, number) in [("shop", 0, 1), ("other", 10, 2), ("shop", 20, 3)] {
        store.record_crash(&crash(name, offset_ms, number)).await.unwrap();
    }
    assert_eq!(ids(&store.incidents(None, None, 10).await.unwrap()), ["3", "2", "1"]);
    assert_eq!(ids(&store.incidents(Some(&app("shop")), None, 10).await.unwrap()), ["3", "1"]);
    assert_eq!(ids(&store.incidents(Some(&app("shop")), Some(range(0, 20)), 10).await.unwrap()), ["1"]);
    assert_eq!(ids(&store.incidents(None, None, 1).await.unwrap()), ["3"]);
    assert!(store.incidents(Some(&app("none")), None, 10).await.unwrap().is_empty());
}

pub(crate) async fn a_summary_says_what_the_incident_says(store: Store, _: Database) {
    let mut elsewhere = crash("shop", 5, 1);
    elsewhere.place = place("node-b", "shop", 3);
    for crash in [&captured("shop", 0, 1), &elsewhere, &out_of_memory("shop", 10, 2), &crash("other", 1, 3)] {
        store.record_crash(crash).await.unwrap();
    }
    let incidents = store.incidents(Some(&app("shop")), None, 10).await.unwrap();
    let summaries: Vec<_> = incidents.iter().map(Incident::summary).collect();
    assert_eq!(store.incident_summaries(&app("shop"), 10).await.unwrap(), summaries);
    assert_eq!(store.incident_summaries(&app("shop"), 1).await.unwrap(), summaries[..1]);
    assert!(summaries[1].has_dump && !summaries[0].has_dump);
    let in_range = store.incidents_in_range(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(in_range.into_iter().map(|listed| listed.incident).collect::<Vec<_>>(), summaries);
}

/// The fixtures begin 45 minutes before a whole hour.
const HOUR_MS: i64 = 3_600_000;
const WHOLE: i64 = 2_700_000;

async fn in_range(store: &Store, from: i64, to: i64, limit: u32) -> Vec<(IncidentId, u64)> {
    let listed = store.incidents_in_range(&app("shop"), range(from, to), limit).await.unwrap();
    let is_known = store.incident_count(&app("shop"), range(from, to)).await.unwrap();
    assert_eq!(listed.len() as u64, is_known.min(limit.into()));
    listed.into_iter().map(|listed| (listed.incident.id, listed.count)).collect()
}

pub(crate) async fn incidents_count_their_crashes_in_the_range(store: Store, _: Database) {
    let last = WHOLE + 3 * HOUR_MS;
    let own = [0, 10, WHOLE - 1, WHOLE, WHOLE + HOUR_MS - 1, WHOLE + 2 * HOUR_MS, last - 1, last];
    let own = own.map(|offset_ms| crash("shop", offset_ms, 1));
    let mut other = crash("shop", WHOLE + 5, 2);
    other.place = place("node-b", "shop", 3);
    for crash in own.iter().chain([&other, &crash("shop", 2 * last, 4), &crash("other", 7, 3)]) {
        store.record_crash(crash).await.unwrap();
        store.record_crash(crash).await.unwrap();
    }
    let (one, two) = (incident(1), incident(2));
    assert_eq!(in_range(&store, 0, last + 1, 9).await, [(one.clone(), 8), (two.clone(), 1)]);
    // the hours that a range cuts are counted exactly
    assert_eq!(in_range(&store, 1, last, 9).await, [(one.clone(), 6), (two.clone(), 1)]);
    assert_eq!(in_range(&store, WHOLE, last, 9).await, [(one.clone(), 4), (two.clone(), 1)]);
    assert_eq!(in_range(&store, WHOLE + 1, WHOLE + HOUR_MS, 9).await, [(one.clone(), 1), (two, 1)]);
    assert_eq!(in_range(&store, 10, WHOLE - 1, 9).await, [(one.clone(), 1)]);
    assert_eq!(in_range(&store, 0, last, 1).await, [(one, 7)]);
    assert_eq!(in_range(&store, last, 0, 9).await, []);
    assert_eq!(in_range(&store, 11, WHOLE - 1, 9).await, [], "it crashed before and after");
}

pub(crate) async fn an_hour_that_was_counted_by_minutes_is_counted_on(store: Store, database: Database) {
    let crashes = [WHOLE, WHOLE + 1, WHOLE + 61_000, WHOLE + HOUR_MS].map(|at| crash("shop", at, 1));
    for crash in &crashes {
        store.record_crash(crash).await.unwrap();
    }
    store.close().await;
    count_by_minutes(&database).await;
    for sql in [
        "INSERT INTO crash_minute SELECT app, at_ms - at_ms % 60000, node, instance, incident, COUNT(*), MAX(at_ms) \
         FROM crash GROUP BY app, at_ms - at_ms % 60000, node, instance, incident",
        "DELETE FROM _sqlx_migrations WHERE version = 10",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    store.record_crash(&crash("shop", WHOLE + 2, 1)).await.unwrap();
    assert_eq!(in_range(&store, WHOLE, WHOLE + 2 * HOUR_MS, 9).await, [(incident(1), 5)]);
    store.close().await;
}

/// As crashes were counted up to the ninth number of the tables, without a row.
pub(crate) async fn count_by_minutes(database: &Database) {
    for sql in [
        "DROP TABLE incident_hour",
        "CREATE TABLE crash_minute (app TEXT, minute_ms BIGINT, node TEXT, instance BIGINT, incident TEXT, crash_count BIGINT, \
         last_ms BIGINT)",
    ] {
        change(database, sql).await;
    }
}

pub(crate) async fn modules_of_the_stack_come_first(store: Store, _: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    let names = |modules: &[model::crash::Module]| {
        modules.iter().map(|module| module.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&crash.findings.modules), ["ld.so", "libc.so.6", "shop"]);
    let incident = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!(names(&incident.modules), ["libc.so.6", "shop", "ld.so"]);
}

/// Said by somebody at `offset_ms`.
async fn give_state(store: &Store, number: u64, offset_ms: i64, state: &IncidentState) -> bool {
    let id = incident(number);
    let what = Changed::Incident { incident: id.clone(), became: state.clone() };
    let change = Change { what, ..crate::fixtures::change("shop", offset_ms) };
    store.change_incident(&id, state, &change).await.unwrap()
}

async fn state_of(store: &Store, number: u64) -> IncidentState {
    store.incident(&incident(number)).await.unwrap().unwrap().state
}

fn resolved_at(offset_ms: i64, faulty_build: Option<&str>) -> Resolution {
    Resolution {
        resolved_at: at(offset_ms),
        resolved_by: Some("alice (uid 1000)".to_owned()),
        fixed_in: Some("4.2".to_owned()),
        faulty_build: faulty_build.map(str::to_owned),
        faulty_code: None,
    }
}

pub(crate) async fn an_incident_is_in_the_state_that_it_was_given(store: Store, _: Database) {
    assert!(!give_state(&store, 1, 0, &IncidentState::Open).await, "there is no such incident");
    assert!(store.changes(&app("shop"), EVER, 10).await.unwrap().is_empty());
    store.record_crash(&crash("shop", 0, 1)).await.unwrap();
    store.record_crash(&crash("shop", 1, 2)).await.unwrap();
    assert_eq!(state_of(&store, 1).await, IncidentState::Open);
    let states = [
        IncidentState::Ignored { until: at(900), by: None },
        IncidentState::Regressed {
            regressed_at: at(5),
            regressed_in: Some("b".to_owned()),
            resolution: resolved_at(3, None),
        },
        IncidentState::Open,
        IncidentState::Resolved(resolved_at(4, Some("a"))),
    ];
    for (offset_ms, state) in (10..).zip(&states) {
        assert!(give_state(&store, 1, offset_ms, state).await);
        assert_eq!(state_of(&store, 1).await, *state);
    }
    let [other, summary] = &store.incident_summaries(&app("shop"), 10).await.unwrap()[..] else { panic!() };
    assert_eq!((&summary.state, &other.state), (&states[3], &IncidentState::Open));
    assert_eq!(store.changes(&app("shop"), EVER, 10).await.unwrap().len(), states.len());
    // what nobody can read on a line is cut and cleaned
    let long = Resolution { fixed_in: Some("\0".repeat(1_000)), ..resolved_at(4, None) };
    assert!(give_state(&store, 1, 20, &IncidentState::Resolved(long)).await);
    let IncidentState::Resolved(kept) = state_of(&store, 1).await else { panic!() };
    let kept = kept.fixed_in.unwrap();
    assert!(kept.chars().count() == 255 && !kept.contains('\0'), "{kept:?}");
}

pub(crate) async fn a_resolved_incident_regresses_by_a_crash_of_a_later_build(store: Store, _: Database) {
    let of_build = |offset_ms: i64, build: &str| {
        let mut crash = captured("shop", offset_ms, 1);
        let is_shop = |module: &&mut model::crash::Module| module.name == "shop";
        crash.findings.modules.iter_mut().find(is_shop).unwrap().build_id = Some(build.to_owned());
        crash
    };
    let record = async |crash: &Crash| store.record_crash(crash).await.unwrap().count;
    record(&of_build(0, "a")).await;
    let build = store.incident(&incident(1)).await.unwrap().unwrap().build_id().map(str::to_owned);
    assert_eq!(build.as_deref(), Some("a"));
    let resolution = resolved_at(10, build.as_deref());
    give_state(&store, 1, 10, &IncidentState::Resolved(resolution.clone())).await;
    // a worker that was running already, and the faulty build started once more
    for crash in [of_build(20, "a"), crash("shop", 30, 1), of_build(100_000, "a")] {
        record(&crash).await;
        assert_eq!(state_of(&store, 1).await, IncidentState::Resolved(resolution.clone()));
    }
    record(&of_build(200_000, "b")).await;
    let regressed = IncidentState::Regressed {
        regressed_at: at(200_000),
        regressed_in: Some("b".to_owned()),
        resolution,
    };
    assert_eq!(state_of(&store, 1).await, regressed);
    assert_eq!(record(&of_build(300_000, "c")).await, 6, "every crash counts");
    assert_eq!(state_of(&store, 1).await, regressed, "since when it has regressed stays");
}
