//! No dump is ever a file: the file system is watched while one is taken and analysed.
#![expect(unsafe_code, reason = "inotify's two system calls; see the SAFETY comments")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::support::{Run, program, programs};

/// Folders whose new files are seen.
struct Watch {
    events: File,
    folders: BTreeMap<i32, PathBuf>,
}

impl Watch {
    fn new(folders: &[&Path]) -> Self {
        // SAFETY: takes flags alone; the result is checked.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        assert!(fd >= 0);
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let events = unsafe { File::from_raw_fd(fd) };
        let folders = folders
            .iter()
            .map(|folder| {
                let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).unwrap();
                let mask = libc::IN_CREATE | libc::IN_MOVED_TO | libc::IN_MODIFY;
                // SAFETY: the path ends with NUL and lives through the call.
                let watch = unsafe { libc::inotify_add_watch(events.as_raw_fd(), path.as_ptr(), mask) };
                assert!(watch >= 0, "{}", folder.display());
                (watch, folder.to_path_buf())
            })
            .collect();
        Self { events, folders }
    }

    /// What was made or written so far.
    fn touched(&mut self) -> Vec<PathBuf> {
        let mut touched = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        while let Ok(length) = self.events.read(&mut buffer) {
            let mut rest = &buffer[..length];
            // struct inotify_event: watch, mask, cookie, length of the name, name
            while rest.len() >= 16 {
                let watch = i32::from_ne_bytes(rest[..4].try_into().unwrap());
                let length = u32::from_ne_bytes(rest[12..16].try_into().unwrap()) as usize;
                let name = rest[16..16 + length].split(|byte| *byte == 0).next().unwrap();
                let folder = self.folders.get(&watch).cloned().unwrap_or_default();
                touched.push(folder.join(std::ffi::OsStr::from_bytes(name)));
                rest = &rest[16 + length..];
            }
        }
        touched.sort();
        touched.dedup();
        touched
    }
}

fn is_a_dump(path: &Path) -> bool {
    let mut head = [0; 18];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    // a minidump, or an ELF file of type core
    read.is_ok() && (head.starts_with(b"MDMP") || (head.starts_with(b"\x7fELF") && head[16] == 4))
}

#[test]
fn a_capture_writes_no_file_but_the_logs() {
    programs();
    let mut run = Run::start(program("crash", &["wait_throw"]), true);
    run.wait_for_line("ready");
    std::fs::create_dir(&run.spec.crash_log_dir).unwrap();
    let (folder, run_dir) = (run.folder().to_owned(), run.run_dir());
    let own = [&*folder, &run_dir, &run.spec.application_log_dir, &run.spec.crash_log_dir];
    let shared =
        ["/", "/tmp", "/var/tmp", "/dev/shm", "/var/crash", "/var/lib/systemd/coredump"].map(Path::new);
    let shared: Vec<&Path> = shared.into_iter().filter(|folder| folder.is_dir()).collect();
    let (mut own, mut shared) = (Watch::new(&own), Watch::new(&shared));
    crate::support::kill("USR1", run.pid);
    let crashed = run.wait_for_crash();
    assert_eq!(crashed.audit.expect("a dump was taken").result, "analysed");
    let touched: Vec<String> = own
        .touched()
        .iter()
        .map(|path| path.strip_prefix(&folder).unwrap().to_string_lossy().into_owned())
        .collect();
    // other programs use the shared folders too, so there it is the content that counts
    let dumps: Vec<PathBuf> = shared.touched().into_iter().filter(|path| is_a_dump(path)).collect();
    assert!(dumps.is_empty(), "{dumps:?}");
    assert_eq!(touched.len(), 2, "{touched:?}");
    assert!(touched[0].starts_with("application/0-"), "{touched:?}");
    assert!(touched[1].starts_with("crashdumps/"), "{touched:?}");
}

#[test]
fn the_watch_sees_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(&[folder.path()]);
    std::fs::write(folder.path().join("dump"), b"MDMP and fourteen more").unwrap();
    let touched = watch.touched();
    assert_eq!(touched, [folder.path().join("dump")]);
    assert!(is_a_dump(&touched[0]));
}
