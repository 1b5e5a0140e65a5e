//! What to say: the detectors and their reports, and the dry run of a user's rules.
//!
//! Every part is a function from what is recorded to what a person reads. No I/O, no async, no clock.

pub mod detectors;
pub mod dry_run;
pub mod report;
pub mod verdict;
