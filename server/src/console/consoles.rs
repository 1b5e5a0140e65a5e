//! The only way to the port that pages and API ask.

use std::net::SocketAddr;
use std::sync::Arc;

use app::Console;

use super::scoped::Scoped;
use super::{LiveConsole, SharedLinks};
use crate::access::{Principal, Reach};
use crate::accounts::Accounts;

/// Gives each principal the console that it may use.
#[derive(Clone)]
pub struct Consoles {
    live: Arc<LiveConsole>,
    accounts: Accounts,
}

impl Consoles {
    /// Of what runs.
    pub(super) const fn new(live: Arc<LiveConsole>, accounts: Accounts) -> Self {
        Self { live, accounts }
    }

    /// Who may sign in, and has.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// What share links show, which is nobody's console.
    pub fn shared_links(&self) -> SharedLinks {
        SharedLinks::new(Arc::clone(&self.live))
    }

    /// The dashboard's address, for links that nobody asked for by a name.
    pub fn listen(&self) -> SocketAddr {
        self.live.listen
    }

    /// How others get there.
    pub fn reach(&self) -> Arc<Reach> {
        Arc::clone(&self.live.reach)
    }

    /// Of whoever asks.
    pub fn of(&self, principal: Principal) -> Arc<dyn Console> {
        Arc::new(Scoped { live: Arc::clone(&self.live), accounts: self.accounts.clone(), principal })
    }
}
