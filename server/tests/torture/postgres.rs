//! PostgreSQL stands still for a while, as behind a network that is gone, while workers crash and Medic is killed.

use crate::ground::{ALWAYS, Ground, children, kill};
use crate::random::Random;
use crate::times;

/// PostgreSQL's processes, stopped for as long as this lives.
struct StandStill(Vec<u64>);

impl StandStill {
    fn of_port(port: &str) -> Self {
        let pids = std::fs::read_dir("/proc").expect("listed").flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let postmaster = pids.into_iter().find(|pid| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let words: Vec<_> = line.split(|byte| *byte == 0).collect();
            words.first().is_some_and(|program| program.ends_with(b"/postgres"))
                && words.windows(2).any(|pair| pair[0] == b"-p" && pair[1] == port.as_bytes())
        });
        let postmaster = postmaster.expect("the PostgreSQL of the tests runs on this machine");
        let mut pids = vec![u64::from(postmaster)];
        kill(pids[0], "STOP");
        pids.extend(children(postmaster));
        for pid in &pids {
            kill(*pid, "STOP");
        }
        Self(pids)
    }
}

impl Drop for StandStill {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            kill(*pid, "CONT");
        }
    }
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
fn postgresql_that_is_gone_loses_no_crash_and_stops_no_app() {
    let url = std::env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names a server to test on");
    let port = url.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).expect("with a port").0;
    let mut random = Random::new("PostgreSQL gone");
    let database = format!("{ALWAYS}[database]\nurl = \"{url}\"\n");
    let mut ground = Ground::new(2, &database, "");
    ground.forget_others();
    let gone = StandStill::of_port(port);
    for round in 0..times(2, 6) {
        let running = ground.running();
        if let Some(pid) = random.of(&running).copied() {
            ground.crash(pid, "ABRT");
        }
        random.pause(u64::from(times(1_000, 20_000)));
        if round == 1 {
            ground.medic.kill();
            ground.medic.start();
        }
        ground.medic.until_running();
        assert_eq!(ground.medic.shop("/").status, 200, "the app is served");
        assert_eq!(ground.medic.get("/healthz").status, 503);
        assert_eq!(ground.medic.get("/").status, 200, "the pages are there");
    }
    drop(gone);
    ground.settle();
}
