//! Recording what people changed and who it was, and reading it.

use model::auto_heal::AutoHealConfig;
use model::change::{Change, Changed};
use model::settings::{AppSettings, Setting};
use store::{Database, Store};

use crate::databases;
use crate::fixtures::{EVER, app, at, change, range};

pub(crate) async fn a_change_is_saved_with_who_it_was(store: Store, _: Database) {
    let off = AppSettings([(Setting::AutoHeal, "False".to_owned())].into());
    let settings = Changed::Settings { settings: [(Setting::AutoHeal, false)].into() };
    let of_settings = Change { what: settings, ..change("shop", 0) };
    store.change_settings(&off, &of_settings).await.unwrap();
    let rules = AutoHealConfig { enabled: true, ..AutoHealConfig::default() };
    let of_rules = Change { what: Changed::Rules { enabled: true }, by: None, ..change("shop", 1) };
    store.change_auto_heal(&rules, &of_rules).await.unwrap();
    let resumed = change("shop", 2);
    assert!(store.record_change(&resumed).await.unwrap());
    assert!(!store.record_change(&resumed).await.unwrap(), "it counts once");
    assert_eq!(store.settings(&app("shop")).await.unwrap(), off);
    assert_eq!(store.auto_heal(&app("shop")).await.unwrap(), Some(rules));
    assert_eq!(
        store.changes(&app("shop"), EVER, 10).await.unwrap(),
        [resumed, of_rules, of_settings.clone()]
    );
    assert_eq!(store.last_settings_change(&app("shop")).await.unwrap(), Some(of_settings.clone()));
    assert_eq!(store.last_settings_change(&app("other")).await.unwrap(), None);
    let later = Change { at: at(3), ..of_settings };
    store.change_settings(&off, &later).await.unwrap();
    assert_eq!(store.last_settings_change(&app("shop")).await.unwrap(), Some(later));
    // what is restored was changed by nobody
    store.save_settings(&app("shop"), &AppSettings::default()).await.unwrap();
    assert_eq!(store.changes(&app("shop"), EVER, 10).await.unwrap().len(), 4);
}

pub(crate) async fn a_hostile_name_is_stored_clean_and_cut(store: Store, database: Database) {
    let by = Some(format!("a\0b\n\u{202e}{}", "🦀".repeat(1_000)));
    store.record_change(&Change { by, ..change("shop", 0) }).await.unwrap();
    let stored = store.changes(&app("shop"), EVER, 10).await.unwrap().pop().unwrap().by.unwrap();
    assert!(stored.starts_with("a\u{fffd}b \u{fffd}🦀") && stored.chars().count() == 255, "{stored}");
    // a node's name that another program wrote is no reason to show nobody's changes
    databases::change(&database, "UPDATE change SET node = 'd\u{2066} '").await;
    let read = store.changes(&app("shop"), EVER, 10).await.unwrap();
    assert_eq!(read[0].node.as_str(), "d");
}

pub(crate) async fn changes_of_one_app_in_a_range_newest_first(store: Store, _: Database) {
    for offset_ms in [1_000, -1, 0, 999, 500] {
        store.record_change(&change("shop", offset_ms)).await.unwrap();
    }
    store.record_change(&change("other", 700)).await.unwrap();
    let times = |changes: Vec<Change>| changes.iter().map(|change| change.at).collect::<Vec<_>>();
    let within = range(0, 1_000);
    assert_eq!(times(store.changes(&app("shop"), within, 10).await.unwrap()), [999, 500, 0].map(at));
    assert_eq!(times(store.changes(&app("shop"), within, 2).await.unwrap()), [999, 500].map(at));
}
