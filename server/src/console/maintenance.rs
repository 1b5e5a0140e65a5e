//! What Medic itself tells the console. No request gets here: `serve` alone has it, and nothing in it answers anybody.

use std::sync::Arc;

use store::StoreError;

use super::LiveConsole;
use crate::config::{Config, Line};

/// Keeps the console up to date with the configuration and the database.
#[derive(Clone)]
pub struct Maintenance(Arc<LiveConsole>);

impl Maintenance {
    pub(super) const fn new(live: Arc<LiveConsole>) -> Self {
        Self(live)
    }

    /// What the pages say of this machine from now on, in place of the line with the same key.
    pub fn note(&self, line: Line) {
        let mut configured =
            self.0.configured.write().expect("nothing panics while it holds the configuration");
        configured.lines.retain(|known| known.app.is_some() || known.key != line.key);
        configured.lines.push(line);
    }

    /// From now on the pages say and the loop does what this configuration says.
    pub async fn reload(&self, config: &Config) {
        self.0.reload(config).await;
    }

    /// Takes over what the database holds, which could not be read when Medic started.
    pub async fn recall(&self) -> Result<(), StoreError> {
        self.0.recall().await
    }

    /// Gives what is known to a database that has begun anew.
    pub async fn restore(&self) -> Result<(), StoreError> {
        self.0.restore().await
    }
}
