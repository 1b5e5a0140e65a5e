//! What things are and what to do about them.
//!
//! Everything here is pure: no I/O, no async, no clock, no randomness. Each policy is a state machine with one surface,
//! `step(now, input, &mut effects)` and `deadline(now)`; effects are data, and their outcomes come back as inputs. `now` is both
//! clocks: the monotonic one decides what is due within a run. So a rule is tested by moving `now`, and a recorded run can be
//! replayed. The crate builds for wasm32, because the pages speak in its types.

pub mod auto_heal;
pub mod back_off;
pub mod crash;
pub mod crash_monitor;
pub mod detectors;
pub mod effect;
pub mod ending;
pub mod fleet;
pub mod instance;
pub mod names;
pub mod path_template;
pub mod range;
pub mod report;
pub mod requests;
pub mod retention;
pub mod settings;
pub mod status;
pub mod text;
pub mod time;

pub use ending::{CrashCause, Ending, Exit, Signal};
pub use names::{AppName, IncidentId, InstanceKey, WorkerId};
pub use range::TimeRange;
pub use time::{Clock, Monotonic, Now, Timestamp};
