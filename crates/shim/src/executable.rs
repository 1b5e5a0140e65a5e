//! Which file a process runs: its name and its build. Two crashes in the same file may be one fault, and a worker that runs another
//! one is a deploy.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use model::crash::Executable;
use model::text;

use crate::capture::build_id_of_file;
use crate::sys::Pid;
use crate::worker::find_program;

/// The longest build id that is believed: linkers make 16 or 20 bytes.
const BUILD_ID_BYTES: usize = 64;

/// What a worker that is started with this command would run: found as it would be.
pub fn executable_of_program(program: &str, directory: &Path, path: Option<&str>) -> Option<Executable> {
    let file = find_program(program, directory, path).ok()?.canonicalize().ok()?;
    of_file(name(&file)?, &file)
}

/// What a process runs, whatever became of that file; `None` where this process may not see it, or it is none any more.
pub(crate) fn executable_of(pid: Pid) -> Option<Executable> {
    let link = format!("/proc/{pid}/exe");
    of_file(name(&std::fs::read_link(&link).ok()?)?, Path::new(&link))
}

fn of_file(name: String, path: &Path) -> Option<Executable> {
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let build_id = build_id_of_file(path);
    let build = if build_id.is_empty() || build_id.len() > BUILD_ID_BYTES {
        format!("{}-{}", file.size(), file.mtime() * 1_000 + file.mtime_nsec() / 1_000_000)
    } else {
        hex::encode(build_id)
    };
    Some(Executable { name, build })
}

/// Of a file that was replaced the kernel says so.
pub(crate) fn name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    Some(text::seen(name.strip_suffix(" (deleted)").unwrap_or(&name)).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_runs_its_file_whatever_became_of_that() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app");
        std::fs::copy("/bin/sleep", &file).unwrap();
        let started = executable_of_program("./app", folder.path(), None).unwrap();
        let mut child = std::process::Command::new(&file).arg("60").spawn().unwrap();
        let found = || executable_of(Pid::try_from(child.id()).unwrap()).unwrap();
        let running = found();
        assert_eq!((running.name.as_str(), &running), ("app", &started));
        assert!(running.build.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{running:?}");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found(), running);
        assert_eq!(executable_of_program("./app", folder.path(), None), None);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_file_without_a_build_id_has_its_size_and_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app");
        std::fs::write(&file, "#!/bin/sh").unwrap();
        let found = executable_of_program("./app", folder.path(), None).unwrap();
        assert!(found.name == "app" && found.build.starts_with("9-"), "{found:?}");
        assert_eq!(executable_of(Pid::MAX), None);
    }
}
