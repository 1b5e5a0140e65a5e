//! How the server starts a shim and speaks to it.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::protocol::WorkerSpec;

/// Why no worker was started. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The shim could not start the worker.
    #[error("{0}")]
    Refused(String),
}

/// Starts a shim for one worker.
pub fn launch(_exe: &Path, _run_dir: &Path, _spec: &WorkerSpec) -> Result<(), LaunchError> {
    Err(LaunchError::Refused("not yet".to_owned()))
}

/// Connects to a shim.
pub fn connect(_run_dir: &Path) -> io::Result<UnixStream> {
    Err(io::ErrorKind::Unsupported.into())
}
