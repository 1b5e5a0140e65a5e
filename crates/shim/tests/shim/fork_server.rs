//! The process that shims are forked from.

use std::io::{Read, Seek, SeekFrom};

use shim::ForkServer;
use shim::protocol::ToShim;

use crate::support::{Run, exe, has_ended, kill, sh, status_field, wait_until};

fn parent(pid: u32) -> u32 {
    status_field(pid, "PPid").parse().unwrap()
}

/// What a run's shim was forked from: the reaper's parent.
fn fork_server_of(run: &Run) -> u32 {
    parent(parent(run.shim_pid))
}

fn command_line(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    String::from_utf8_lossy(&line).trim_end_matches('\0').replace('\0', " ")
}

#[test]
fn shims_outlive_the_one_they_come_from_and_the_next_comes_from_another() {
    let fork_server = ForkServer::new(exe());
    let start = || Run::start_from(&fork_server, sh("exec sleep 1000"), false, |_| {});
    let (first, second) = (start(), start());
    let process = fork_server_of(&first);
    assert_eq!(fork_server_of(&second), process);
    assert_eq!(command_line(process), format!("{} fork-server", exe().display()));
    kill("KILL", process);
    wait_until("gone, the fork server", || has_ended(process));
    let third = start();
    assert_ne!(fork_server_of(&third), process);
    for mut run in [first, second, third] {
        assert_eq!(
            command_line(run.shim_pid),
            format!("{} shim {}", exe().display(), run.run_dir().display())
        );
        run.send(&ToShim::Signal { signal: libc::SIGTERM });
        run.wait_for_end();
        run.acknowledge();
    }
}

#[test]
fn it_ends_with_its_owner() {
    let fork_server = ForkServer::new(exe());
    let run = Run::start_from(&fork_server, sh("exec sleep 1000"), false, |_| {});
    let process = fork_server_of(&run);
    drop(fork_server);
    assert!(has_ended(process));
    assert!(!has_ended(run.shim_pid) && !has_ended(run.pid));
}

/// Does a process have this in memory that it has written?
fn has_in_memory(pid: u32, wanted: &[u8]) -> bool {
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let written =
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|kind| kind.starts_with("rw")));
    let ranges = written.filter_map(|line| {
        let (first, end) = line.split(' ').next()?.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        Some((address(first), address(end)))
    });
    ranges.into_iter().any(|(first, end)| {
        let mut bytes = Vec::new();
        memory.seek(SeekFrom::Start(first)).unwrap();
        let _what_can_be_read = memory.by_ref().take(end - first).read_to_end(&mut bytes);
        bytes.windows(wanted.len()).any(|bytes| bytes == wanted)
    })
}

#[test]
fn nothing_of_one_worker_is_in_the_shim_of_another() {
    let fork_server = ForkServer::new(exe());
    let secret = "4711-hunter2-4711";
    let with_secret = Run::start_from(&fork_server, sh("exec sleep 1000"), false, |spec| {
        spec.environment.insert("TOKEN".to_owned(), secret.to_owned());
    });
    let other = Run::start_from(&fork_server, sh("exec sleep 1000"), false, |_| {});
    assert!(has_in_memory(with_secret.pid, secret.as_bytes()), "the worker has it");
    for process in
        [other.shim_pid, parent(other.shim_pid), fork_server_of(&other), parent(with_secret.shim_pid)]
    {
        assert!(!has_in_memory(process, secret.as_bytes()), "{}", command_line(process));
    }
}
