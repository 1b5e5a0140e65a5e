//! `cargo xtask bench`: each bench measures Medic beside its anchor in the same run.

use anyhow::Result;

use crate::postgres::{self, Postgres};
use crate::process::{cargo, run};
use crate::release_flags::{SHORT_VIEWS, with_release_flags};
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
    let postgres = postgres::programs().map(|_| Postgres::start()).transpose()?;
    let mut benches = cargo();
    benches.args(["bench", "--locked"]).args(packages);
    if let Some(postgres) = &postgres {
        benches.env("MEDIC_TEST_POSTGRES", postgres.url());
    }
    run(with_release_flags(&mut benches, flags))
}
