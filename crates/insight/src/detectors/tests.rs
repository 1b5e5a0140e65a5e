//! What holds of every detector, over the registry.

use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::evidence::Evidence;
use crate::report::Report;
use model::crash_monitor::Numbers;
use model::status::{AppStatus, Health};
use model::{TimeRange, Timestamp};

pub(super) const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
pub(super) const DAY: TimeRange =
    TimeRange { start: Timestamp::from_ms(1_769_847_300_000 - 86_400_000), end: NOW };

/// Of an app of which nothing is recorded.
pub(super) fn evidence(range: TimeRange) -> Evidence {
    let status = AppStatus {
        name: "shop".parse().unwrap(),
        health: Health::Healthy,
        listen: "127.0.0.1:8080".to_owned(),
        not_listening: None,
        instances: vec![],
        crash_monitoring_enabled: true,
        auto_heal_enabled: true,
    };
    Evidence::new(range, NOW, status, vec!["a/0".to_owned(), "a/1".to_owned()], Numbers::default())
}

#[test]
fn an_id_is_the_title_in_kebab_case_and_nobody_elses() {
    let ids: BTreeSet<&str> = DETECTORS.iter().map(|detector| detector.id).collect();
    assert_eq!(ids.len(), DETECTORS.len());
    for of in DETECTORS {
        assert_eq!(of.id, of.title.to_lowercase().replace(' ', "-"));
        assert!(std::ptr::eq(detector(of.id).unwrap(), of));
        assert!(of.description.ends_with('.') && !of.keywords.is_empty(), "{}", of.id);
    }
    assert!(detector("nope").is_none());
}

#[test]
fn whoever_knows_nothing_still_says_something_and_every_row_has_all_cells() {
    for detector in DETECTORS {
        for length in [Duration::from_mins(15), Duration::from_hours(24)] {
            let range = TimeRange::last(NOW, length);
            let Report { insights, tables, range: said, .. } = (detector.report)(&evidence(range));
            assert!(!insights.is_empty(), "{}", detector.id);
            assert_eq!(said, range);
            for table in tables {
                let keys: BTreeSet<&str> = table.columns.iter().map(|column| column.key).collect();
                assert_eq!(keys.len(), table.columns.len(), "{}: {}", detector.id, table.title);
                assert!(table.rows.iter().all(|row| row.len() == table.columns.len()), "{}", table.title);
                assert!(!table.empty.is_empty());
            }
        }
    }
}
