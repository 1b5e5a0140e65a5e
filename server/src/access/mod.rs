//! Who may ask for what.
//!
//! No account exists yet, so everybody on this machine may read, and nobody else may do anything. A change needs proof of who
//! asks for it, by the kernel's word; a custom action, which is a program that Medic runs, is taken from Medic's own user and
//! root only. Which operation is whose stands in one table ([`Operation`]).
//!
//! ```text
//! accepted ─▶ Caller ── guard: host, origin ──▶ read
//!                │              │
//!                │              └─ a change ─▶ proof ─┬─▶ Principal ─▶ handler ─▶ may it?
//!                └── peer credentials, sock_diag ─────┘└─▶ nobody: refused
//! ```

mod caller;
mod guard;
mod host;
mod operation;
mod principal;

pub use caller::Caller;
pub use guard::let_in;
pub use operation::Operation;
pub use principal::Principal;
