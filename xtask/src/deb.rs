//! `cargo xtask deb`: the Debian package of the release. `server/Cargo.toml` says what is in it.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, line, on_path, read, run};
use crate::release;
use crate::workspace::target;

/// What packs. Pinned since other versions may pack otherwise.
const CARGO_DEB: &str = "cargo-deb@3.8.0";

/// The release, then the package with it, without a build of cargo-deb's own, which would know neither the site nor the flags.
/// Where the package is.
pub(crate) fn build() -> Result<PathBuf> {
    ensure!(
        on_path("dpkg-shlibdeps").is_some(),
        "`dpkg-shlibdeps`, which finds the libraries that the package depends on, is not installed; on Debian: apt-get install dpkg-dev"
    );
    install_cargo_deb()?;
    release::build()?;
    // with the names of functions, which Medic's own backtraces need
    let said =
        read(cargo().env("PATH", path()?).args(["deb", "--package", "server", "--no-build", "--no-strip"]))?;
    let package = said.lines().map(PathBuf::from).rfind(|path| path.is_file());
    let package = package.with_context(|| format!("cargo-deb named no package: {said}"))?;
    println!("\nThe package: {} ({} KB)", package.display(), fs::metadata(&package)?.len() / 1_000);
    Ok(package)
}

/// Where it is missing, into `target/tools`, after a word about it.
fn install_cargo_deb() -> Result<()> {
    if on_path("cargo-deb").is_some() || tools().join("bin/cargo-deb").is_file() {
        return Ok(());
    }
    let mut install = cargo();
    install.args(["install", "--locked", "--root"]).arg(tools()).arg(CARGO_DEB);
    println!("cargo-deb is not installed, which makes the package: {} (a few minutes)", line(&install));
    run(&mut install)
}

fn tools() -> PathBuf {
    target().join("tools")
}

/// With what was installed for this.
fn path() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([tools().join("bin")]);
    Ok(env::join_paths(folders)?)
}
