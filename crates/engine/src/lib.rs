//! What to do about the things that [`model`] describes.
//!
//! Everything here is pure: no I/O, no async, no clock, no randomness. Each policy is a state machine with one surface,
//! `step(now, input, &mut effects)` and `deadline()`; effects are data, and their outcomes come back as inputs. `now` is both
//! clocks: the monotonic one decides what is due within a run. So a rule is tested by moving `now`, and a recorded run can be
//! replayed.

pub mod auto_heal;
pub mod back_off;
pub mod crash_monitor;
pub mod effect;
pub mod fleet;
pub mod instance;
pub mod retention;
pub mod storage;
