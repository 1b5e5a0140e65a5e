//! Settings and guarding states.

use model::settings::{AppSettings, Setting};
use store::{Database, Store};

use crate::databases::change;
use crate::fixtures::{app, node, place};

fn of(pairs: &[(Setting, &str)]) -> AppSettings {
    AppSettings(pairs.iter().map(|(setting, value)| (*setting, (*value).to_owned())).collect())
}

pub(crate) async fn settings_replace_all_of_the_apps(store: Store, _: Database) {
    let (shop, other) = (app("shop"), app("other"));
    assert_eq!(store.settings(&shop).await.unwrap(), AppSettings::default());
    let both = of(&[(Setting::CrashMonitoring, "FALSE"), (Setting::AutoHeal, " False ")]);
    store.save_settings(&shop, &both).await.unwrap();
    store.save_settings(&other, &both).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), both);

    let one = of(&[(Setting::CrashMonitoring, "True")]);
    store.save_settings(&shop, &one).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), one);
    assert_eq!(store.settings(&other).await.unwrap(), both);
    store.save_settings(&shop, &AppSettings::default()).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), AppSettings::default());
}

pub(crate) async fn settings_of_an_older_medic_are_read(store: Store, database: Database) {
    let shop = app("shop");
    store
        .save_settings(&shop, &of(&[(Setting::CrashMonitoring, "x"), (Setting::AutoHeal, "x")]))
        .await
        .unwrap();
    store.close().await;
    for sql in [
        "UPDATE app_setting SET name = 'WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED', value = 'FALSE' \
         WHERE name = 'crash_monitoring'",
        "UPDATE app_setting SET name = 'WEBSITE_PROACTIVE_AUTOHEAL_ENABLED', value = 'True' WHERE name = 'auto_heal'",
        "INSERT INTO app_setting (app, name, value) VALUES ('shop', 'WEBSITE_X', 'True')",
        "DELETE FROM _sqlx_migrations WHERE version = 7",
    ] {
        change(&database, sql).await;
    }
    let store = Store::open(&database).await.unwrap();
    let expected = of(&[(Setting::CrashMonitoring, "FALSE"), (Setting::AutoHeal, "True")]);
    assert_eq!(store.settings(&shop).await.unwrap(), expected);
    store.close().await;
}

pub(crate) async fn states_are_kept_by_node_and_instance(store: Store, _: Database) {
    let saved = [
        ("a", "shop", 1, "{\"n\":1}"),
        ("a", "shop", 0, "old"),
        ("b", "shop", 0, "b"),
        ("a", "shop", 0, "new"),
    ];
    for (on, name, index, json) in saved {
        store.save_crash_monitor_state(&place(on, name, index), json).await.unwrap();
    }
    let expected =
        [(place("a", "shop", 0), "new".to_owned()), (place("a", "shop", 1), "{\"n\":1}".to_owned())];
    assert_eq!(store.crash_monitor_states(&node("a")).await.unwrap(), expected);
    assert_eq!(
        store.crash_monitor_states(&node("b")).await.unwrap(),
        [(place("b", "shop", 0), "b".to_owned())]
    );
    assert!(store.crash_monitor_states(&node("c")).await.unwrap().is_empty());
}
