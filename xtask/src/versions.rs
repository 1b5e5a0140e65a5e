//! The one version of wasm-bindgen. The crate writes a schema into the WASM that only the same version's bundler reads, so
//! both are pinned to one version in the root `Cargo.toml`; this makes sure that the pins were changed together.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::root;

/// The version that both have.
pub(crate) fn wasm_bindgen() -> Result<String> {
    let path = root().join("Cargo.lock");
    let lock = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let crate_version = locked(&lock, "wasm-bindgen")?;
    let bundler_version = locked(&lock, "wasm-bindgen-cli-support")?;
    ensure!(
        crate_version == bundler_version,
        "wasm-bindgen is {crate_version}, but wasm-bindgen-cli-support is {bundler_version}: \
         give both the same version in [workspace.dependencies] of Cargo.toml, then run `cargo update -w`"
    );
    Ok(crate_version)
}

fn locked(lock: &str, package: &str) -> Result<String> {
    let heading = format!("\nname = \"{package}\"\nversion = \"");
    let mut found = lock.match_indices(&heading).map(|(at, _)| &lock[at + heading.len()..]);
    let Some(version) = found.next().and_then(|rest| rest.split('"').next()) else {
        bail!("Cargo.lock has no {package}");
    };
    ensure!(found.next().is_none(), "Cargo.lock has {package} in two versions: pin one in Cargo.toml");
    Ok(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_has_one_version_of_both() {
        assert!(wasm_bindgen().unwrap().starts_with("0.2."));
    }

    #[test]
    fn two_versions_of_one_package_are_refused() {
        let entry = |name: &str, version: &str| {
            format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
        };
        let twice = entry("a", "1.0.0") + &entry("a", "2.0.0");
        assert!(locked(&twice, "a").unwrap_err().to_string().contains("two versions"));
        assert_eq!(locked(&(entry("a", "1.0.0") + &entry("b", "2.0.0")), "a").unwrap(), "1.0.0");
    }
}
