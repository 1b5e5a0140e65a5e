//! Auto-heal: rules that replace a worker which leaks, hangs or fails, and that can say why they did.

pub mod config;
pub mod cpu;
pub mod evidence;
pub mod limit;
pub mod path_glob;
pub mod percent_memory;
pub mod percent_request;
pub mod priority;
mod time_span;
pub mod user_rules;
pub mod watch;
pub mod web_config;
mod window;
mod words;

pub use config::AutoHealConfig;
pub use evidence::{Evidence, Firing, Reading, RefusalReason, Rule};
pub use watch::{Observation, Tallies, Tally, Watch};
