//! The description of the tables, held to the database and to what retention does.

use std::collections::BTreeMap;

use model::account::AccountRole;
use model::crash::Executable;
use model::requests::RequestMinute;
use model::settings::{AppSettings, Setting};
use store::tables::{Bound, TABLES};
use store::{Database, Store};

use crate::accounts::{account, hash, session};
use crate::databases::{columns, rows};
use crate::deploys::code;
use crate::fixtures::{app, at, captured, change, flush, heal_event, instance, memory, node, restart};
use crate::shares;

pub(crate) async fn the_tables_are_described_as_they_are(_: Store, database: Database) {
    let mut described: Vec<(String, String)> = TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| (table.name.to_owned(), (*column).to_owned())))
        .collect();
    described.sort();
    assert_eq!(columns(&database).await, described);
}

/// A table that is added has its row added here too.
pub(crate) async fn what_is_old_goes_and_what_is_configured_stays(store: Store, database: Database) {
    let (shop, place) = (app("shop"), instance("shop", 0));
    let executable = Some(Executable { name: "shop".to_owned(), build: "a".to_owned() });
    let mut crash = captured("shop", 0, 1);
    crash.findings.executable = executable;
    store.record_crash(&crash).await.unwrap();
    store.record_start(&shop, &node("node-a"), at(0), &code("1")).await.unwrap();
    store.record_restart(&restart("shop", 0)).await.unwrap();
    store.record_heal_event(&heal_event("shop", 0)).await.unwrap();
    store.record_change(&change("shop", 0)).await.unwrap();
    store
        .add_minutes(&node("node-a"), &flush(), &[RequestMinute::empty(place.clone(), at(0))])
        .await
        .unwrap();
    store.add_memory_minutes(&[memory("shop", 0, 0, 1)]).await.unwrap();
    let off = [(Setting::CrashMonitoring, "False".to_owned())];
    store.save_settings(&shop, &AppSettings(off.into())).await.unwrap();
    store.save_auto_heal(&shop, &model::auto_heal::AutoHealConfig::default()).await.unwrap();
    store.save_crash_monitor_state(&place, "{}").await.unwrap();
    store.save_auto_heal_state(&place, "{}").await.unwrap();
    store.save_fuse(&node("node-a"), &shop, "{}").await.unwrap();
    store.set_keep_from(at(0)).await.unwrap();
    store.add_account(&account("alice", AccountRole::Owner, &[]), &hash("a")).await.unwrap();
    store.add_session(&session(1, "alice", 0)).await.unwrap();
    shares::add(&store, &shares::share(1, "shop", 0), "{}").await;

    let counted = async || {
        let mut counted = BTreeMap::new();
        for table in TABLES {
            counted.insert(table.name, rows(&database, table.name).await);
        }
        counted
    };
    let before = counted().await;
    assert!(before.values().all(|rows| *rows > 0), "{before:?}");
    store.purge(at(7_200_000)).await.unwrap();
    let after = counted().await;
    for table in TABLES {
        let left = match table.bound {
            Bound::Age(_) | Bound::With(_) => 0,
            Bound::Configured => before[table.name],
        };
        assert_eq!(after[table.name], left, "{}", table.name);
    }
}
