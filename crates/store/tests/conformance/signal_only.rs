//! Crashes of which only the signal is known, and the captured incident that they probably belong to.

use model::change::{Change, Changed};
use model::crash::{Crash, Executable, Incident, Thread};
use model::incident_state::{IncidentState, Resolution};
use model::{CrashCause, IncidentId};
use store::{Database, Store};

use crate::fixtures::{EVER, app, at, captured, crash, incident, instance, range};

fn executable(build: &str) -> Executable {
    Executable { name: "shop".to_owned(), build: build.to_owned() }
}

/// By SIGSEGV, without a stack, of an instance and a build.
fn signal_only(offset_ms: i64, place: u16, build: &str) -> Crash {
    let mut crash = crash("shop", offset_ms, 9);
    (crash.cause, crash.signal, crash.exit_code) = (CrashCause::Signal, Some("SIGSEGV".to_owned()), None);
    "SIGSEGV".clone_into(&mut crash.findings.exception_type);
    "SIGSEGV | shop".clone_into(&mut crash.findings.signature);
    crash.findings.crashing_thread = Thread::default();
    crash.findings.executable = Some(executable(build));
    crash.place = instance("shop", place);
    crash.worker.place = crash.place.clone();
    crash
}

/// Captured, of incident `number`.
fn with_stack(offset_ms: i64, number: u64, place: u16, build: &str) -> Crash {
    let mut crash = captured("shop", offset_ms, number);
    crash.findings.executable = Some(executable(build));
    crash.place = instance("shop", place);
    crash.worker.place = crash.place.clone();
    crash
}

async fn record(store: &Store, crashes: &[Crash]) {
    for crash in crashes {
        store.record_crash(crash).await.unwrap();
    }
}

async fn shown(store: &Store, number: u64) -> Incident {
    store.incident(&incident(number)).await.unwrap().unwrap()
}

/// Of each incident listed its number, its count and how many of that are probable.
async fn listed(store: &Store) -> Vec<(String, u64, u64)> {
    let told = |id: &IncidentId| id.to_string().trim_start_matches('0').to_owned();
    let listed = store.incident_summaries(&app("shop"), 20).await.unwrap();
    let in_range = store.incidents_in_range(&app("shop"), EVER, 20).await.unwrap();
    let counts: Vec<u64> = in_range.iter().map(|listed| listed.count).collect();
    assert_eq!(counts, listed.iter().map(|incident| incident.count).collect::<Vec<_>>(), "as in the range");
    assert_eq!(store.incident_count(&app("shop"), EVER).await.unwrap(), listed.len() as u64);
    let all = store.crashes(&app("shop"), EVER, 1_000).await.unwrap().len() as u64;
    assert_eq!(counts.iter().sum::<u64>(), all, "the sum over incidents is that of all crashes");
    listed.iter().map(|incident| (told(&incident.id), incident.count, incident.probable)).collect()
}

async fn join(store: &Store, number: u64, joined: bool, offset_ms: i64) -> bool {
    let what = Changed::SignalOnly { incident: incident(number), joined };
    let change = Change { what, ..crate::fixtures::change("shop", offset_ms) };
    store.join_signal_only(&incident(number), joined, &change).await.unwrap()
}

fn row(number: &str, count: u64, probable: u64) -> (String, u64, u64) {
    (number.to_owned(), count, probable)
}

pub(crate) async fn crashes_of_a_signal_alone_join_the_captured_incident(store: Store, _: Database) {
    record(&store, &[signal_only(0, 0, "a"), signal_only(10, 0, "a")]).await;
    assert_eq!(listed(&store).await, [row("9", 2, 0)]);
    record(&store, &[with_stack(20, 1, 0, "a")]).await;
    assert_eq!(listed(&store).await, [row("1", 3, 2)]);
    let later = store.record_crash(&signal_only(30, 0, "a")).await.unwrap();
    assert_eq!((later.new, later.count), (true, 4));
    assert_eq!(store.record_crash(&signal_only(30, 0, "a")).await.unwrap().count, 4, "it was known");
    let joined = shown(&store, 1).await;
    assert_eq!((joined.count, joined.probable, joined.captured), (4, 3, 1));
    assert_eq!((joined.first_seen, joined.last_seen), (at(0), at(30)));
    assert_eq!(joined.signature, "handle_request_1", "it shows the captured one");
    assert_eq!(joined.instances, ["node-a/0"]);
    assert_eq!(shown(&store, 9).await, joined, "the other one's address leads here");
    let crashes = store.crashes_of_incident(&incident(1), 3).await.unwrap();
    assert_eq!(crashes.iter().map(|crash| crash.at).collect::<Vec<_>>(), [30, 20, 10].map(at));
    assert!(crashes.iter().all(|crash| crash.incident == incident(1)));
    assert_eq!(crashes[0].findings.executable, Some(executable("a")));
    // a range that has parts alone
    let listed = store.incidents(Some(&app("shop")), Some(range(5, 15)), 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    let counted = store.incidents_in_range(&app("shop"), range(5, 15), 10).await.unwrap();
    assert_eq!((counted[0].count, counted[0].incident.id.clone()), (1, incident(1)));
    assert!(store.incidents_in_range(&app("shop"), range(11, 20), 10).await.unwrap().is_empty());
}

pub(crate) async fn what_is_of_another_origin_stays_apart(store: Store, _: Database) {
    let mut abort = signal_only(3, 0, "a");
    abort.signal = Some("SIGABRT".to_owned());
    "SIGABRT".clone_into(&mut abort.findings.exception_type);
    let mut unknown = signal_only(4, 0, "a");
    unknown.findings.executable = None;
    let mut said = signal_only(5, 0, "a");
    "std::runtime_error".clone_into(&mut said.findings.exception_type);
    let others = [signal_only(1, 1, "a"), signal_only(2, 0, "b"), abort, unknown, said];
    record(&store, &others).await;
    record(&store, &[signal_only(0, 0, "a"), with_stack(20, 1, 0, "a")]).await;
    assert_eq!(listed(&store).await, [row("1", 2, 1), row("9", 5, 0)]);
    assert_eq!(shown(&store, 9).await.instances, ["node-a/0", "node-a/1"]);
    record(&store, &[with_stack(30, 1, 1, "a"), with_stack(40, 1, 0, "b")]).await;
    assert_eq!(listed(&store).await, [row("1", 6, 3), row("9", 3, 0)]);
}

pub(crate) async fn what_two_captured_incidents_could_have_joins_neither(store: Store, _: Database) {
    record(&store, &[signal_only(0, 0, "a"), with_stack(10, 1, 0, "a")]).await;
    assert_eq!(listed(&store).await, [row("1", 2, 1)]);
    record(&store, &[with_stack(20, 2, 0, "a"), signal_only(30, 0, "a")]).await;
    assert_eq!(listed(&store).await, [row("9", 2, 0), row("2", 1, 0), row("1", 1, 0)]);
    assert_eq!(shown(&store, 9).await.matches, [incident(1), incident(2)]);
    assert!(shown(&store, 1).await.matches.is_empty());
    assert_eq!(shown(&store, 1).await.last_seen, at(10), "without those that were counted with it");
    assert!(join(&store, 1, false, 40).await);
    assert_eq!(listed(&store).await, [row("2", 3, 2), row("1", 1, 0)], "who is separated is no match");
}

pub(crate) async fn what_was_joined_is_parted_and_joined_again(store: Store, _: Database) {
    record(&store, &[signal_only(0, 0, "a"), with_stack(10, 1, 0, "a")]).await;
    assert!(!join(&store, 5, false, 20).await, "there is no such incident");
    assert!(join(&store, 1, false, 20).await);
    record(&store, &[signal_only(30, 0, "a"), signal_only(40, 1, "a"), with_stack(50, 1, 1, "a")]).await;
    assert_eq!(listed(&store).await, [row("1", 2, 0), row("9", 3, 0)]);
    let parted = shown(&store, 1).await;
    assert!(!parted.joins && parted.matches.is_empty());
    assert_eq!(
        (shown(&store, 9).await.matches, shown(&store, 9).await.first_seen),
        (vec![incident(1)], at(0))
    );
    assert!(join(&store, 1, true, 60).await);
    assert_eq!(listed(&store).await, [row("1", 5, 3)]);
    let changes = store.changes(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0].what, Changed::SignalOnly { incident: incident(1), joined: true });
    assert!(changes[0].by.is_some());
}

pub(crate) async fn a_resolved_incident_hears_of_those_that_joined_it(store: Store, _: Database) {
    record(&store, &[with_stack(10, 1, 0, "0123abcd"), signal_only(15, 0, "0123abcd")]).await;
    let resolution = Resolution {
        resolved_at: at(20),
        resolved_by: None,
        fixed_in: None,
        faulty_build: shown(&store, 1).await.build_id().map(str::to_owned),
        faulty_code: None,
    };
    assert_eq!(resolution.faulty_build.as_deref(), Some("0123abcd"));
    let state = IncidentState::Resolved(resolution);
    let change = crate::fixtures::change("shop", 20);
    store.change_incident(&incident(1), &state, &change).await.unwrap();
    // the faulty build again, however it was started
    record(&store, &[signal_only(200_000, 0, "0123abcd")]).await;
    assert_eq!(shown(&store, 1).await.state, state);
    record(&store, &[with_stack(300_000, 1, 0, "b")]).await;
    assert_eq!(shown(&store, 1).await.state, state, "the file that holds the fault is the same");
    record(&store, &[signal_only(400_000, 0, "b")]).await;
    let regressed = shown(&store, 1).await.state;
    assert!(matches!(regressed, IncidentState::Regressed { .. }), "{regressed:?}");
}

pub(crate) async fn parts_are_forgotten_with_their_incident(store: Store, _: Database) {
    record(&store, &[signal_only(0, 0, "a"), with_stack(10, 1, 0, "a")]).await;
    store.purge(at(5)).await.unwrap();
    assert_eq!(shown(&store, 1).await.count, 2, "it keeps its count as long as it is seen");
    record(&store, &[signal_only(100, 0, "a")]).await;
    store.purge(at(50)).await.unwrap();
    let outlived = shown(&store, 1).await;
    assert_eq!((outlived.count, outlived.signature.as_str()), (3, "handle_request_1"));
    assert!(outlived.crashing_thread.frames.is_empty());
    store.purge(at(200)).await.unwrap();
    for number in [1, 9] {
        assert_eq!(store.incident(&incident(number)).await.unwrap(), None);
    }
}
