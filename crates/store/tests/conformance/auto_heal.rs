//! Users' own rules, guards and fuses.

use std::collections::BTreeMap;

use model::auto_heal::AutoHealConfig;
use store::{Cause, Database, Store};

use crate::databases::change;
use crate::fixtures::{app, instance};

/// Every trigger and action, with what a hostile form could send as text.
const RULES: &str = r#"{"autoHealEnabled": true, "autoHealRules": {
    "triggers": {
        "requests": {"count": 100, "timeInterval": "00:01:00"},
        "privateBytesInKB": 204800,
        "statusCodes": [{"status": 500, "subStatus": 1, "win32Status": 5, "count": 10, "timeInterval": "00:01:00", "path": "/a*"}],
        "statusCodesRange": [{"statusCodes": "500-530", "count": 10, "timeInterval": "00:01:00"}],
        "slowRequests": {"timeTaken": "00:00:30", "count": 5, "timeInterval": "00:02:00"},
        "slowRequestsWithPath": [{"timeTaken": "00:00:30", "count": 5, "timeInterval": "1.00:00:00", "path": "/api/*"}]},
    "actions": {
        "actionType": 2,
        "customAction": {"exe": "/bin/true", "parameters": "'\u0000🦀\n\"$1"},
        "minProcessExecutionTime": "00:10:00"}}}"#;

fn rules(json: &str) -> AutoHealConfig {
    serde_json::from_str(json).unwrap()
}

pub(crate) async fn rules_read_back_equal_and_replace_what_was_there(store: Store, _: Database) {
    let (shop, other) = (app("shop"), app("other"));
    assert_eq!(store.auto_heal(&shop).await.unwrap(), None);
    let full = rules(RULES);
    store.save_auto_heal(&shop, &full).await.unwrap();
    store.save_auto_heal(&other, &full).await.unwrap();
    assert_eq!(store.auto_heal(&shop).await.unwrap(), Some(full.clone()));

    store.save_auto_heal(&shop, &AutoHealConfig::default()).await.unwrap();
    assert_eq!(store.auto_heal(&shop).await.unwrap(), Some(AutoHealConfig::default()));
    assert_eq!(store.auto_heal(&other).await.unwrap(), Some(full));
}

pub(crate) async fn rules_changed_by_hand_are_named(store: Store, database: Database) {
    store.save_auto_heal(&app("shop"), &rules(RULES)).await.unwrap();
    change(&database, "UPDATE auto_heal SET rules = '{\"autoHealRules\":{\"actions\":{\"actionType\":7}}}'")
        .await;
    let error = store.auto_heal(&app("shop")).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Unreadable));
    let message = error.to_string();
    assert!(
        message.contains("column rules") && message.contains("autoHealRules.actions.actionType"),
        "{message}"
    );
}

pub(crate) async fn guards_are_kept_by_node_and_instance(store: Store, _: Database) {
    let saved = [
        ("a", "shop", 1, "{\"n\":1}"),
        ("a", "shop", 0, "old"),
        ("b", "shop", 0, "b"),
        ("a", "shop", 0, "n\0w"),
    ];
    for (node, name, index, json) in saved {
        store.save_heal_guard(node, &instance(name, index), json).await.unwrap();
    }
    let expected =
        [(instance("shop", 0), "n\u{fffd}w".to_owned()), (instance("shop", 1), "{\"n\":1}".to_owned())];
    assert_eq!(store.heal_guards("a").await.unwrap(), BTreeMap::from(expected));
    assert_eq!(store.heal_guards("b").await.unwrap().len(), 1);
    assert!(store.heal_guards("c").await.unwrap().is_empty());
    assert!(store.states("a").await.unwrap().is_empty(), "what guards crash monitoring is something else");
}

pub(crate) async fn fuses_are_kept_by_node_and_app(store: Store, _: Database) {
    for (node, name, json) in
        [("a", "shop", "old"), ("a", "other", "{}"), ("b", "shop", "b"), ("a", "shop", "new")]
    {
        store.save_fuse(node, &app(name), json).await.unwrap();
    }
    let expected = [(app("other"), "{}".to_owned()), (app("shop"), "new".to_owned())];
    assert_eq!(store.fuses("a").await.unwrap(), BTreeMap::from(expected));
    assert_eq!(store.fuses("b").await.unwrap(), BTreeMap::from([(app("shop"), "b".to_owned())]));
    assert!(store.fuses("c").await.unwrap().is_empty());
}
