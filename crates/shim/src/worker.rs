//! Starting the worker: where its program is, and what to say when it cannot be run.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::cgroup::OwnGroup;
use crate::protocol::WorkerSpec;
use crate::sys::Pid;
use crate::sys::descriptors::pipe;
use crate::sys::spawn::{Child, Resource, SpawnError, spawn};
use crate::sys::users::give_to;

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Why the worker cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command is empty.
    #[error("the command is empty: name the program to run")]
    NoCommand,
    /// A NUL byte where the kernel takes none.
    #[error("the {what} holds a NUL byte, which no program can be given")]
    Nul {
        /// Command, directory or environment.
        what: &'static str,
    },
    /// The directory is not there.
    #[error("the directory `{}` cannot be entered: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    /// No such program in `PATH`.
    #[error(
        "the program `{program}` is in none of the folders of PATH: install it, or name it by its full path"
    )]
    NotInPath {
        /// The program. What was searched is not told: it is a value of the environment.
        program: String,
    },
    /// The program's file cannot be run.
    #[error("the program `{}` cannot be run: {source}{}", path.display(), remedy(source))]
    Program {
        /// Its path.
        path: PathBuf,
        source: io::Error,
    },
    /// The app's user is another one, and Medic has no right to become it.
    #[error("the worker cannot be started as the app's user: {0}; run Medic as root, or remove user")]
    User(#[source] io::Error),
    /// A script names a program that is not there.
    #[error("the interpreter {} that the first line of {} names is not there: install it, or change that line", interpreter.display(), script.display())]
    Interpreter { script: PathBuf, interpreter: PathBuf },
    /// Something of the machine's.
    #[error("the worker cannot be started: {0}")]
    Machine(String),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENOENT) => "; is the path right, and is the interpreter of a script's first line there?",
        Some(libc::EACCES) => "; make the file executable (chmod +x) and its folders accessible",
        Some(libc::ENOEXEC) => "; it is neither a program nor a script that begins with `#!`",
        _ => "",
    }
}

/// A worker that was started.
pub(crate) struct Started {
    /// Its process id.
    pub(crate) pid: Pid,
    /// Its standard output, to be read.
    pub(crate) output: OwnedFd,
    /// Its standard error, to be read.
    pub(crate) error: OwnedFd,
}

/// Starts the worker in a control group of its own; `before_exec` runs when the process exists but its program does not run yet,
/// and once more should that process have come to nothing. A worker that cannot be put into the group, which is then `None`, is
/// as good a worker: why it has none is for the shim's log.
pub(crate) fn start(
    spec: &WorkerSpec,
    group: &mut Option<OwnGroup>,
    mut before_exec: impl FnMut(Pid),
) -> Result<Started, StartError> {
    let program = spec.command.first().filter(|program| !program.is_empty()).ok_or(StartError::NoCommand)?;
    let directory = spec.directory.as_deref().unwrap_or(Path::new("/"));
    check_directory(directory)?;
    let program = find_program(program, directory, spec.environment.get("PATH").map(String::as_str))?;
    let machine = |error: io::Error| StartError::Machine(error.to_string());
    let null = File::open("/dev/null").map_err(machine)?;
    let (output, output_write) = pipe().map_err(machine)?;
    let (error, error_write) = pipe().map_err(machine)?;
    for pipe in [&output_write, &error_write] {
        if let Some(identity) = &spec.identity {
            give_to(pipe.as_fd(), identity).map_err(machine)?;
        }
    }
    let entry = group.as_ref().and_then(|group| group.entry().ok());
    let mut child = Child {
        program: c_string(program.as_os_str(), "command")?,
        arguments: spec
            .command
            .iter()
            .map(|argument| c_string(argument, "command"))
            .collect::<Result<_, _>>()?,
        environment: spec
            .environment
            .iter()
            .map(|(name, value)| c_string(format!("{name}={value}"), "environment"))
            .collect::<Result<_, _>>()?,
        directory: c_string(directory, "directory")?,
        descriptors: vec![null.as_fd(), output_write.as_fd(), error_write.as_fd()],
        niceness: 0,
        identity: spec.identity.as_ref(),
        umask: spec.umask,
        limits: limits(spec),
        group: entry.as_ref(),
    };
    let made_in_group = entry.is_some().then(|| spawn(&child, &mut before_exec));
    let spawned = match made_in_group {
        Some(result) if !matches!(result, Err(SpawnError::Group(_))) => result,
        // an old kernel, or another Medic has just removed the group as a leftover
        _ => {
            child.group = None;
            spawn(&child, |pid| {
                adopt(group, pid);
                before_exec(pid);
            })
        }
    };
    match spawned {
        Ok(pid) => Ok(Started { pid, output, error }),
        Err(SpawnError::Directory(source)) => {
            Err(StartError::Directory { path: directory.to_owned(), source })
        }
        Err(SpawnError::Program(source)) => Err(StartError::Program { path: program, source }),
        Err(SpawnError::User(source)) => Err(StartError::User(source)),
        Err(error @ (SpawnError::Process(_) | SpawnError::SetUp(_) | SpawnError::Group(_))) => {
            Err(StartError::Machine(error.to_string()))
        }
    }
}

fn limits(spec: &WorkerSpec) -> Vec<(Resource, u64, u64)> {
    // 1 instead of 0: too small for a core file, and the one value that also keeps the kernel from feeding a core to a program
    // that core_pattern names
    let cores = (!spec.core_dumps).then_some((libc::RLIMIT_CORE, 1, 1));
    let both = |resource, limit: Option<u64>| limit.map(|limit| (resource, limit, limit));
    let files = both(libc::RLIMIT_NOFILE, spec.limits.open_files);
    let processes = both(libc::RLIMIT_NPROC, spec.limits.processes);
    [cores, files, processes].into_iter().flatten().collect()
}

/// The file that a worker's command would run, where nothing is known that keeps it from being run: for whoever asks before.
pub fn check_program(program: &str, directory: &Path, path: Option<&str>) -> Result<PathBuf, StartError> {
    const HEAD_BYTES: u64 = 256;
    let file = find_program(program, directory, path)?;
    let refused = |source| StartError::Program { path: file.clone(), source };
    let kind = std::fs::metadata(&file).map_err(refused)?;
    if !kind.is_file() || kind.permissions().mode() & 0o111 == 0 {
        return Err(refused(io::Error::from_raw_os_error(libc::EACCES)));
    }
    let mut head = Vec::new();
    // one that may be run and not read says nothing of an interpreter
    if let Ok(opened) = File::open(&file) {
        opened.take(HEAD_BYTES).read_to_end(&mut head).map_err(refused)?;
    }
    let line = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let named = line.and_then(|line| line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()));
    let interpreter = named.map(|named| directory.join(OsStr::from_bytes(named)));
    match interpreter.filter(|interpreter| !interpreter.exists()) {
        Some(interpreter) => Err(StartError::Interpreter { script: file, interpreter }),
        None => Ok(file),
    }
}

/// Moves a process that exists already.
fn adopt(group: &mut Option<OwnGroup>, pid: Pid) {
    let Some(Err(error)) = group.as_ref().map(|group| group.adopt(pid.unsigned_abs())) else { return };
    if let Some(group) = group.take() {
        eprintln!("the control group {} cannot be used: {error}", group.folder().display());
    }
}

fn check_directory(directory: &Path) -> Result<(), StartError> {
    let refused = |source| StartError::Directory { path: directory.to_owned(), source };
    let kind = std::fs::metadata(directory).map_err(refused)?;
    if kind.is_dir() { Ok(()) } else { Err(refused(io::ErrorKind::NotADirectory.into())) }
}

pub(crate) fn c_string(text: impl AsRef<OsStr>, what: &'static str) -> Result<CString, StartError> {
    CString::new(text.as_ref().as_bytes()).map_err(|_| StartError::Nul { what })
}

/// As a shell would find it: a name with `/` from the directory, another in `PATH`.
pub(crate) fn find_program(
    program: &str,
    directory: &Path,
    path: Option<&str>,
) -> Result<PathBuf, StartError> {
    if program.contains('/') {
        return Ok(directory.join(program));
    }
    let path = path.unwrap_or(DEFAULT_PATH);
    let candidates =
        || path.split(':').map(|folder| directory.join(if folder.is_empty() { "." } else { folder }));
    let is_file = |candidate: &PathBuf| candidate.is_file();
    let is_executable = |candidate: &PathBuf| {
        candidate.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    candidates()
        .map(|folder| folder.join(program))
        .find(is_executable)
        // found but not executable: the kernel's refusal says more than "not found"
        .or_else(|| candidates().map(|folder| folder.join(program)).find(is_file))
        .ok_or_else(|| StartError::NotInPath { program: program.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_would() {
        let root = Path::new("/");
        assert_eq!(find_program("sh", root, Some("/nowhere:/bin")).unwrap(), Path::new("/bin/sh"));
        assert_eq!(find_program("./run", Path::new("/srv"), None).unwrap(), Path::new("/srv/./run"));
        let refused = find_program("no-such-program", root, Some("/bin")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the program `no-such-program` is in none of the folders of PATH: install it, or name it by its full path"
        );
    }
}
