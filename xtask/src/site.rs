//! The site: the front end as WASM, its loader, the stylesheet and the public files, in `target/site`.
//!
//! What `cargo leptos build` does, without cargo-leptos: it would have to be installed first, which takes some 20 minutes of
//! CPU, and its wasm-bindgen could be another version than the workspace's.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::process::{cargo, on_path, read, run};
use crate::release_flags::with_release_flags;
use crate::versions;
use crate::workspace::{root, site, target};

/// `output-name` in the root `Cargo.toml`, and `LEPTOS_OUTPUT_NAME` in `.cargo/config.toml`.
const NAME: &str = "medic";
const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// From npm; its version is pinned since other versions make other bytes.
const BINARYEN: &str = "binaryen@132.0.0";
/// Not `--all-features`: it makes a module that Chromium refuses.
const WASM_OPT_FLAGS: [&str; 6] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
];

/// How the WASM is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Profile {
    /// Fast to build.
    Dev,
    /// Small, without local paths.
    Release,
}

impl Profile {
    const fn cargo_name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "wasm-release",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "wasm-release",
        }
    }
}

/// Builds the site, as far as it is not built already.
pub(crate) fn build(profile: Profile) -> Result<()> {
    let version = versions::wasm_bindgen()?;
    add_wasm_target()?;
    let wasm = compile(profile)?;
    let stamp = stamp(profile, &version, &wasm)?;
    let stamp_file = site().with_extension("stamp");
    if fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) && site().is_dir() {
        println!("site: {} is up to date", site().display());
        return Ok(());
    }
    let new = site().with_extension("new");
    if new.exists() {
        fs::remove_dir_all(&new)?;
    }
    assemble(profile, &wasm, &new)?;
    replace(&new, &stamp_file)?;
    fs::write(&stamp_file, stamp)?;
    Ok(())
}

/// For cargo commands that compile for WASM.
pub(crate) fn cargo_for_wasm(command: &str) -> Command {
    // A target folder of its own: the front end's and the server's builds never wait for, or rebuild for, each other.
    let mut cargo = cargo();
    cargo.args([command, "--locked", "--target", WASM_TARGET, "--target-dir"]).arg(target().join("front"));
    cargo
}

/// Asks rustup for the WASM target where it is missing.
pub(crate) fn add_wasm_target() -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = read(Command::new(rustc).current_dir(root()).args([
        "--print",
        "target-libdir",
        "--target",
        WASM_TARGET,
    ]))?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    ensure!(
        on_path("rustup").is_some(),
        "this Rust has no standard library for {WASM_TARGET}, and there is no rustup to add it: install rustup (https://rustup.rs)"
    );
    run(Command::new("rustup").current_dir(root()).args(["target", "add", WASM_TARGET]))
}

fn compile(profile: Profile) -> Result<PathBuf> {
    let mut cargo = cargo_for_wasm("build");
    cargo.args(["--package", "frontend", "--lib", "--profile", profile.cargo_name()]);
    if profile == Profile::Release {
        with_release_flags(&mut cargo, &[]);
    }
    run(&mut cargo)?;
    Ok(target().join("front").join(WASM_TARGET).join(profile.folder()).join("frontend.wasm"))
}

/// Everything that the site is made of, in one line.
fn stamp(profile: Profile, version: &str, wasm: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    (profile, version, BINARYEN, WASM_OPT_FLAGS, wasm_opt_is_possible()).hash(&mut hasher);
    let built = fs::metadata(wasm).with_context(|| format!("cargo made no {}", wasm.display()))?;
    (built.len(), built.modified()?).hash(&mut hasher);
    fs::read(stylesheet())?.hash(&mut hasher);
    for file in files_below(&root().join("public"))? {
        (fs::read(&file)?, file).hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn assemble(profile: Profile, raw: &Path, folder: &Path) -> Result<()> {
    let package = folder.join("pkg");
    fs::create_dir_all(&package)?;
    let release = profile == Profile::Release;
    Bindgen::new()
        .input_path(raw)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .keep_debug(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .generate(&package)
        .context("wasm-bindgen")?;
    // With LEPTOS_OUTPUT_NAME set, Leptos asks for this name.
    let wasm = package.join(format!("{NAME}.wasm"));
    fs::rename(package.join(format!("{NAME}_bg.wasm")), &wasm)?;
    if release {
        optimise(&wasm)?;
    }
    fs::copy(stylesheet(), package.join(format!("{NAME}.css")))?;
    let size = fs::metadata(&wasm)?.len();
    name_by_content(&package)?;
    if release {
        precompress(&package)?;
    }
    let public = root().join("public");
    for file in files_below(&public)? {
        let copy = folder.join(file.strip_prefix(&public)?);
        fs::create_dir_all(copy.parent().unwrap_or(folder))?;
        fs::copy(&file, copy)?;
    }
    println!("site: {} ({} KB of WASM)", site().display(), size / 1_000);
    Ok(())
}

/// `medic.js` becomes `medic-<hash>.js`, and so on with one hash of all of them: a browser may keep such a file for good, and
/// what belongs together is never mixed. (The server finds the name in the folder.)
fn name_by_content(package: &Path) -> Result<()> {
    let names = ["js", "wasm", "css"].map(|kind| format!("{NAME}.{kind}"));
    let mut hasher = DefaultHasher::new();
    for name in &names {
        fs::read(package.join(name))?.hash(&mut hasher);
    }
    let hash = format!("{:016x}", hasher.finish());
    for name in &names {
        let new_name = name.replacen(NAME, &format!("{NAME}-{hash}"), 1);
        fs::rename(package.join(name), package.join(new_name))?;
    }
    Ok(())
}

/// Puts the new site in the old one's place; a running debug server finds one of them at any moment but between two renames.
fn replace(new: &Path, stamp_file: &Path) -> Result<()> {
    let old = site().with_extension("old");
    if stamp_file.exists() {
        fs::remove_file(stamp_file)?;
    }
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    if site().exists() {
        fs::rename(site(), &old)?;
    }
    fs::rename(new, site())?;
    if old.exists() {
        fs::remove_dir_all(&old)?;
    }
    Ok(())
}

fn wasm_opt_is_possible() -> bool {
    on_path("wasm-opt").is_some() || (on_path("node").is_some() && on_path("npm").is_some())
}

/// Makes the WASM smaller, where wasm-opt or npm is there; without, the site works all the same.
fn optimise(wasm: &Path) -> Result<()> {
    let Some(mut wasm_opt) = wasm_opt()? else {
        println!(
            "site: neither wasm-opt nor npm is installed, so the WASM stays some 10 % larger than it could be"
        );
        return Ok(());
    };
    let smaller = wasm.with_extension("smaller");
    let before = fs::metadata(wasm)?.len();
    // An old Node.js may not run it: no reason to have no release.
    if let Err(error) = run(wasm_opt.args(WASM_OPT_FLAGS).arg(wasm).arg("-o").arg(&smaller)) {
        println!("site: the WASM stays as large as it is: {error:#}");
        return Ok(());
    }
    fs::rename(&smaller, wasm)?;
    println!("site: wasm-opt took {before} bytes to {}", fs::metadata(wasm)?.len());
    Ok(())
}

/// Lays a brotli-compressed copy beside each file, where Node.js is there to make it. (A crate that could do it would have to be
/// compiled in everybody's first minute.)
fn precompress(package: &Path) -> Result<()> {
    const SCRIPT: &str = "const fs = require('fs'), zlib = require('zlib');
        for (const file of process.argv.slice(1)) fs.writeFileSync(file + '.br', zlib.brotliCompressSync(fs.readFileSync(file)));";
    if on_path("node").is_none() {
        return Ok(());
    }
    run(Command::new("node").args(["-e", SCRIPT]).args(files_below(package)?))
}

fn wasm_opt() -> Result<Option<Command>> {
    if !(on_path("node").is_some() && on_path("npm").is_some()) {
        return Ok(on_path("wasm-opt").map(Command::new));
    }
    let tools = target().join("tools");
    let program = tools.join("node_modules/binaryen/bin/wasm-opt");
    let version = tools.join("node_modules/binaryen/package.json");
    let wanted = format!("\"version\": \"{}\"", BINARYEN.trim_start_matches("binaryen@"));
    if !fs::read_to_string(version).is_ok_and(|found| found.contains(&wanted)) {
        fs::create_dir_all(&tools)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(&tools).arg(BINARYEN);
        run(&mut npm)?;
    }
    Ok(Some(Command::new(program)))
}

fn stylesheet() -> PathBuf {
    root().join("style/main.css")
}

/// Every file below a folder, sorted; none when there is no such folder.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return Ok(files) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
