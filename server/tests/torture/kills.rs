//! The server, the analysers and the shims are killed at random moments while workers crash.

use crate::ground::{ALWAYS, Ground, children, kill, shims};
use crate::random::Random;
use crate::support::wait_until;
use crate::times;

/// Signals that kill a Rust program at once: its runtime survives a SIGSEGV that no instruction caused.
const FATAL: [&str; 4] = ["ABRT", "FPE", "ILL", "SYS"];

#[test]
fn kills_of_the_server_and_of_analysers_lose_no_crash_and_end_no_healthy_worker() {
    let mut random = Random::new("kills of server and analysers");
    let mut ground = Ground::new(3, ALWAYS, "");
    let (mut servers, mut analysers) = (0, 0);
    for _ in 0..times(8, 120) {
        for _ in 0..=random.below(2) {
            let running = ground.running();
            if let (Some(pid), Some(signal)) = (random.of(&running), random.of(&FATAL)) {
                ground.crash(*pid, signal);
            }
            random.pause(40);
        }
        if random.below(2) == 0 {
            analysers += kill_analysers(&ground);
        }
        random.pause(60);
        ground.medic.kill();
        servers += 1;
        if random.below(3) == 0
            && let Some(pid) = random.of(&ground.workers())
        {
            ground.crash(*pid, "ABRT");
        }
        random.pause(60);
        ground.medic.start();
    }
    print!("{servers} kills of the server, {analysers} of analysers, ");
    ground.settle();
}

/// Whatever a shim runs beside its worker is an analyser.
fn kill_analysers(ground: &Ground) -> u32 {
    let all = shims(&ground.medic.data_dir());
    let is_analyser = |pid: &u64| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.split(|byte| *byte == 0).any(|word| word == b"analyse"))
    };
    let analysers = all.into_iter().flat_map(children).filter(is_analyser);
    analysers.map(|pid| u32::from(kill(pid, "KILL"))).sum()
}

#[test]
fn a_killed_shim_leaves_nothing_and_every_instance_comes_back() {
    let mut random = Random::new("kills of shims");
    let mut ground = Ground::new(3, ALWAYS, "");
    let mut killed = 0;
    for _ in 0..times(4, 60) {
        let all = shims(&ground.medic.data_dir());
        let Some(shim) = random.of(&all).copied() else { continue };
        let workers = children(shim);
        let ended = workers.clone();
        killed += u32::from(kill(shim.into(), "KILL"));
        wait_until("the end of the killed shim's worker", move || {
            !ended.iter().any(|pid| crate::support::is_alive(*pid))
        });
        random.pause(50);
        ground.medic.until("that the server knows it", || {
            let instances = ground.medic.instances();
            let mut pids = instances.iter().filter_map(|instance| instance["pid"].as_u64());
            (!pids.any(|pid| workers.contains(&pid))).then_some(())
        });
        ground.medic.until_running();
    }
    println!("{killed} kills of shims");
    ground.no_orphans();
}
