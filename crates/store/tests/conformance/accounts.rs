//! Accounts and sessions: who may sign in, and who has.

use std::collections::BTreeSet;

use model::account::{Account, AccountRole, PasswordHash, Session, SessionId};
use store::{Added, Changed, Database, Store};

use crate::databases;
use crate::fixtures::{app, at};

pub(crate) fn account(name: &str, role: AccountRole, apps: &[&str]) -> Account {
    Account {
        name: name.parse().unwrap(),
        email: Some(format!("{name}@example.org").parse().unwrap()),
        role,
        apps: apps.iter().map(|name| app(name)).collect(),
        made: at(0),
        changed: at(0),
    }
}

pub(crate) fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(format!("$argon2id${text}"))
}

pub(crate) fn session(id: u64, account: &str, made_ms: i64) -> Session {
    Session {
        id: SessionId::new(format!("{id:064x}")),
        account: account.parse().unwrap(),
        made: at(made_ms),
        last_seen: at(made_ms),
        expires: at(made_ms + 3_600_000),
        address: "192.0.2.7".to_owned(),
        agent: "Firefox on Linux".to_owned(),
    }
}

pub(crate) async fn the_first_account_is_an_owner_and_one_stays(store: Store, _: Database) {
    let owner = account("alice", AccountRole::Owner, &[]);
    let viewer = account("bob", AccountRole::Viewer, &["shop", "till"]);
    for first in [viewer.clone(), account("eve", AccountRole::Owner, &["shop"])] {
        assert_eq!(store.add_account(&first, &hash("b")).await.unwrap(), Added::NotOwner);
    }
    assert_eq!(store.add_account(&owner, &hash("a")).await.unwrap(), Added::Added);
    assert_eq!(store.add_account(&viewer, &hash("b")).await.unwrap(), Added::Added);
    assert_eq!(store.add_account(&viewer, &hash("c")).await.unwrap(), Added::Exists);
    let stored = store.accounts().await.unwrap();
    assert_eq!(stored, [(owner.clone(), hash("a")), (viewer.clone(), hash("b"))]);

    let narrowed = Account { apps: BTreeSet::from([app("shop")]), ..owner.clone() };
    assert_eq!(store.change_role(&narrowed).await.unwrap(), Changed::LastOwner);
    assert_eq!(store.remove_account(&owner.name).await.unwrap(), Changed::LastOwner);
    let promoted = Account { role: AccountRole::Owner, apps: BTreeSet::new(), changed: at(5), ..viewer };
    assert_eq!(store.change_role(&promoted).await.unwrap(), Changed::Changed);
    assert_eq!(store.remove_account(&owner.name).await.unwrap(), Changed::Changed);
    assert_eq!(store.remove_account(&owner.name).await.unwrap(), Changed::Unknown);
    assert_eq!(store.remove_account(&promoted.name).await.unwrap(), Changed::LastOwner);
    assert_eq!(store.change_role(&narrowed).await.unwrap(), Changed::Unknown);
    assert_eq!(store.accounts().await.unwrap(), [(promoted, hash("b"))]);
}

pub(crate) async fn of_two_owners_who_remove_each_other_one_stays(store: Store, _: Database) {
    for name in ["alice", "bob"] {
        store.add_account(&account(name, AccountRole::Owner, &[]), &hash("a")).await.unwrap();
    }
    let remove = |name: &str| {
        let (store, name) = (store.clone(), name.parse().unwrap());
        tokio::spawn(async move { store.remove_account(&name).await.unwrap() })
    };
    let (one, other) = (remove("alice"), remove("bob"));
    let outcomes =
        BTreeSet::from([format!("{:?}", one.await.unwrap()), format!("{:?}", other.await.unwrap())]);
    assert_eq!(outcomes, BTreeSet::from(["Changed".to_owned(), "LastOwner".to_owned()]));
    assert_eq!(store.accounts().await.unwrap().len(), 1);
}

pub(crate) async fn a_session_ends_with_its_password_and_its_account(store: Store, _: Database) {
    for name in ["alice", "bob"] {
        store.add_account(&account(name, AccountRole::Owner, &[]), &hash("a")).await.unwrap();
    }
    let all = [session(1, "alice", 0), session(2, "alice", 1), session(3, "bob", 2), session(4, "bob", 3)];
    for session in &all {
        store.add_session(session).await.unwrap();
    }
    assert_eq!(store.sessions(at(4)).await.unwrap(), all);
    store.touch_session(&all[0].id, at(60_000)).await.unwrap();
    store.touch_session(&all[0].id, at(50_000)).await.unwrap();
    assert_eq!(store.sessions(at(4)).await.unwrap()[0].last_seen, at(60_000), "never earlier");
    store.end_session(&all[0].id).await.unwrap();
    let left = async || store.sessions(at(4)).await.unwrap().into_iter().map(|s| s.id).collect::<Vec<_>>();
    assert_eq!(left().await, [&all[1], &all[2], &all[3]].map(|session| session.id.clone()));
    let bob = all[2].account.clone();
    assert_eq!(store.change_password(&bob, &hash("b"), at(9)).await.unwrap(), Changed::Changed);
    assert_eq!(left().await, [all[1].id.clone()]);
    assert_eq!(store.accounts().await.unwrap()[1].1, hash("b"));
    assert_eq!(store.remove_account(&all[1].account).await.unwrap(), Changed::Changed);
    assert!(left().await.is_empty());
    let nobody = "carol".parse().unwrap();
    assert_eq!(store.change_password(&nobody, &hash("b"), at(9)).await.unwrap(), Changed::Unknown);
    assert!(store.add_session(&session(5, "carol", 0)).await.unwrap().is_empty(), "nobody's");
}

pub(crate) async fn sessions_of_an_account_are_bounded_and_expire(store: Store, database: Database) {
    store.add_account(&account("alice", AccountRole::Owner, &[]), &hash("a")).await.unwrap();
    let mut left = Vec::new();
    for number in 0..60 {
        left = store.add_session(&session(number, "alice", i64::try_from(number).unwrap())).await.unwrap();
    }
    assert_eq!(left.len(), 50);
    assert!(!left.contains(&session(9, "alice", 0).id) && left.contains(&session(10, "alice", 0).id));
    assert_eq!(store.sessions(at(3_600_000 + 30)).await.unwrap().len(), 29);
    store.add_session(&session(100, "alice", 3_600_000 + 30)).await.unwrap();
    assert_eq!(databases::rows(&database, "session").await, 30, "what has expired is gone");
    store.end_sessions(&"alice".parse().unwrap()).await.unwrap();
    assert_eq!(databases::rows(&database, "session").await, 0);
}

pub(crate) async fn a_hostile_browser_is_stored_clean_and_cut(store: Store, _: Database) {
    store.add_account(&account("alice", AccountRole::Owner, &[]), &hash("a")).await.unwrap();
    let agent = format!("a\0b\n\u{202e}{}", "🦀".repeat(1_000));
    store.add_session(&Session { agent, ..session(1, "alice", 0) }).await.unwrap();
    let stored = store.sessions(at(0)).await.unwrap().pop().unwrap().agent;
    assert!(stored.starts_with("a\u{fffd}b \u{fffd}🦀") && stored.chars().count() == 80, "{stored}");
}
