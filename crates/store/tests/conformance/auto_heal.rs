//! Users' own rules, guards and fuses.

use std::collections::BTreeMap;

use model::auto_heal::AutoHealConfig;
use store::{Cause, Database, Store};

use crate::databases::change;
use crate::fixtures::{app, node, place};

/// Every trigger and action, with what a hostile form could send as text.
const RULES: &str = r#"{"enabled": true, "rules": {
    "triggers": {
        "requests": {"count": 100, "time_interval": "00:01:00"},
        "private_bytes_kib": 204800,
        "status_codes": [{"status": 500, "sub_status": 1, "win32_status": 5, "count": 10, "time_interval": "00:01:00", "path": "/a*"}],
        "status_codes_range": [{"status_codes": "500-530", "count": 10, "time_interval": "00:01:00"}],
        "slow_requests": {"time_taken": "00:00:30", "count": 5, "time_interval": "00:02:00"},
        "slow_requests_with_path": [{"time_taken": "00:00:30", "count": 5, "time_interval": "1.00:00:00", "path": "/api/*"}]},
    "actions": {
        "action_type":"CustomAction",
        "custom_action": {"exe": "/bin/true", "parameters": "'\u0000🦀\n\"$1"},
        "min_process_execution_time": "00:10:00"}}}"#;

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
    change(&database, r#"UPDATE auto_heal SET rules = '{"rules":{"actions":{"action_type":"Reboot"}}}'"#)
        .await;
    let error = store.auto_heal(&app("shop")).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Unreadable));
    let message = error.to_string();
    assert!(
        message.contains("column rules")
            && message.contains("unknown variant `Reboot`, expected one of `Recycle`"),
        "{message}"
    );
}

/// As an older Medic wrote them, in App Service's shape; the texts in them are nobody's names.
const OLDER: &str = r#"UPDATE auto_heal SET rules = '{"autoHealEnabled":true,"autoHealRules":{"actions":{"actionType":"CustomAction","customAction":{"exe":"/bin/x","parameters":"\"timeInterval\":1 it''s \\\"statusCodes\\\":"},"minProcessExecutionTime":"00:10:00"},"triggers":{"privateBytesInKB":512000,"requests":{"count":200,"timeInterval":"00:05:00"},"slowRequests":{"count":5,"timeInterval":"00:02:00","timeTaken":"00:00:30"},"slowRequestsWithPath":[{"count":5,"path":"/api/*","timeInterval":"00:02:00","timeTaken":"00:00:30"}],"statusCodes":[{"count":10,"path":"/a","status":500,"subStatus":100,"timeInterval":"00:01:00","win32Status":64}],"statusCodesRange":[{"count":10,"statusCodes":"500-530","timeInterval":"00:01:00"}]}}}'"#;

pub(crate) async fn rules_of_an_older_medic_are_read(store: Store, database: Database) {
    store.save_auto_heal(&app("shop"), &AutoHealConfig::default()).await.unwrap();
    store.close().await;
    for sql in [OLDER, "DELETE FROM _sqlx_migrations WHERE version = 6"] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let found = store.auto_heal(&app("shop")).await.unwrap().unwrap();
    let expected = rules(
        r#"{"enabled":true,"rules":{"triggers":{
        "requests":{"count":200,"time_interval":"00:05:00"},"private_bytes_kib":512000,
        "status_codes":[{"status":500,"sub_status":100,"win32_status":64,"count":10,"time_interval":"00:01:00","path":"/a"}],
        "status_codes_range":[{"status_codes":"500-530","count":10,"time_interval":"00:01:00"}],
        "slow_requests":{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00"},
        "slow_requests_with_path":[{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00","path":"/api/*"}]},
        "actions":{"action_type":"CustomAction","custom_action":{"exe":"/bin/x",
        "parameters":"\"timeInterval\":1 it's \\\"statusCodes\\\":"},"min_process_execution_time":"00:10:00"}}}"#,
    );
    assert_eq!(found, expected);
    let parameters = |rules: &AutoHealConfig| {
        rules.rules.actions.custom_action.as_ref().unwrap().parameters.reveal().to_owned()
    };
    assert_eq!(parameters(&found), r#""timeInterval":1 it's \"statusCodes\":"#);
    store.close().await;
}

pub(crate) async fn rules_of_an_older_medic_are_read_with_blanks_in_them(store: Store, database: Database) {
    for name in ["shop", "other"] {
        store.save_auto_heal(&app(name), &AutoHealConfig::default()).await.unwrap();
    }
    store.close().await;
    for sql in [
        OLDER,
        r#"UPDATE auto_heal SET rules = replace(rules, '":', '" : ')"#,
        r#"UPDATE auto_heal SET rules = '{"autoHealEnabled": by hand' WHERE app = 'other'"#,
        "DELETE FROM _sqlx_migrations WHERE version IN (6, 16)",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let found = store.auto_heal(&app("shop")).await.unwrap().unwrap();
    assert!(found.enabled && found.rules.triggers.private_bytes_kib == Some(512_000), "{found:?}");
    assert_eq!(found.rules.triggers.slow_requests_with_path.len(), 1);
    let parameters = found.rules.actions.custom_action.as_ref().unwrap().parameters.reveal();
    assert_eq!(parameters, r#""timeInterval" : 1 it's \"statusCodes\" : "#);
    let error = store.auto_heal(&app("other")).await.unwrap_err();
    assert_eq!(error.cause(), Some(Cause::Unreadable), "what is no JSON keeps nobody from opening it");
    store.close().await;
}

pub(crate) async fn guards_are_kept_by_node_and_instance(store: Store, _: Database) {
    let saved = [
        ("a", "shop", 1, "{\"n\":1}"),
        ("a", "shop", 0, "old"),
        ("b", "shop", 0, "b"),
        ("a", "shop", 0, "n\0w"),
    ];
    for (on, name, index, json) in saved {
        store.save_auto_heal_state(&place(on, name, index), json).await.unwrap();
    }
    let expected =
        [(place("a", "shop", 0), "n\u{fffd}w".to_owned()), (place("a", "shop", 1), "{\"n\":1}".to_owned())];
    assert_eq!(store.auto_heal_states(&node("a")).await.unwrap(), BTreeMap::from(expected));
    assert_eq!(store.auto_heal_states(&node("b")).await.unwrap().len(), 1);
    assert!(store.auto_heal_states(&node("c")).await.unwrap().is_empty());
    assert!(
        store.crash_monitor_states(&node("a")).await.unwrap().is_empty(),
        "what guards crash monitoring is something else"
    );
}

pub(crate) async fn fuses_are_kept_by_node_and_app(store: Store, _: Database) {
    for (on, name, json) in
        [("a", "shop", "old"), ("a", "other", "{}"), ("b", "shop", "b"), ("a", "shop", "new")]
    {
        store.save_fuse(&node(on), &app(name), json).await.unwrap();
    }
    let expected = [(app("other"), "{}".to_owned()), (app("shop"), "new".to_owned())];
    assert_eq!(store.fuses(&node("a")).await.unwrap(), BTreeMap::from(expected));
    assert_eq!(store.fuses(&node("b")).await.unwrap(), BTreeMap::from([(app("shop"), "b".to_owned())]));
    assert!(store.fuses(&node("c")).await.unwrap().is_empty());
}
