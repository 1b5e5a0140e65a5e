//! The data folder: made for its owner alone, and held by one Medic at a time.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use model::Clock;

use super::ServeError;
use crate::config::{AtStart, Config};
use crate::running::LOCK;

/// Holds the folder of a server's configuration, and says there what the server was started with.
pub(super) fn hold(config: &Config, clock: &dyn Clock) -> Result<(File, AtStart), ServeError> {
    let salt = format!("{}-{}", clock.wall().as_ms(), std::process::id());
    let at_start = AtStart::of(config, &salt);
    Ok((lock_with(&config.data_dir, &at_start.to_string())?, at_start))
}

/// Holds the folder for this process; the kernel gives it back when the process is gone, however it went. The file says which process
/// that is.
pub fn lock(data_dir: &Path) -> Result<File, ServeError> {
    lock_with(data_dir, "")
}

fn lock_with(data_dir: &Path, more: &str) -> Result<File, ServeError> {
    let failed = |source| ServeError::DataDir { path: data_dir.to_owned(), source };
    if !data_dir.is_dir() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(failed)?;
    }
    let file = open(data_dir).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // who asks it to end finds it by that; where nothing can be written, by other means
            let text = format!("{}\n{more}", std::process::id());
            let _full_or_read_only = file.set_len(0).and_then(|()| (&file).write_all(text.as_bytes()));
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Where nothing can be written just now, a lock is still to be had: on the file that is there, else on the folder itself.
fn open(data_dir: &Path) -> io::Result<File> {
    let path = data_dir.join(LOCK);
    match File::options().create(true).truncate(false).write(true).mode(0o600).open(&path) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::StorageFull) =>
        {
            tracing::error!(%error, "the data folder {} cannot be written", data_dir.display());
            File::open(&path).or_else(|_| File::open(data_dir))
        }
        opened => opened,
    }
}
