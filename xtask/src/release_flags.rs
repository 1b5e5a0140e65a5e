//! The flags that keep a release small and this machine's paths out of it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::workspace::root;

/// leptos' own: without it half of the program is names of nested view types. The WASM would grow by it.
pub(crate) const SHORT_VIEWS: &str = "--cfg=erase_components";

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
