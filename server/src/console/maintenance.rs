//! What Medic itself tells the console. No request gets here: `serve` alone has it, and nothing in it answers anybody.

use std::sync::Arc;

use store::StoreError;

use super::LiveConsole;
use crate::config::{Config, Line, Waiting};
use crate::doors::Doors;

/// Keeps the console up to date with the configuration and the database.
#[derive(Clone)]
pub struct Maintenance(Arc<LiveConsole>);

impl Maintenance {
    pub(super) const fn new(live: Arc<LiveConsole>) -> Self {
        Self(live)
    }

    /// What the pages say of this machine from now on, in place of the line with the same key.
    pub fn note(&self, line: Line) {
        let mut lines = self.0.lines.write().expect("nothing panics while it holds the lines");
        lines.retain(|known| known.app.is_some() || known.key != line.key);
        lines.push(line);
    }

    /// The same, for whoever says such a thing again and again.
    pub fn noting(&self) -> impl Fn(Line) + Send + Sync + use<> {
        let maintenance = self.clone();
        move |line| maintenance.note(line)
    }

    /// From now on the pages say and the loop does what this configuration says, but for what is `waiting` for the next start.
    pub async fn reload(&self, config: &Config, doors: &Doors, waiting: &[Waiting]) {
        self.0.reload(config, doors, waiting).await;
    }

    /// Waits until [`Maintenance::recall`] is to be called (again), because an app is new whose history could not be read.
    pub async fn is_recall_wanted(&self) {
        self.0.recall_wanted.notified().await;
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
