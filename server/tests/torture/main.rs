//! Fault injection on the real program: it is killed, starved, lied to and stormed at random moments while workers crash, and
//! afterwards the books must balance: every crash recorded once, no healthy worker ended, nothing left behind.
//!
//! The short form runs with all tests. `cargo xtask torture [CASE]` sets `MEDIC_TORTURE=long` and runs it for minutes. Each case
//! prints its figures and the seed of its random moments; `MEDIC_TORTURE_SEED` repeats one.

mod clock;
mod database;
mod descriptors;
mod disk;
mod errors;
mod ground;
mod kills;
mod postgres;
mod random;
mod reload;
mod starts;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;

/// How often something is done: `short` in a run of all tests, `long` in `cargo xtask torture`.
fn times(short: u32, long: u32) -> u32 {
    if std::env::var_os("MEDIC_TORTURE").is_some_and(|form| form == "long") { long } else { short }
}
