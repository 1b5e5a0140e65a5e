//! The pages: Leptos, rendered by the server, with islands for what moves.
//!
//! Only the islands are compiled for the browser; pages, charts and the console port exist with the feature `ssr` alone, which
//! keeps the WASM small. Every page can be read and used with JavaScript off.

#[cfg(feature = "ssr")]
pub mod console;

#[cfg(feature = "ssr")]
pub use console::{ConfigurationLine, Console, ConsoleError, CrashMonitoringNumbers, CrashReport};
