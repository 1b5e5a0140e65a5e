//! Recording what auto-heal did short of a restart, and reading it.

use model::auto_heal::RefusalReason;
use model::auto_heal::event::{ActionEnd, ActionResult, EventKind, HealEvent};
use model::auto_heal::evidence::{EvidenceText, ReadingText, Rule, RuleState, RuleStateText, Seen};
use store::{Database, Store};

use crate::databases::change;
use crate::fixtures::{EVER, app, at, evidence, heal_event, range};

pub(crate) async fn an_event_reads_back_as_it_was(store: Store, _: Database) {
    let kinds = [
        EventKind::Logged,
        EventKind::Ran { exe: "/usr/bin/tar".to_owned(), result: ActionEnd::Exited { code: 0 }.into() },
        EventKind::Ran {
            exe: "/usr/bin/tar".to_owned(),
            result: ActionResult::Recorded("It ended with status 0.".to_owned()),
        },
        EventKind::Refused { refused: RefusalReason::MinimumProcessTime { remaining_ms: u64::MAX } },
        EventKind::Refused { refused: RefusalReason::FuseBlown { until: at(9_000) } },
    ];
    let mut events: Vec<_> = (0..)
        .zip(kinds)
        .map(|(offset_ms, what)| HealEvent { what, ..heal_event("shop", offset_ms) })
        .collect();
    for event in &events {
        assert!(store.record_heal_event(event).await.unwrap());
    }
    events.reverse();
    assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap(), events);
}

pub(crate) async fn evidence_of_an_older_medic_reads_as_it_was_told(store: Store, database: Database) {
    assert!(store.record_heal_event(&heal_event("shop", 0)).await.unwrap());
    change(
        &database,
        r#"UPDATE heal_event SET measurements = NULL, evidence = '{"rule":{"name":"slow_requests"},"condition":"when 5 requests take 30 s",
        "observed":"6 did","threshold":5,"unit":"requests","window_ms":120000,"samples":[],"not_fired":[
        {"rule":{"name":"percent_memory"},"standing":"silent","why":"The user''s rule speaks of memory.",
        "text":"1.2 GB of 1.75 GB","value":1200000000,"threshold":null,"unit":"bytes"}]}'"#,
    )
    .await;
    let evidence = store.heal_events(&app("shop"), EVER, 10).await.unwrap().pop().unwrap().evidence;
    let told =
        EvidenceText { condition: "when 5 requests take 30 s".to_owned(), observed: "6 did".to_owned() };
    assert_eq!(evidence.seen, Seen::Recorded(told));
    let [other] = &evidence.not_fired[..] else { panic!("{evidence:?}") };
    assert_eq!(other.seen, Seen::Recorded(ReadingText { text: "1.2 GB of 1.75 GB".to_owned() }));
    let why = "The user's rule speaks of memory.".to_owned();
    assert_eq!(other.state, RuleState::Recorded(RuleStateText::Silent { why }));
}

pub(crate) async fn an_event_counts_once(store: Store, _: Database) {
    let first = heal_event("shop", 0);
    assert!(store.record_heal_event(&first).await.unwrap());
    let again = HealEvent {
        what: EventKind::Refused { refused: RefusalReason::MinimumProcessTime { remaining_ms: 1 } },
        ..first.clone()
    };
    assert!(!store.record_heal_event(&again).await.unwrap());
    assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap(), std::slice::from_ref(&first));
    // another rule in the same moment
    let other = HealEvent { evidence: evidence(Rule::Requests), ..first };
    assert!(store.record_heal_event(&other).await.unwrap());
    assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap().len(), 2);
}

pub(crate) async fn events_of_one_app_in_a_range_newest_first(store: Store, _: Database) {
    for offset_ms in [1_000, -1, 0, 999, 500] {
        store.record_heal_event(&heal_event("shop", offset_ms)).await.unwrap();
    }
    store.record_heal_event(&heal_event("other", 700)).await.unwrap();
    let times = |events: Vec<HealEvent>| events.iter().map(|event| event.at).collect::<Vec<_>>();
    let within = range(0, 1_000);
    assert_eq!(times(store.heal_events(&app("shop"), within, 10).await.unwrap()), [999, 500, 0].map(at));
    assert_eq!(times(store.heal_events(&app("shop"), within, 2).await.unwrap()), [999, 500].map(at));
}
