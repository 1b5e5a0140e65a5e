//! The release build.

use anyhow::Result;

use crate::process::{cargo, run};
use crate::release_flags::{SHORT_VIEWS, with_release_flags};
use crate::site;
use crate::workspace::target;

/// The site, then the server that carries it.
pub(crate) fn build() -> Result<()> {
    site::build(site::Profile::Release)?;
    run(with_release_flags(
        cargo().args(["build", "--locked", "--release", "--package", "server"]),
        &[SHORT_VIEWS],
    ))?;
    println!("\nThe release: {}", target().join("release/medic").display());
    Ok(())
}
