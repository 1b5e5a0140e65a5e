//! What to say: the words of auto-heal's rules, the detectors and their reports, and the dry run of a user's rules.
//!
//! Every part is a function from what is recorded to what a person reads. No I/O, no async, no clock.
//!
//! Imports go one way: `detectors` → `tables`, `incident`, `buckets` → `report` → `severity`; `records` → `rules` and `healing`;
//! `verdict` → `words` → `start`; `share` → all that it takes snapshots of.

/// Files that the pages' tests share name this crate.
#[cfg(test)]
extern crate self as insight;

pub mod buckets;
pub mod changes;
pub mod custom_rules;
pub mod deploys;
pub mod detector;
pub mod detectors;
pub mod dry_run;
pub mod evidence;
pub mod exception;
pub mod healing;
pub mod incident;
pub mod medic;
pub mod monitoring;
pub mod notes;
pub mod range;
pub mod records;
pub mod report;
pub mod rules;
pub mod severity;
pub mod share;
pub mod start;
pub mod tables;
pub mod verdict;
pub mod violation;
pub mod words;
