//! An app of which nothing is recorded, for the tests of detectors and, beside the pages, of what they look like.

use insight::evidence::Evidence;
use model::crash_monitor::Numbers;
use model::status::{AppStatus, Health};
use model::{Place, TimeRange, Timestamp};

pub(crate) fn nothing_recorded(range: TimeRange, now: Timestamp, places: Vec<Place>) -> Evidence {
    let status = AppStatus {
        name: "shop".parse().unwrap(),
        health: Health::Healthy,
        listen: "127.0.0.1:8080".to_owned(),
        not_listening: None,
        instances: vec![],
        crash_monitoring_enabled: true,
        auto_heal_enabled: true,
    };
    Evidence::new(range, now, status, places, Numbers::default())
}
