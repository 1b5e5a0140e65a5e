//! Share links: made, opened, listed, revoked, forgotten.

use std::time::Duration;

use model::share::{Included, Opened, Opener, Share, ShareState, ShareSubject};
use store::{Database, NewShare, Store};

use crate::fixtures::{app, at, incident, range};

const HOUR: Duration = Duration::from_hours(1);

/// Made at an offset, for an hour.
pub(crate) fn share(number: u64, app_name: &str, offset_ms: i64) -> Share {
    Share {
        id: format!("{number:016x}").parse().unwrap(),
        app: app(app_name),
        title: format!("{number} crashes"),
        subject: ShareSubject::Incident { incident: incident(number) },
        included: Included { hosts: true, ..Included::default() },
        made_at: at(offset_ms),
        made_by: Some("alice (uid 1000)".to_owned()),
        expires_at: at(offset_ms) + HOUR,
        revoked_at: None,
        revoked_by: None,
        opened: Opened::default(),
    }
}

/// The hash of its token is its number.
pub(crate) async fn add(store: &Store, share: &Share, report: &str) {
    let token_sha256 = share.id.to_string();
    let new = NewShare { share, token_sha256: &token_sha256, report, data_until: share.made_at };
    store.add_share(&new).await.unwrap();
}

async fn opened(store: &Store, number: u64, offset_ms: i64) -> Option<String> {
    let found = store.open_share(&format!("{number:016x}"), at(offset_ms)).await.unwrap();
    found.map(|(_, _, report)| report)
}

pub(crate) async fn a_link_is_found_by_its_hash_until_it_expires(store: Store, _: Database) {
    let detector = ShareSubject::Detector { detector: "memory-analysis".to_owned(), range: range(0, 10) };
    let (first, second) = (share(1, "shop", 0), Share { subject: detector, ..share(2, "shop", 5) });
    add(&store, &first, "{\"a\":\"\0é\"}").await;
    add(&store, &second, "{}").await;
    assert_eq!(opened(&store, 1, 0).await.as_deref(), Some("{\"a\":\"\u{fffd}é\"}"));
    assert_eq!(opened(&store, 3, 0).await, None);
    assert_eq!(opened(&store, 1, 3_599_999).await.as_deref(), Some("{\"a\":\"\u{fffd}é\"}"));
    assert_eq!(opened(&store, 1, 3_600_000).await, None, "it has expired");
    assert_eq!(store.active_shares(at(3_600_000)).await.unwrap(), 1);
    assert_eq!(store.shares(None, 10).await.unwrap(), [second.clone(), first]);
    assert_eq!(store.shares(Some(&app("shop")), 1).await.unwrap(), [second]);
    assert!(store.shares(Some(&app("other")), 10).await.unwrap().is_empty());
    let twice = NewShare {
        share: &share(3, "shop", 0),
        token_sha256: "0000000000000001",
        report: "",
        data_until: at(0),
    };
    assert!(store.add_share(&twice).await.is_err(), "no two links have one token");
}

pub(crate) async fn openings_are_counted_by_who_opens(store: Store, _: Database) {
    let made = share(1, "shop", 0);
    add(&store, &made, "{}").await;
    for (by, offset_ms) in [(Opener::Program, 1), (Opener::Person, 2), (Opener::Program, 3)] {
        store.count_opening(&made.id, by, at(offset_ms)).await.unwrap();
    }
    let listed = store.shares(None, 10).await.unwrap();
    assert_eq!(listed[0].opened, Opened { by_people: 1, by_programs: 2, last_at: Some(at(3)) });
}

pub(crate) async fn a_revoked_link_opens_no_more_and_stays_in_the_list(store: Store, _: Database) {
    let (made, late) = (share(1, "shop", 0), share(2, "shop", 0));
    add(&store, &made, "{}").await;
    add(&store, &late, "{}").await;
    assert!(store.end_share(&made.id, Some("bob\u{202e} (uid 7)"), at(10)).await.unwrap());
    assert_eq!(opened(&store, 1, 11).await, None);
    let listed = store.shares(None, 1).await.unwrap().remove(0);
    assert_eq!((listed.revoked_at, listed.state(at(11))), (Some(at(10)), ShareState::Revoked));
    assert_eq!(listed.revoked_by.as_deref(), Some("bob\u{fffd} (uid 7)"));
    // what has ended stays as it ended
    assert!(store.end_share(&made.id, None, at(20)).await.unwrap());
    assert_eq!(store.shares(None, 1).await.unwrap(), [listed]);
    assert!(store.end_share(&late.id, None, late.expires_at).await.unwrap());
    assert_eq!(store.shares(None, 2).await.unwrap()[1].revoked_at, None, "it had expired");
    assert!(!store.end_share(&share(3, "shop", 0).id, None, at(10)).await.unwrap());
}

pub(crate) async fn a_link_goes_with_what_it_shows(store: Store, _: Database) {
    for (number, offset_ms) in [(1, -1), (2, 0)] {
        add(&store, &share(number, "shop", offset_ms), "{}").await;
    }
    assert_eq!(store.purge(at(0)).await.unwrap().of("share"), 1);
    assert_eq!([opened(&store, 1, 1).await, opened(&store, 2, 1).await], [None, Some("{}".to_owned())]);
}
