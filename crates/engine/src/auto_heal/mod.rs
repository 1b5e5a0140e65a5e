//! Auto-heal: rules that replace a worker which leaks, hangs or fails, and that can say why they did.
//!
//! ```text
//!                        ┌─ the user's rules ───┐
//!  Observation ─────────▶├─ percent memory ─────┤──▶ Decision: Heal or Refuse, each with its Evidence
//!  (a second of one      ├─ percent request ────┤     │    ▲
//!   instance)            ├─ not responding ─────┤     │    │ the three proactive rules
//!                        └─ proactive CPU ──────┘     │   the app's Fuse
//!  Probed ◀───────── the worker is asked ◀──── Probe ─┘
//! ```
//!
//! [`AutoHeal`] is the rules of one instance, [`fuse::Fuse`] guards an app. A rule sees counts and samples, never a request:
//! [`AutoHeal::watches`] says what the front door is to count. [`config`] is the user's rules in App Service's shape,
//! [`web_config`] their old form, [`dry_run`] tells what they would have done, and [`restart`] is the record of what was done.

pub mod cpu;
pub mod decision;
pub mod fuse;
mod instance_heal;
pub mod not_responding;
pub mod percent_memory;
pub mod percent_request;
pub mod priority;
pub(crate) mod samples;
pub mod user_rules;
mod window;

pub use decision::{Decision, Heal};
pub use fuse::Fuse;
pub use instance_heal::{AutoHeal, Configure, HealInput};
