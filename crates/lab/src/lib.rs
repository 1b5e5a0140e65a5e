//! Where the lab's programs are, for tests, benchmarks and the demo. They are made on first use and kept under `target/lab`,
//! or, for `lab-shop`, where cargo puts it.
//!
//! - [`shop`]: the Rust program, which serves HTTP and crashes on request.
//! - [`first_shim`]: a shim as the first release had it, for a newer Medic to take over.
//! - [`compile`]: a C, C++, Java, Go or C# program of `crates/lab/programs`, with flags of the caller's choice.
//! - [`start`]: a server that starts in one of the ways that keep real ones from being reached.
//! - [`Language`]: the same small server in every language that is watched, and what runs it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

mod compile;
mod language;

pub use compile::{compile, compile_c};
pub use language::Language;

/// Why a program of the lab cannot be had.
#[derive(Debug)]
pub enum LabError {
    /// What would make or run it is not installed; the name of the program that was looked for.
    Missing(&'static str),
    /// Making it failed; what the compiler said.
    Failed(String),
    /// The file system failed.
    Io(std::io::Error),
}

impl std::fmt::Display for LabError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(program) => write!(f, "`{program}` is not installed: install it to run this"),
            Self::Failed(words) => write!(f, "the program could not be made: {words}"),
            Self::Io(error) => write!(f, "the lab's files: {error}"),
        }
    }
}

impl std::error::Error for LabError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Missing(_) | Self::Failed(_) => None,
        }
    }
}

impl From<std::io::Error> for LabError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).unwrap_or(Path::new("."))
}

/// `lab-first-shim`, a shim as the first release had it.
///
/// # Panics
/// When it cannot be built: nothing that asks for it could go on.
pub fn first_shim() -> PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| build("lab-first-shim").unwrap_or_else(|error| panic!("lab-first-shim: {error}")))
        .clone()
}

/// `lab-shop`, of the same profile as the running test; built when it is missing or older than its sources. Cargo builds the
/// programs of a package only for that package's own tests, so other packages' tests may come first.
///
/// # Panics
/// When it cannot be built: nothing that asks for it could go on.
pub fn shop() -> PathBuf {
    static SHOP: OnceLock<PathBuf> = OnceLock::new();
    SHOP.get_or_init(|| build("lab-shop").unwrap_or_else(|error| panic!("lab-shop: {error}"))).clone()
}

/// The command line of `programs/start.py`, which says there what each way of starting is.
pub fn start(way: &[&str]) -> Result<Vec<PathBuf>, LabError> {
    let mut line = vec![on_path("python3")?, root().join("crates/lab/programs/start.py")];
    line.extend(way.iter().map(PathBuf::from));
    Ok(line)
}

fn build(name: &str) -> Result<PathBuf, LabError> {
    let folder = profile_folder();
    let program = folder.join(name);
    if is_newer(&program, &root().join("crates/lab/src")) {
        return Ok(program);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(root()).args(["build", "--quiet", "--package", "lab", "--bin", name]);
    if folder.file_name() == Some(OsStr::new("release")) {
        build.arg("--release");
    }
    run(&mut build)?;
    Ok(program)
}

/// `target/debug` or `target/release`, after the running program: a test is in its `deps`, `medic` in itself.
fn profile_folder() -> PathBuf {
    let own = std::env::current_exe().ok();
    own.iter()
        .flat_map(|exe| exe.ancestors())
        .find(|folder| matches!(folder.file_name().and_then(OsStr::to_str), Some("debug" | "release")))
        .map_or_else(|| root().join("target/debug"), Path::to_owned)
}

fn is_newer(made: &Path, source: &Path) -> bool {
    let Ok(made_at) = made.metadata().and_then(|meta| meta.modified()) else { return false };
    let Ok(entries) = std::fs::read_dir(source) else { return false };
    entries.flatten().all(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_newer(made, &path);
        }
        entry.metadata().and_then(|meta| meta.modified()).is_ok_and(|changed| changed <= made_at)
    })
}

fn run(command: &mut Command) -> Result<(), LabError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Failed(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))))
}

/// A program on the `PATH`.
fn on_path(program: &'static str) -> Result<PathBuf, LabError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
        .ok_or(LabError::Missing(program))
}
