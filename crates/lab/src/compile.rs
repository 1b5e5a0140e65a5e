//! Compiles a program of the lab once per source and set of flags.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{LabError, on_path, root, run};

static TURN: AtomicU32 = AtomicU32::new(0);

/// The C or C++ program `source` (a path, or a file's name in `crates/lab/programs`), compiled with `flags`.
///
/// # Panics
/// When it does not compile: a C compiler is what every build of Medic needs anyway.
pub fn compile_c(source: impl AsRef<Path>, flags: &[&str]) -> PathBuf {
    compile(source, flags).unwrap_or_else(|error| panic!("{error}"))
}

/// The program `source` (a path, or a file's name in `crates/lab/programs`), compiled with `flags` by what its ending asks for:
/// `.c`, `.cpp`, `.go`; for `.java` and `.cs` the result is a folder, of class files or with the assembly in it.
pub fn compile(source: impl AsRef<Path>, flags: &[&str]) -> Result<PathBuf, LabError> {
    let source = root().join("crates/lab/programs").join(source);
    let stem = source.file_stem().and_then(|stem| stem.to_str()).unwrap_or("program");
    let folder = root().join("target/lab");
    let made = folder.join(format!("{stem}-{:016x}", key(&source, flags)?));
    if made.exists() {
        return Ok(made);
    }
    fs::create_dir_all(&folder)?;
    // Tests run side by side and in several processes: each makes its own, and the last rename wins.
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let own = folder.join(format!(".{stem}-{}-{turn}", std::process::id()));
    run(&mut compiler(&source, flags, &own)?)?;
    match fs::rename(&own, &made) {
        // Renaming a folder over one that is not empty fails: another process was first.
        Err(_) if made.exists() => fs::remove_dir_all(&own)?,
        renamed => renamed?,
    }
    Ok(made)
}

fn key(source: &Path, flags: &[&str]) -> Result<u64, LabError> {
    let mut hasher = DefaultHasher::new();
    (fs::read(source)?, source, flags).hash(&mut hasher);
    // The one header that the C and C++ programs share.
    fs::read(root().join("crates/lab/programs/serve.h"))?.hash(&mut hasher);
    Ok(hasher.finish())
}

fn compiler(source: &Path, flags: &[&str], output: &Path) -> Result<Command, LabError> {
    let ending = source.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let mut command = match ending {
        "c" => Command::new(on_path("cc")?),
        "cpp" => Command::new(on_path("c++")?),
        "go" => {
            let mut go = Command::new(on_path("go")?);
            // No module, no network and no version stamp of the repository around it.
            go.args(["build", "-buildvcs=false"]).env("GO111MODULE", "off").env("GOFLAGS", "");
            go
        }
        "java" => Command::new(on_path("javac")?),
        "cs" => Command::new(on_path("mcs")?),
        _ => return Err(LabError::Failed(format!("{} has no ending that is known here", source.display()))),
    };
    command.args(flags);
    match ending {
        "java" => command.arg("-d").arg(output).arg(source),
        "cs" => {
            fs::create_dir_all(output)?;
            let mut option = OsString::from("-out:");
            option.push(output.join("Shop.dll"));
            command.arg(option).arg(source)
        }
        "go" => command.arg("-o").arg(output).arg(source),
        _ => command.arg("-o").arg(output).arg(source).arg("-pthread"),
    };
    Ok(command)
}
