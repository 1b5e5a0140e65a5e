//! A worker's parent on Linux.

mod clock;
mod launch;
pub mod protocol;

use std::path::Path;
use std::process::ExitCode;

pub use clock::SystemClock;
pub use launch::{LaunchError, connect, launch};

/// What `medic shim RUN_DIR` runs, before any runtime or thread exists.
pub fn shim_main(_run_dir: &Path) -> ExitCode {
    ExitCode::FAILURE
}

/// What `medic analyse` runs: the short-lived child that looks at one crash.
pub fn analyser_main() -> ExitCode {
    ExitCode::FAILURE
}
