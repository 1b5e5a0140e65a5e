//! Medic is replaced by another one under load: the workers stay, and no crash is lost.
//!
//! `MEDIC_TORTURE_OLDER` names the program of an older release to begin with; without it, another copy of this one stands for it,
//! and what is shown is that a program that was replaced on the disk is no obstacle. The way back is not tried: an older Medic
//! refuses a database with newer tables.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::ground::{ALWAYS, Ground};
use crate::random::Random;
use crate::support;
use crate::times;

#[test]
fn an_upgrade_under_load_ends_no_worker_and_loses_no_crash() {
    let mut random = Random::new("upgrade");
    let folder = tempfile::tempdir().expect("a folder");
    let installed = folder.path().join("medic");
    let new = PathBuf::from(env!("CARGO_BIN_EXE_medic"));
    let older = std::env::var_os("MEDIC_TORTURE_OLDER").map_or_else(|| new.clone(), PathBuf::from);
    let install = |program: &PathBuf| {
        let beside = folder.path().join("medic.new");
        support::programs::copy_program(program, &beside);
        std::fs::rename(beside, &installed).expect("replaced");
    };
    install(&older);
    let mut ground = Ground::with_program(&installed, 2, ALWAYS, "");
    let load = Load::begin(ground.medic.front_door);
    for _ in 0..times(2, 12) {
        // The program is replaced first, as a package does, and what is running goes on without its file.
        install(&new);
        let running = ground.running();
        if let Some(pid) = random.of(&running).copied() {
            ground.crash(pid, "ABRT");
        }
        random.pause(100);
        ground.medic.kill();
        if let Some(pid) = random.of(&ground.workers()).copied() {
            ground.crash(pid, "ABRT");
        }
        random.pause(100);
        ground.medic.start();
        ground.medic.until_running();
    }
    println!("{} requests answered meanwhile", load.end());
    ground.settle();
}

/// A client that asks without end.
struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    client: std::thread::JoinHandle<()>,
}

impl Load {
    fn begin(front_door: std::net::SocketAddr) -> Self {
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (until, count) = (Arc::clone(&over), Arc::clone(&answered));
        let client = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                // Nobody listens while no Medic runs.
                if std::net::TcpStream::connect(front_door).is_ok() {
                    let answer =
                        std::panic::catch_unwind(|| support::request(front_door, "GET", "/", &[], ""));
                    count.fetch_add(
                        u64::from(answer.is_ok_and(|answer| answer.status == 200)),
                        Ordering::Relaxed,
                    );
                } else {
                    std::thread::yield_now();
                }
            }
        });
        Self { over, answered, client }
    }

    fn end(self) -> u64 {
        self.over.store(true, Ordering::Relaxed);
        let _panicked = self.client.join();
        self.answered.load(Ordering::Relaxed)
    }
}
