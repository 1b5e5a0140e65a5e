//! Recording restarts and reading them.

use model::auto_heal::event::HealEvent;
use model::auto_heal::evidence::Evidence;
use model::auto_heal::restart::{Restart, RestartFailure, RestartOutcome, RestartReason};
use store::{Database, Store};
use tokio::task::JoinSet;

use crate::databases::change;
use crate::fixtures::{EVER, app, at, heal_event, healed, range, restart};
use crate::opening::keep_measurements_in_the_evidence;

pub(crate) async fn a_restart_reads_back_as_it_was(store: Store, _: Database) {
    let changed = Restart { reason: RestartReason::ConfigurationChanged, ..restart("shop", 20) };
    let restarts = [healed("shop", 30), changed, restart("shop", 10)];
    for restart in &restarts {
        assert!(store.record_restart(restart).await.unwrap());
    }
    assert_eq!(store.restarts(&app("shop"), EVER, 10).await.unwrap(), restarts);
}

pub(crate) async fn evidence_in_brief_lacks_what_was_measured(store: Store, database: Database) {
    let (healed, by_hand, event) = (healed("shop", 10), restart("shop", 0), heal_event("shop", 5));
    for restart in [&healed, &by_hand] {
        assert!(store.record_restart(restart).await.unwrap());
    }
    assert!(store.record_heal_event(&event).await.unwrap());
    let brief = |evidence: &Evidence| Evidence { samples: vec![], not_fired: vec![], ..evidence.clone() };
    let restarts =
        [Restart { evidence: healed.evidence.as_ref().map(brief), ..healed.clone() }, by_hand.clone()];
    let events = [HealEvent { evidence: brief(&event.evidence), ..event.clone() }];
    let read = async |store: &Store| {
        assert_eq!(store.restarts_in_brief(&app("shop"), EVER, 10).await.unwrap(), restarts);
        assert_eq!(store.heal_events_in_brief(&app("shop"), EVER, 10).await.unwrap(), events);
        assert_eq!(store.restarts_in_brief(&app("shop"), range(0, 10), 10).await.unwrap(), restarts[1..]);
        let whole = [healed.clone(), by_hand.clone()];
        assert_eq!(store.restarts(&app("shop"), EVER, 10).await.unwrap(), whole);
        assert_eq!(store.heal_events(&app("shop"), EVER, 10).await.unwrap(), std::slice::from_ref(&event));
    };
    read(&store).await;
    store.close().await;
    // as an older Medic left it
    keep_measurements_in_the_evidence(&database).await;
    change(&database, "DELETE FROM _sqlx_migrations WHERE version = 14").await;
    let store = Store::open(&database).await.unwrap();
    read(&store).await;
    store.close().await;
}

pub(crate) async fn a_failure_of_an_older_medic_reads_as_it_was_told(store: Store, database: Database) {
    assert!(store.record_restart(&healed("shop", 0)).await.unwrap());
    change(&database, r#"UPDATE restart SET outcome_fields = '{"why":"The new worker did not listen."}'"#)
        .await;
    let outcome = store.restarts(&app("shop"), EVER, 10).await.unwrap().pop().unwrap().outcome;
    let why = RestartFailure::Recorded("The new worker did not listen.".to_owned());
    assert_eq!(outcome, RestartOutcome::Failed { why });
}

pub(crate) async fn a_restart_counts_once(store: Store, _: Database) {
    let first = restart("shop", 0);
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (store, restart) = (store.clone(), first.clone());
        tasks.spawn(async move { store.record_restart(&restart).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.into_iter().filter(|new| *new).count(), 1);
    let again = Restart { drained: 99, ..healed("shop", 0) };
    assert_eq!(again.id(), first.id());
    assert!(!store.record_restart(&again).await.unwrap());
    // the same worker, tried again
    let second = restart("shop", 1);
    assert!(store.record_restart(&second).await.unwrap());
    assert_eq!(store.restarts(&app("shop"), EVER, 10).await.unwrap(), [second, first]);
}

pub(crate) async fn restarts_of_one_app_in_a_range_newest_first(store: Store, _: Database) {
    for offset_ms in [1_000, -1, 0, 999, 500] {
        store.record_restart(&restart("shop", offset_ms)).await.unwrap();
    }
    store.record_restart(&restart("other", 700)).await.unwrap();
    let times = |restarts: Vec<Restart>| restarts.iter().map(|restart| restart.at).collect::<Vec<_>>();
    let within = range(0, 1_000);
    assert_eq!(times(store.restarts(&app("shop"), within, 10).await.unwrap()), [999, 500, 0].map(at));
    assert_eq!(times(store.restarts(&app("shop"), within, 2).await.unwrap()), [999, 500].map(at));
    assert!(store.restarts(&app("shop"), range(1_000, 0), 10).await.unwrap().is_empty());
}
