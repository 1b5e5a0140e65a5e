//! `medic backup FILE`, beside a running server or without one, and `medic restore FILE`, without.

use std::path::{Path, PathBuf};

use model::{Clock as _, Timestamp};
use store::{BackupError, Database};

use crate::config::Config;
use crate::serve::{self, ServeError};

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The database or the file.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A server works there, or the data folder cannot be used.
    #[error(transparent)]
    DataDir(#[from] ServeError),
}

/// Copies the database into `file`; what was removed that interrupted backups had left beside it.
pub async fn back_up(config: &Config, file: &Path) -> Result<Vec<PathBuf>, CopyError> {
    Ok(store::back_up(&database(config), file).await?)
}

/// Puts the copy in the database's place; where that is kept, if there was one. No server starts meanwhile.
pub async fn restore(config: &Config, file: &Path) -> Result<Option<PathBuf>, CopyError> {
    let _lock = serve::lock(&config.data_dir)?;
    let now = shim::SystemClock.wall();
    // what earlier ones replaced; how old that may be only a server says, which knows how long it has run
    let _said_by_the_next_server = store::tidy(&config.data_dir, Timestamp::from_ms(0));
    Ok(store::restore(&database(config), file, &config.data_dir, now).await?)
}

fn database(config: &Config) -> Database {
    serve::database(config)
}
