//! `cargo xtask bench`: each bench measures Medic beside its anchor in the same run.

use anyhow::Result;

use crate::process::{cargo, run};
use crate::release::{SHORT_VIEWS, with_release_flags};
use crate::setup;

/// Runs every bench; what could not be installed is said first.
pub(crate) fn run_benches() -> Result<()> {
    for sentence in setup::for_benches()? {
        println!("{sentence}");
    }
    let packages = ["shim", "front_door", "store", "server"].map(|package| ["--package", package]).concat();
    // The same flags as the release has, so that nothing is built twice.
    let flags = &[SHORT_VIEWS];
    run(with_release_flags(cargo().args(["build", "--locked", "--release", "--package", "lab"]), flags))?;
    run(with_release_flags(cargo().args(["bench", "--locked"]).args(packages), flags))
}
