//! Auto-heal as data: the rules that are set, what each of them sees, what was decided and why.

pub mod action;
pub mod arithmetic;
pub mod config;
pub mod cpu;
pub mod event;
pub mod evidence;
pub mod fuse;
pub mod limit;
pub mod measured;
pub mod not_responding;
pub mod path_glob;
pub mod percent_memory;
pub mod percent_request;
pub mod restart;
pub mod status;
pub mod watch;

pub use action::{Action, Refusal};
pub use config::AutoHealConfig;
pub use evidence::{Evidence, Firing, Reading, RefusalReason, Rule};
pub use measured::Measured;
pub use not_responding::NotRespondingNumbers;
pub use status::{AutoHealState, HealStatus, LastHeal};
pub use watch::{Observation, Tallies, Tally, Unanswered, Watch};
