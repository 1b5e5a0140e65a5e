//! Which code an app runs, and when that became other code.

use model::crash::Executable;
use model::deploy::{Code, Revision};
use model::incident_state::{IncidentState, Resolution};
use model::{NodeName, WorkerId};
use store::{Database, Store};

use crate::fixtures::{EVER, app, at, change, crash, incident, node, range};

pub(crate) fn code(revision: &str) -> Code {
    Code {
        revision: Some(Revision { name: revision.to_owned(), source: "git".to_owned() }),
        executable: Some(Executable { name: "node".to_owned(), build: "0123".to_owned() }),
        script: None,
        command: "0123456789abcdef".to_owned(),
    }
}

async fn start(store: &Store, node: &NodeName, offset_ms: i64, revision: &str) -> bool {
    store.record_start(&app("shop"), node, at(offset_ms), &code(revision)).await.unwrap()
}

pub(crate) async fn a_start_from_other_code_is_a_deploy(store: Store, _: Database) {
    let (a, b) = (node("node-a"), node("node-b"));
    assert!(!start(&store, &a, 0, "1").await, "nothing was known before");
    assert!(!start(&store, &a, 10, "1").await, "a mere restart");
    assert!(start(&store, &a, 20, "2").await);
    assert!(!start(&store, &a, 20, "2").await, "it is known");
    assert!(!start(&store, &b, 25, "1").await, "another machine");
    assert!(start(&store, &a, 30, "1").await, "rolled back");
    let deploys = store.deploys(&app("shop"), EVER, 10).await.unwrap();
    let told: Vec<_> =
        deploys.iter().map(|deploy| (deploy.at, deploy.from.clone(), deploy.to.clone())).collect();
    assert_eq!(told, [(at(30), Some(code("2")), code("1")), (at(20), Some(code("1")), code("2"))]);
    assert_eq!(store.deploys(&app("shop"), range(20, 30), 10).await.unwrap(), deploys[1..]);
    assert!(store.deploys(&app("other"), EVER, 10).await.unwrap().is_empty());
    for (offset_ms, revision) in
        [(-1, None), (0, Some("1")), (19, Some("1")), (20, Some("2")), (99, Some("1"))]
    {
        let known = store.code_at(&app("shop"), &a, at(offset_ms)).await.unwrap();
        assert_eq!(known, revision.map(code), "{offset_ms}");
    }
}

pub(crate) async fn what_runs_is_known_when_its_deploy_is_forgotten(store: Store, _: Database) {
    let a = node("node-a");
    start(&store, &a, 0, "1").await;
    start(&store, &a, 10, "2").await;
    store.purge(at(1_000)).await.unwrap();
    assert!(store.deploys(&app("shop"), EVER, 10).await.unwrap().is_empty());
    assert_eq!(store.code_at(&app("shop"), &a, at(2_000)).await.unwrap(), Some(code("2")));
    assert!(!start(&store, &a, 2_000, "2").await);
    assert!(start(&store, &a, 3_000, "3").await);
}

pub(crate) async fn hostile_names_of_code_are_stored_clean_and_cut(store: Store, _: Database) {
    let a = node("node-a");
    start(&store, &a, 0, "1").await;
    start(&store, &a, 10, &format!("\u{202e}{}", "x".repeat(1_000))).await;
    let deploys = store.deploys(&app("shop"), EVER, 10).await.unwrap();
    let name = &deploys[0].to.revision.as_ref().unwrap().name;
    assert!(name.starts_with('\u{fffd}') && name.chars().count() == 255, "{name}");
}

/// Without a build id, whoever was started later may run the same code.
pub(crate) async fn a_mere_restart_of_the_same_code_regresses_nothing(store: Store, _: Database) {
    let a = node("node-a");
    start(&store, &a, -100_000, "1").await;
    let record = async |offset_ms: i64| {
        let mut crash = crash("shop", offset_ms, 1);
        crash.uptime_ms = 10_000;
        crash.worker = WorkerId { started_at: at(offset_ms - 10_000), ..crash.worker };
        store.record_crash(&crash).await.unwrap();
        store.incident(&incident(1)).await.unwrap().unwrap().state
    };
    record(0).await;
    let faulty_code = store.code_at(&app("shop"), &a, at(-10_000)).await.unwrap();
    assert_eq!(faulty_code, Some(code("1")));
    let resolution = Resolution {
        resolved_at: at(10),
        resolved_by: None,
        fixed_in: None,
        faulty_build: None,
        faulty_code: faulty_code.map(Box::new),
    };
    let resolved = IncidentState::Resolved(resolution);
    store.change_incident(&incident(1), &resolved, &change("shop", 10)).await.unwrap();
    assert_eq!(record(100_000).await, resolved);
    start(&store, &a, 150_000, "2").await;
    assert!(matches!(record(200_000).await, IncidentState::Regressed { .. }));
}
