//! Detectors: question → report. Each is a function from what is recorded in a time range to insights, charts and tables.

pub mod application_crashes;
mod buckets;
mod growth;
pub mod memory_analysis;
pub mod web_app_restarted;

pub use buckets::over_time;
