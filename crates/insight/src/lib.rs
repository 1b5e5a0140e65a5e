//! What to say: the detectors and their reports, and the dry run of a user's rules.
//!
//! Every part is a function from what is recorded to what a person reads. No I/O, no async, no clock.
//!
//! Imports go one way: `detectors` → `tables`, `incident`, `buckets` → `report` → `severity`.

pub mod buckets;
pub mod detector;
pub mod detectors;
pub mod dry_run;
pub mod evidence;
pub mod incident;
pub mod monitoring;
pub mod report;
pub mod severity;
pub mod tables;
pub mod verdict;
