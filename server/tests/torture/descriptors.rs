//! File descriptors run out while Medic runs.

use std::process::Command;

use crate::ground::{ALWAYS, Ground};
use crate::random::Random;
use crate::times;

#[test]
fn a_limit_that_is_lowered_in_flight_loses_no_worker_and_no_crash() {
    let mut random = Random::new("no descriptors");
    let mut ground = Ground::new(2, ALWAYS, "");
    for _ in 0..times(2, 20) {
        let open = std::fs::read_dir(format!("/proc/{}/fd", ground.medic.pid())).expect("Medic runs").count();
        limit(ground.medic.pid(), open);
        let pids = ground.workers();
        if let Some(pid) = random.of(&pids).copied() {
            ground.crash(pid, "ABRT");
        }
        random.pause(1_500);
        limit(ground.medic.pid(), 1_024);
        ground.medic.until_running();
    }
    ground.settle();
}

fn limit(pid: u32, descriptors: usize) {
    let nofile = format!("--nofile={descriptors}:");
    assert!(
        Command::new("prlimit")
            .args(["--pid", &pid.to_string(), &nofile])
            .status()
            .expect("prlimit")
            .success()
    );
}
