//! What is counted and decided by counts: no sockets, no HTTP. What all threads share is atomic; the rest is one thread's.

pub(crate) mod affected_requests;
pub(crate) mod answer_time;
pub(crate) mod connections;
pub(crate) mod decision;
pub(crate) mod minutes;
pub(crate) mod passive_health;
pub(crate) mod path_samples;
pub(crate) mod retry_budget;
pub(crate) mod tallies;
pub(crate) mod thread_counts;
pub(crate) mod worker;
