//! Names that a crashed program made up.

use model::auto_heal::event::{ActionResult, EventKind, HealEvent};
use model::auto_heal::evidence::{EvidenceText, RuleState, RuleStateText, Seen};
use model::auto_heal::restart::{RestartFailure, RestartOutcome};
use model::crash::{InFlightRequest, Module, Note, RequestEvidence};
use store::{Database, Store};

use crate::databases::change;
use crate::fixtures::{EVER, app, at, captured, frame, heal_event, healed, incident, reading};

pub(crate) async fn what_cannot_be_seen_is_replaced(store: Store, _: Database) {
    let name = "a\0b🦀\u{202e}\n\u{1}";
    let clean = "a\u{fffd}b🦀\u{fffd} \u{fffd}".to_owned();
    let mut crash = captured("shop", 0, 1);
    name.clone_into(&mut crash.findings.exception_type);
    name.clone_into(&mut crash.findings.signature);
    crash.findings.crashing_thread.name = Some(name.to_owned());
    crash.findings.crashing_thread.frames = vec![frame(name, Some(name))];
    crash.findings.notes =
        vec![Note::Recorded(name.to_owned()), Note::CausedBy { exception: name.to_owned() }];
    crash.signal = Some(name.to_owned());
    name.clone_into(&mut crash.audit.as_mut().unwrap().result);
    store.record_crash(&crash).await.unwrap();

    let stored = store.crash(&crash.id()).await.unwrap().unwrap();
    assert_eq!([&stored.findings.exception_type, &stored.findings.signature], [&clean; 2]);
    assert_eq!(stored.findings.crashing_thread.name.as_ref(), Some(&clean));
    assert_eq!(stored.findings.crashing_thread.frames[0].function.as_ref(), Some(&clean));
    let notes = [Note::Recorded(clean.clone()), Note::CausedBy { exception: clean.clone() }];
    assert_eq!((stored.findings.notes, stored.signal.as_ref()), (notes.to_vec(), Some(&clean)));
    assert_eq!(stored.audit.unwrap().result, clean);
    let shown = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!(shown.instances, ["node-a/0"]);
}

pub(crate) async fn what_others_wrote_is_cleaned_as_it_is_read(store: Store, database: Database) {
    let crash = captured("shop", 0, 1);
    store.record_crash(&crash).await.unwrap();
    change(
        &database,
        "UPDATE crash SET exception_type = 'a\u{202e}b', signature = 'c\u{1b}[31m', node = 'd\u{2066}', \
        notes = '[\"e\u{200b}\"]', crashing_thread = '{\"name\":\"f\\u202e\",\"frames\":[]}'",
    )
    .await;
    change(&database, "UPDATE incident_instance SET node = 'd\u{2066}'").await;
    let stored = store.crash(&crash.id()).await.unwrap().unwrap();
    let findings = &stored.findings;
    let read = [&findings.exception_type, &findings.signature, stored.place.node.as_str()];
    assert_eq!(read, ["a\u{fffd}b", "c\u{fffd}[31m", "d"]);
    assert_eq!(findings.notes, [Note::Recorded("e\u{fffd}".to_owned())]);
    assert_eq!(findings.crashing_thread.name.as_deref(), Some("f\u{fffd}"));
    let shown = store.incident(&incident(1)).await.unwrap().unwrap();
    assert_eq!((shown.exception_type.as_str(), shown.instances), ("a\u{fffd}b", vec!["d/0".to_owned()]));
}

pub(crate) async fn long_names_are_cut(store: Store, _: Database) {
    let (long, longest) = ("🦀".repeat(2_000), "🦀".repeat(1_000_000));
    let mut crash = captured("shop", 0, 1);
    crash.findings.signature.clone_from(&longest);
    crash.findings.exception_type = longest;
    crash.findings.crashing_thread.frames = vec![frame(&long, Some(&long)); 1_100];
    crash.findings.crashing_thread.truncated = false;
    crash.findings.modules = vec![Module { name: "m".to_owned(), build_id: Some(long.clone()) }; 4_200];
    crash.findings.notes = vec![Note::Recorded(long.clone()); 100];
    crash.in_flight = vec![
        InFlightRequest {
            method: long.clone(),
            path: long,
            age_ms: u64::MAX,
            evidence: RequestEvidence::Read
        };
        100
    ];
    crash.uptime_ms = u64::MAX;
    store.record_crash(&crash).await.unwrap();

    let stored = store.crash(&crash.id()).await.unwrap().unwrap();
    assert_eq!(stored.findings.signature.chars().count(), 255);
    assert_eq!(stored.findings.exception_type, format!("{}…", "🦀".repeat(254)));
    assert!(stored.findings.crashing_thread.truncated);
    assert_eq!(stored.in_flight.len(), model::crash::Crash::IN_FLIGHT_KEPT);
    assert_eq!(stored.uptime_ms, u64::try_from(i64::MAX).unwrap(), "the largest that a database holds");
    let bytes = serde_json::to_string(&stored).unwrap().len();
    assert!(bytes < 12 << 20, "{bytes} bytes");
}

pub(crate) async fn sql_in_a_name_is_a_name(store: Store, _: Database) {
    let name = "'); DELETE FROM crash; -- $1 ? %s \\";
    let mut crash = captured("shop", 0, 1);
    name.clone_into(&mut crash.findings.signature);
    store.record_crash(&crash).await.unwrap();
    assert_eq!(store.crashes(&app("shop"), EVER, 10).await.unwrap(), [crash]);
}

pub(crate) async fn hostile_evidence_is_stored_clean_and_cut(store: Store, _: Database) {
    let long = format!("a\0b'{}", "🦀".repeat(100_000));
    let mut restart = healed("shop", 0);
    restart.outcome = RestartOutcome::Failed { why: RestartFailure::Recorded(long.clone()) };
    restart.duration_ms = u64::MAX;
    let evidence = restart.evidence.as_mut().unwrap();
    evidence.seen = Seen::Recorded(EvidenceText { condition: long.clone(), observed: long.clone() });
    evidence.samples =
        (0..5_000).map(|ms| model::auto_heal::evidence::Sample { at: at(ms), value: 1 }).collect();
    evidence.not_fired = vec![reading(RuleState::Recorded(RuleStateText::Off { why: long.clone() })); 1_000];
    assert!(store.record_restart(&restart).await.unwrap());
    let event = HealEvent {
        evidence: restart.evidence.clone().unwrap(),
        what: EventKind::Ran { exe: long.clone(), result: ActionResult::Recorded(long) },
        ..heal_event("shop", 0)
    };
    assert!(store.record_heal_event(&event).await.unwrap());

    let stored = store.restarts(&app("shop"), EVER, 10).await.unwrap().pop().unwrap();
    let told = store.heal_events(&app("shop"), EVER, 10).await.unwrap().pop().unwrap();
    let evidence = stored.evidence.as_ref().unwrap();
    let Seen::Recorded(EvidenceText { observed, .. }) = &evidence.seen else { panic!("{evidence:?}") };
    assert!(observed.starts_with("a\u{fffd}b'🦀") && observed.ends_with("🦀…"));
    assert_eq!((evidence.samples.len(), evidence.samples[119].at), (120, at(4_999)), "the latest are kept");
    assert_eq!(&told.evidence, evidence);
    assert_eq!(stored.duration_ms, u64::try_from(i64::MAX).unwrap(), "the largest that a database holds");
    for bytes in
        [serde_json::to_string(&stored), serde_json::to_string(&told)].map(|json| json.unwrap().len())
    {
        assert!(bytes < 1 << 20, "{bytes} bytes");
    }
}
