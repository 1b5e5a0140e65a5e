//! Which file a process runs: its name and its build. Two crashes in the same file may be one fault, and a worker that runs another
//! one is a deploy.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use model::crash::Executable;
use model::text;

use crate::capture::build_id_of_file;
use crate::sys::Pid;

/// The longest build id that is believed: linkers make 16 or 20 bytes.
const BUILD_ID_BYTES: usize = 64;

/// What a process runs, whatever became of that file; `None` where this process may not see it, or it is none any more.
pub fn executable(pid: u32) -> Option<Executable> {
    executable_of(Pid::try_from(pid).ok()?)
}

pub(crate) fn executable_of(pid: Pid) -> Option<Executable> {
    let link = format!("/proc/{pid}/exe");
    let name = name(&std::fs::read_link(&link).ok()?)?;
    let link = Path::new(&link);
    let build_id = build_id_of_file(link);
    let build = if build_id.is_empty() || build_id.len() > BUILD_ID_BYTES {
        let file = link.metadata().ok()?;
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
        let mut child = std::process::Command::new(&file).arg("60").spawn().unwrap();
        let found = || executable(child.id()).unwrap();
        let running = found();
        assert_eq!(running.name, "app");
        assert!(running.build.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-'), "{running:?}");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found(), running);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_file_without_a_build_id_has_its_size_and_time() {
        let own = executable(std::process::id()).unwrap();
        assert!(own.name.starts_with("shim-") && !own.build.is_empty());
        assert_eq!(executable(u32::MAX), None);
    }
}
