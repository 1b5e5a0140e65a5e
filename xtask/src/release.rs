//! The release build, and the flags that keep it small and this machine's paths out of it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::process::{cargo, run};
use crate::site;
use crate::workspace::{root, target};

/// leptos' own: without it half of the program is names of nested view types. The WASM would grow by it.
pub(crate) const SHORT_VIEWS: &str = "--cfg=erase_components";

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

/// Panics name source files: as the workspace has them, not as this machine has them. Whoever sets RUSTFLAGS
/// keeps them.
pub(crate) fn with_release_flags<'c>(command: &'c mut Command, more: &[&str]) -> &'c mut Command {
    const SEPARATOR: &str = "\u{1f}";
    if env::var_os("RUSTFLAGS").is_some() || env::var_os("CARGO_ENCODED_RUSTFLAGS").is_some() {
        return command;
    }
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let mut flags = vec![format!("--remap-path-prefix={}=medic", root().display())];
    flags.extend(more.iter().map(|flag| (*flag).to_owned()));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
    }
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join(SEPARATOR))
}
