//! The accounts while Medic serves: read, kept in step with the database, and begun with a first owner.

use std::sync::Arc;

use model::Clock;
use store::Store;
use tokio::task::AbortHandle;

use super::{Purpose, first_owner};
use crate::accounts::Accounts;
use crate::config::Config;

pub(super) struct People {
    accounts: Accounts,
    tasks: Vec<AbortHandle>,
}

impl People {
    /// Reads them where the database `is_there`; else they are read as soon as it is.
    pub(super) async fn begin(
        store: &Store,
        clock: &Arc<dyn Clock>,
        config: &Config,
        is_there: bool,
        purpose: Purpose,
    ) -> Self {
        let accounts = Accounts::new(store.clone(), Arc::clone(clock), config.data_dir.clone());
        if is_there && let Err(error) = accounts.read().await {
            tracing::error!(%error, "the accounts cannot be read yet; trying again");
        }
        // other nodes write into the same one
        let is_shared = config.database_url.is_some();
        let mut tasks = vec![tokio::spawn(accounts.clone().keep(is_shared)).abort_handle()];
        if purpose == Purpose::Serve {
            let offering = first_owner::offer(accounts.clone(), config.listen, config.reach.is_for_others());
            tasks.push(tokio::spawn(offering).abort_handle());
        }
        Self { accounts, tasks }
    }

    pub(super) fn accounts(&self) -> Accounts {
        self.accounts.clone()
    }

    pub(super) fn end(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
