//! `cargo xtask bench`: each bench measures Medic beside its anchor in the same run.

use anyhow::Result;

use crate::process::{cargo, run};
use crate::release::without_local_paths;
use crate::setup;

/// Runs every bench; what could not be installed is said first.
pub(crate) fn run_benches() -> Result<()> {
    for sentence in setup::for_benches()? {
        println!("{sentence}");
    }
    let packages = ["shim", "front_door", "store", "server"].map(|package| ["--package", package]).concat();
    run(without_local_paths(cargo().args(["build", "--locked", "--release", "--package", "lab"])))?;
    run(without_local_paths(cargo().args(["bench", "--locked"]).args(packages)))
}
