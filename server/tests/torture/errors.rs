//! The disk answers with errors: every write of the server fails for a while, as on a broken or read-only file system. By strace,
//! which changes what the kernel answers to the threads that it is attached to; shims and workers are left alone.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::ground::{ALWAYS, Ground, kill};
use crate::random::Random;
use crate::support::wait_until;
use crate::times;

/// What a write to the database is made of.
const WRITES: &str = "pwrite64,pwritev,fdatasync,fsync,ftruncate";

/// Attached for as long as it lives.
struct Injection(Child);

impl Injection {
    fn begin(server: u32, error: &str) -> Option<Self> {
        let threads = std::fs::read_dir(format!("/proc/{server}/task")).expect("Medic runs").flatten();
        let threads: Vec<String> = threads.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let mut strace = Command::new("strace");
        strace.args(["-e", &format!("trace={WRITES}"), "-e", &format!("inject={WRITES}:error={error}")]);
        strace.args(["-o", "/dev/null", "-p", &threads.join(",")]).stderr(Stdio::piped());
        let mut child = match strace.spawn() {
            Ok(child) => child,
            Err(why) => {
                assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "strace cannot be started: {why}");
                eprintln!("skipped: strace cannot be started: {why}");
                return None;
            }
        };
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        // One line for each thread that it is attached to.
        for _ in &threads {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            assert!(line.contains("attached") || line.contains("No such process"), "strace: {line}");
        }
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self(child))
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        kill(self.0.id().into(), "INT");
        let _detached = self.0.wait();
    }
}

#[test]
fn a_disk_that_answers_with_errors_loses_no_crash() {
    let mut random = Random::new("disk errors");
    let mut ground = Ground::new(2, ALWAYS, "");
    for round in 0..times(2, 10) {
        let error = if round % 2 == 0 { "EIO" } else { "EROFS" };
        let Some(injection) = Injection::begin(ground.medic.pid(), error) else { return };
        let running = ground.running();
        if let Some(pid) = random.of(&running).copied() {
            ground.crash(pid, "ABRT");
            wait_until("the end of the worker", move || !crate::support::is_alive(pid));
        }
        random.pause(3_000);
        assert_eq!(ground.medic.shop("/").status, 200, "the app is served with {error}");
        drop(injection);
        ground.settle();
    }
}
