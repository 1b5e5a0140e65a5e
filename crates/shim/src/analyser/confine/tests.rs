//! A confined process tries to get out. Each attempt is a run of this very test program, since nothing lifts what confines it.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use super::*;
use crate::sys::ptrace;

const ATTEMPT: &str = "MEDIC_TEST_ATTEMPT";
const FILE: &str = "MEDIC_TEST_FILE";
/// What the name of an attempt of a reader of memory begins with.
const READER: &str = "reader: ";
/// What an attempt ends with that the kernel refused with an error.
const REFUSED: i32 = 40;
/// What one ends with that succeeded.
const DONE: i32 = 41;

/// Runs one attempt in a process that is confined to reading `readable`.
fn attempt(name: &str, file: &Path, readable: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "analyser::confine::tests::confined", "--nocapture", "--test-threads=1"])
        .env(ATTEMPT, name)
        .env(FILE, file)
        .env("MEDIC_TEST_READABLE", readable)
        .output()
        .unwrap()
        .status
}

/// The other side of [`attempt`]; without it there is nothing to try.
#[test]
fn confined() {
    let Ok(name) = std::env::var(ATTEMPT) else { return };
    let file = PathBuf::from(std::env::var_os(FILE).unwrap());
    let readable = PathBuf::from(std::env::var_os("MEDIC_TEST_READABLE").unwrap());
    let files = Files::of_machine();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let parent = std::os::unix::process::parent_id();
    let name = if let Some(name) = name.strip_prefix(READER) {
        let own = File::open("/proc/self/mem").unwrap();
        crate::sys::foreign_memory::serve_trapped_reads(own.into()).unwrap();
        confine_memory_reader().unwrap();
        name
    } else {
        confine(&files, Some(&[readable])).unwrap();
        &name
    };
    let done = match name {
        "read" => File::open(&file).is_ok(),
        "find and read" => {
            let found = files.find(&file);
            found.is_some_and(|found| {
                let fd = std::os::fd::AsRawFd::as_raw_fd(&found);
                let mut text = String::new();
                File::open(format!("/proc/self/fd/{fd}"))
                    .is_ok_and(|mut file| file.read_to_string(&mut text).is_ok())
            })
        }
        "write" => File::options().write(true).open(&file).is_ok(),
        "create" => File::create(file.with_extension("new")).is_ok(),
        "truncate by another way" => {
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::TRUNC;
            let (mode, resolve) = (rustix::fs::Mode::empty(), rustix::fs::ResolveFlags::empty());
            rustix::fs::openat2(rustix::fs::CWD, &file, flags, mode, resolve).is_ok()
        }
        "remove" => std::fs::remove_file(&file).is_ok(),
        "list" => std::fs::read_dir(file.parent().unwrap()).is_ok_and(|mut list| list.next().is_some()),
        "connect" => std::net::TcpStream::connect(address).is_ok(),
        "exec" => Command::new("/bin/true").status().is_ok(),
        "thread" => std::thread::Builder::new().spawn(|| {}).is_ok(),
        // of whomever it asks for, it gets what was handed over: here its own
        "read memory" => {
            let (here, mut copy) = ([7_u8; 3], [0; 3]);
            let address = here.as_ptr().addr() as u64;
            let read = |pid, address, into: &mut [u8]| crate::sys::memory::read_process(pid, address, into);
            read(parent.cast_signed(), address, &mut copy).is_ok_and(|length| length == 3)
                && copy == here
                && read(parent.cast_signed(), 16, &mut copy).is_err()
        }
        "open memory" => File::options().write(true).open("/proc/self/mem").is_ok(),
        "trace" => ptrace::seize(parent.cast_signed()).is_ok(),
        "kill" => crate::sys::signals::send(parent.cast_signed(), 0).is_ok(),
        "work" => {
            let text: Vec<String> = (0..200_000).map(|number| number.to_string()).collect();
            text.concat().len() > 1_000_000 && std::collections::HashMap::from([(1, 2)]).len() == 1
        }
        "abort" => std::process::abort(),
        other => unreachable!("{other}"),
    };
    std::process::exit(if done { DONE } else { REFUSED });
}

#[test]
fn a_confined_process_reads_what_it_was_given_and_gets_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (given, other) = (folder.path().join("given"), folder.path().join("other"));
    for file in [&given, &other] {
        std::fs::write(file, "content").unwrap();
    }
    let readable = given.to_str().unwrap();
    let of = |name: &str, file: &Path| attempt(name, file, readable);
    assert_eq!(of("work", &given).code(), Some(DONE));
    for way in ["read", "find and read"] {
        assert_eq!(of(way, &given).code(), Some(DONE), "{way}");
    }
    assert_eq!(of("abort", &given).signal(), Some(libc::SIGABRT));
    for way in ["write", "create", "remove", "connect", "exec", "thread", "trace", "kill"] {
        assert_eq!(of(way, &given).signal(), Some(libc::SIGSYS), "{way}");
    }
    if !has_landlock() {
        eprintln!("skipped: this kernel has no Landlock (5.13, enabled by lsm=)");
        return;
    }
    for (way, file) in
        [("read", &other), ("find and read", &other), ("list", &other), ("truncate by another way", &given)]
    {
        assert_eq!(of(way, file).code(), Some(REFUSED), "{way}");
    }
    for file in [&given, &other] {
        assert_eq!(std::fs::read_to_string(file).unwrap(), "content");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_reader_of_memory_reads_what_it_was_given_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "content").unwrap();
    let of = |name: &str| attempt(&format!("{READER}{name}"), &file, "").code();
    for way in ["work", "read", "list", "read memory"] {
        assert_eq!(of(way), Some(DONE), "{way}");
    }
    for way in ["write", "create", "truncate by another way", "remove", "connect", "exec", "thread", "trace"]
    {
        assert_eq!(of(way), Some(REFUSED), "{way}");
    }
    assert_eq!((of("kill"), of("open memory")), (Some(REFUSED), Some(REFUSED)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "content");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Without any effect on this process.
fn has_landlock() -> bool {
    let rules = Ruleset::default().handle_access(AccessFs::from_all(ABI::V1)).unwrap();
    let compatibility =
        landlock::Compatible::set_compatibility(rules, landlock::CompatLevel::HardRequirement);
    compatibility.create().is_ok()
}

#[test]
fn what_explains_a_file_is_beside_it_or_where_distributions_have_it() {
    let paths = explaining(&["/srv/app/shop".into(), "/srv/app/libcart.so".into()]);
    let expected = [
        "/srv/app/.debug",
        "/srv/app/libcart.so",
        "/srv/app/libcart.so.debug",
        "/srv/app/shop",
        "/srv/app/shop.debug",
        "/usr/lib/debug",
    ];
    assert_eq!(paths, expected.map(PathBuf::from));
}
