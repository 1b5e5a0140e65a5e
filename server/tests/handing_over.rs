//! The stop that hands over: Medic ends, the workers go on, and the next Medic takes them over. And what systemd is told.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use support::Medic;

fn pids(medic: &Medic) -> Vec<u64> {
    medic.instances().iter().map(|instance| instance["pid"].as_u64().unwrap()).collect()
}

#[test]
fn a_restart_that_hands_over_leaves_the_workers_and_their_requests_alone() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let before = pids(&medic);
    let front_door = medic.front_door;
    let in_flight = std::thread::spawn(move || support::request(front_door, "GET", "/slow?ms=1000", &[], ""));
    while medic.shop("/in-flight").body.trim() != "2" {
        std::thread::yield_now();
    }
    assert!(medic.hand_over(), "it ended well");
    assert_eq!(in_flight.join().unwrap().status, 200);
    assert!(before.iter().all(|pid| support::is_alive(*pid)));
    assert!(medic.log().contains("handing over; the apps go on running"));
    medic.start();
    medic.until_running();
    assert_eq!(pids(&medic), before);
    assert_eq!(medic.crashes(), 0);
    assert_eq!(medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().len(), 0);
    assert_eq!(medic.shop("/").status, 200);
    assert!(medic.stop());
    assert!(before.iter().all(|pid| !support::is_alive(*pid)), "the other stop ends all");
}

#[test]
fn systemd_is_told_that_medic_is_ready_and_lives_and_workers_are_not_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let next = || {
        let mut text = [0; 256];
        let length = systemd.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    let address = path.to_str().unwrap().to_owned();
    let variables = [("NOTIFY_SOCKET", address), ("WATCHDOG_USEC", "300000".to_owned())];
    let data = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_medic").as_ref();
    let mut medic = Medic::with_shop_at(data.path(), program, &variables, "", "");
    let mut said = vec![next()];
    while said.last().is_some_and(|last| !last.starts_with("READY=1")) {
        said.push(next());
    }
    for _ in 0..3 {
        assert_eq!(next(), "WATCHDOG=1");
    }
    medic.until_running();
    let environment = std::fs::read(format!("/proc/{}/environ", pids(&medic)[0])).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("PORT=") && !environment.contains("NOTIFY_SOCKET"), "{environment}");
    assert!(!environment.contains("WATCHDOG"), "{environment}");
    assert!(medic.stop());
    let mut last = next();
    while !last.starts_with("STOPPING=1") {
        last = next();
    }
}

#[test]
fn the_unit_is_shown_and_written_only_when_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let (config, unit) = (folder.path().join("medic.toml"), folder.path().join("medic.service"));
    let install = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medic"));
        command.args(["install", "--config"]).arg(&config).arg("--unit").arg(&unit).args(more);
        let done = command.stdin(std::process::Stdio::null()).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = install(&["--yes"]);
    assert!(code == Some(1) && said.contains("To create it: medic default-config"), "{said}");
    std::fs::write(&config, "").unwrap();
    let (code, said) = install(&[]);
    assert!(code == Some(0) && said.contains("Nothing was written") && !unit.exists(), "{said}");
    let program = std::fs::canonicalize(env!("CARGO_BIN_EXE_medic")).unwrap();
    let line = format!("ExecStart={} serve --config {}", program.display(), config.display());
    assert!(said.contains(&line) && said.contains("KillSignal=SIGUSR1"), "{said}");
    let (code, said) = install(&["--yes"]);
    assert!(code == Some(0) && said.contains("systemctl enable --now medic"), "{said}");
    let written = std::fs::read_to_string(&unit).unwrap();
    assert!(written.contains(&line) && said.contains(&written));
    match Command::new("systemd-analyze").arg("verify").arg(&unit).output() {
        Ok(verified) => {
            let said = String::from_utf8(verified.stderr).unwrap();
            // which came with systemd 254
            let faults = said.lines().filter(|line| !line.contains("DelegateSubgroup"));
            assert!(verified.status.success() && faults.count() == 0, "{said}");
        }
        Err(error) => eprintln!("skipped: systemd-analyze is not installed: {error}"),
    }
}
