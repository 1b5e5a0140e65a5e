//! What things are: names, places, time, ranges, crashes, requests, restarts, rules and what is true now.
//!
//! Pure data, as it is remembered, served and handed from one part of Medic to another: no I/O, no async, no clock, no
//! randomness, and nothing is decided here. The crate builds for wasm32, because the pages speak in its types.

pub mod account;
pub mod auto_heal;
pub mod change;
pub mod crash;
pub mod crash_monitor;
pub mod deploy;
pub mod ending;
pub mod incident_state;
pub mod memory;
pub mod names;
pub mod path_template;
pub mod process;
pub mod process_connections;
pub mod range;
pub mod requests;
pub mod settings;
pub mod share;
pub mod start;
pub mod status;
pub mod streams;
pub mod text;
pub mod time;
pub mod time_span;
pub mod violation;

pub use ending::{CrashCause, Ending, Exit, Signal};
pub use names::{AppName, CrashId, IncidentId, NameError, NodeName, Place, ProcessId, WorkerId};
pub use range::TimeRange;
pub use time::{Clock, Monotonic, Now, Timestamp};
pub use violation::Violation;
