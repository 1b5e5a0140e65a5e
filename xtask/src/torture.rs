//! `cargo xtask torture`: the fault-injection suite (`server/tests/torture`) in its long form. Its short form is part of every
//! run of the tests.

use anyhow::Result;

use crate::postgres::{self, Postgres};
use crate::process::run;
use crate::stopwatch::{Stopwatch, text};
use crate::{setup, site, test};

/// Runs every case, or those whose name contains `case`, one after another, so that each has the machine to itself.
pub(crate) fn run_torture(case: Option<&str>) -> Result<()> {
    let missing = setup::for_tests()?;
    site::add_wasm_target()?;
    site::build(site::Profile::Dev)?;
    let database = postgres::programs().map(|_| Postgres::start()).transpose()?;
    let mut tests = test::cargo_test();
    tests.args(["--test", "torture", "--"]);
    tests.args(case).args(["--include-ignored", "--nocapture", "--test-threads", "1"]);
    tests.env("MEDIC_TORTURE", "long");
    test::environment(&mut tests, missing.is_empty(), database.as_ref());
    let watch = Stopwatch::start();
    run(&mut tests)?;
    println!("tortured for {}", text(watch.elapsed()));
    Ok(())
}
