//! Auto-heal: rules that replace a worker which leaks, hangs or fails, and that can say why they did.

pub mod config;
pub mod path_glob;
mod time_span;
pub mod web_config;

pub use config::AutoHealConfig;
