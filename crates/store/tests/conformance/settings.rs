//! Settings and guarding states.

use model::settings::{AUTO_HEAL_ENABLED, AppSettings, CRASH_MONITORING_ENABLED};
use store::{Database, Store};

use crate::fixtures::{app, node, place};

fn of(pairs: &[(&str, &str)]) -> AppSettings {
    AppSettings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

pub(crate) async fn settings_replace_all_of_the_apps(store: Store, _: Database) {
    let (shop, other) = (app("shop"), app("other"));
    assert_eq!(store.settings(&shop).await.unwrap(), AppSettings::default());
    let both = of(&[(CRASH_MONITORING_ENABLED, "FALSE"), (AUTO_HEAL_ENABLED, " False ")]);
    store.save_settings(&shop, &both).await.unwrap();
    store.save_settings(&other, &both).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), both);

    let one = of(&[(CRASH_MONITORING_ENABLED, "True")]);
    store.save_settings(&shop, &one).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), one);
    assert_eq!(store.settings(&other).await.unwrap(), both);
    store.save_settings(&shop, &AppSettings::default()).await.unwrap();
    assert_eq!(store.settings(&shop).await.unwrap(), AppSettings::default());
}

pub(crate) async fn states_are_kept_by_node_and_instance(store: Store, _: Database) {
    let saved = [
        ("a", "shop", 1, "{\"n\":1}"),
        ("a", "shop", 0, "old"),
        ("b", "shop", 0, "b"),
        ("a", "shop", 0, "new"),
    ];
    for (on, name, index, json) in saved {
        store.save_state(&place(on, name, index), json).await.unwrap();
    }
    let expected =
        [(place("a", "shop", 0), "new".to_owned()), (place("a", "shop", 1), "{\"n\":1}".to_owned())];
    assert_eq!(store.states(&node("a")).await.unwrap(), expected);
    assert_eq!(store.states(&node("b")).await.unwrap(), [(place("b", "shop", 0), "b".to_owned())]);
    assert!(store.states(&node("c")).await.unwrap().is_empty());
}
