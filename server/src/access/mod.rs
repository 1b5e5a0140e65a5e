//! Who may ask for what.
//!
//! While there is no account, everybody on this machine may read, and nobody else may do anything. A change needs proof of who
//! asks for it, by the kernel's word; a custom action, which is a program that Medic runs, is taken from Medic's own user and
//! root only. From the first account on, everybody brings a session (`entry`), but for Medic's own user and root by the Unix
//! socket. Which operation is whose stands in one table ([`Operation`]).
//!
//! ```text
//! accepted ─▶ Caller ── arrive: host, origin, trusted proxies ─▶ Arrival ── guard ─▶ read
//!                │                                                     │
//!                │                                                     └─ a change ─▶ proof ─┬─▶ Principal ─▶ handler ─▶ may it?
//!                └── peer credentials, sock_diag ────────────────────────────────────────────┘└─▶ nobody: refused
//!
//! with accounts: guard ──▶ cookie, or Unix socket ─┬─▶ Principal ─▶ handler ─▶ may it, in this app?
//!                                                  └─▶ nobody: sign-in, or what is public
//! ```

mod arrival;
mod asked;
mod caller;
pub mod cookie;
mod entry;
mod forwarded;
mod guard;
mod host;
mod operation;
mod principal;
mod reach;
mod refusal;

pub use arrival::{Arrival, arrive};
pub use caller::Caller;
pub use guard::let_in;
pub use operation::Operation;
pub use principal::Principal;
pub use reach::{Network, PublicUrl, Reach};
