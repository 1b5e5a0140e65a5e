//! Medic comes back to what the last one left: one worker a place stays, the newest that takes requests, and nothing that a shim
//! holds is lost, whatever one of them does meanwhile.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use sha2::{Digest, Sha256};
use shim::LocalWorker;
use shim::protocol::{FromShim, Watched, WorkerSpec};
use support::{Medic, is_alive, wait_until};

fn pid(medic: &Medic, index: usize) -> u64 {
    medic.instances()[index]["pid"].as_u64().unwrap()
}

/// Waits until an instance runs with another worker than `before`.
fn until_replaced(medic: &Medic, index: usize, before: u64) -> u64 {
    medic.until("another worker", || {
        let instance = medic.instances()[index].clone();
        let pid = instance["pid"].as_u64()?;
        (instance["state"] == "running" && pid != before).then_some(pid)
    })
}

fn until_gone(pid: u64) {
    wait_until("the end of a worker", move || !is_alive(pid));
}

fn signal(signal: &str, pid: u64) {
    assert!(Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap().success());
}

/// A worker's parent is its shim.
fn shim_of(worker: u64) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim().parse().unwrap()
}

fn run_dirs(medic: &Medic) -> Vec<PathBuf> {
    let run = medic.data_dir().join("run/shop");
    let mut folders: Vec<_> = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// A client of a shim, and the first message that it hears.
fn client(run_dir: &Path) -> (BufReader<UnixStream>, FromShim) {
    let mut client = BufReader::new(shim::connect(run_dir).unwrap());
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    let said = serde_json::from_str(&line).unwrap();
    (client, said)
}

/// What the only worker of the last Medic was started from.
fn spec_hash(medic: &Medic) -> String {
    match client(&run_dirs(medic)[0]).1 {
        FromShim::State { spec_hash, .. } => spec_hash,
        other => panic!("{other:?}"),
    }
}

/// A worker beside the last Medic's own, as the last Medic would have started it, `later` milliseconds after that; its process.
fn started_beside(medic: &Medic, command: Vec<String>, later: i64, spec_hash: String) -> u64 {
    let beside = run_dirs(medic)[0].clone();
    let name = beside.file_name().unwrap().to_str().unwrap();
    let ms: i64 = name.strip_prefix("0-").unwrap().parse().unwrap();
    let worker: LocalWorker = format!("shop/0/{}", ms + later).parse().unwrap();
    let port = support::free_address().port();
    let logs = medic.data_dir().join("apps/shop/logfiles");
    let spec = WorkerSpec {
        worker,
        command,
        directory: None,
        environment: BTreeMap::from([("PORT".to_owned(), port.to_string())]),
        port,
        application_log_dir: logs.join("application"),
        crash_log_dir: logs.join("crashdumps"),
        log_file_limit_bytes: 1 << 20,
        log_files_kept: 2,
        log_file_age_ms: None,
        arm: false,
        watch: Watched::Serving,
        analyser: Vec::new(),
        core_dumps: false,
        cgroup: None,
        open_files: None,
        identity: None,
        umask: None,
        limits: shim::protocol::ResourceLimits::default(),
        spec_hash,
    };
    let run_dir = beside.with_file_name(format!("0-{}", ms + later));
    let fork_server = shim::ForkServer::new(Path::new(env!("CARGO_BIN_EXE_medic")));
    shim::launch(&fork_server, &run_dir, &spec).unwrap();
    let FromShim::State { pid, .. } = client(&run_dir).1 else { panic!("no state") };
    u64::from(pid)
}

fn shop() -> Vec<String> {
    vec![lab::shop().to_str().unwrap().to_owned()]
}

#[test]
fn a_worker_that_crashed_unrecorded_takes_no_place_from_its_replacement() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let old = pid(&medic, 0);
    medic.kill();
    let hash = spec_hash(&medic);
    let new = started_beside(&medic, shop(), 5_000, hash);
    signal("ABRT", old);
    until_gone(old);
    medic.start();
    medic.until_running();
    medic.until("the crash recorded", || (medic.crashes() == 1).then_some(()));
    assert_eq!(medic.json("/api/v1/apps/shop/crashes")[0]["pid"], old);
    assert_eq!(medic.shop("/").status, 200);
    assert_eq!(pid(&medic, 0), new);
    assert!(is_alive(new));
}

#[test]
fn a_worker_that_takes_requests_stays_and_one_that_was_warming_up_goes() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let old = pid(&medic, 0);
    medic.kill();
    let hash = spec_hash(&medic);
    let successor = started_beside(&medic, vec!["sleep".to_owned(), "1000".to_owned()], 5_000, hash);
    medic.start();
    medic.until_running();
    assert_eq!(pid(&medic, 0), old);
    until_gone(successor);
    assert_eq!((medic.shop("/").status, medic.crashes()), (200, 0));
}

#[test]
fn the_newer_of_two_that_take_requests_stays() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let old = pid(&medic, 0);
    medic.kill();
    let hash = spec_hash(&medic);
    let new = started_beside(&medic, shop(), 5_000, hash);
    medic.start();
    medic.until_running();
    until_gone(old);
    assert_eq!(pid(&medic, 0), new);
    assert_eq!((medic.shop("/").status, medic.crashes()), (200, 0));
}

#[test]
fn a_shim_that_is_stopped_holds_up_its_own_place_alone_and_not_for_long() {
    let mut medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let (silent, other) = (pid(&medic, 0), pid(&medic, 1));
    let shim = shim_of(silent);
    medic.kill();
    signal("STOP", shim);
    medic.start();
    assert_eq!(medic.shop("/").status, 200);
    let replacement = until_replaced(&medic, 0, silent);
    assert!(is_alive(silent), "it is waited for, as long as it lives");
    assert_eq!(pid(&medic, 1), other);
    signal("CONT", shim);
    until_gone(silent);
    assert_eq!((pid(&medic, 0), pid(&medic, 1)), (replacement, other));
    assert_eq!(medic.crashes(), 0);
    let run_dirs = medic.data_dir().join("run/shop");
    wait_until("the end of its run folder", move || std::fs::read_dir(&run_dirs).unwrap().count() == 2);
}

#[test]
fn a_shim_that_another_client_has_is_waited_for() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let held = pid(&medic, 0);
    let run_dir = run_dirs(&medic)[0].clone();
    let (_, said) = client(&run_dir);
    assert_eq!(said, FromShim::Busy { pid: medic.pid() }, "Medic keeps its worker");
    medic.kill();
    let (mut other, said) = client(&run_dir);
    assert!(matches!(said, FromShim::State { .. }));
    other.get_mut().write_all(b"nonsense\n{\"type\":\"dance\"}\n").unwrap();
    medic.start();
    medic.until_said(&format!("process {} is connected, and only one client can be", std::process::id()));
    let replacement = until_replaced(&medic, 0, held);
    assert!(is_alive(held));
    drop(other);
    until_gone(held);
    assert_eq!((pid(&medic, 0), medic.crashes()), (replacement, 0));
}

#[test]
fn what_is_no_shims_in_the_run_folder_is_in_nobodys_way() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let before = pid(&medic, 0);
    medic.kill();
    let run = medic.data_dir().join("run");
    for file in ["plain", "shop/0-17"] {
        std::fs::write(run.join(file), "").unwrap();
    }
    let left_over = run.join("shop/0-18");
    std::fs::create_dir(&left_over).unwrap();
    medic.start();
    medic.until_running();
    assert_eq!(pid(&medic, 0), before, "taken over");
    wait_until("the end of what is left over", move || !left_over.exists());
    assert!(run.join("plain").exists() && run.join("shop/0-17").exists());
}

#[test]
fn no_second_signal_to_read_the_configuration_is_lost() {
    let medic = Medic::with_shop("", "environment = { ROUND = \"0\" }");
    medic.until_running();
    let said = || medic.log().matches("Medic replaces it").count();
    for round in (1..=20).step_by(2) {
        let change = |round: usize| {
            medic.edit(|text| {
                let line = format!("environment = {{ ROUND = \"{round}\" }}");
                text.lines().map(|old| if old.starts_with("environment") { &line } else { old }).fold(
                    String::new(),
                    |mut text, line| {
                        text.extend([line, "\n"]);
                        text
                    },
                )
            });
            medic.signal("HUP");
        };
        let before = said();
        change(round);
        // sometimes the second comes while the first one's worker is being started
        if round % 3 != 0 {
            medic.until("the first one obeyed", || (said() > before).then_some(()));
        }
        change(round + 1);
        let expected = format!("ROUND={}", round + 1);
        medic.until("a worker with the last configuration", || {
            let instance = medic.instances()[0].clone();
            let environment = std::fs::read(format!("/proc/{}/environ", instance["pid"].as_u64()?)).ok()?;
            let is_last =
                environment.split(|byte| *byte == 0).any(|variable| variable == expected.as_bytes());
            (instance["state"] == "running" && is_last).then_some(())
        });
    }
    assert_eq!(medic.crashes(), 0);
}

/// A file system that is full, as long as this lives.
struct FullDisk(PathBuf);

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

impl FullDisk {
    /// `None` where this user may mount nothing.
    fn mounted(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m,nr_inodes=300,mode=700", "tmpfs"]).arg(at);
        mount.stderr(Stdio::null()).status().unwrap().success().then(|| Self(at.to_owned()))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
        let mut number = 0;
        while std::fs::File::create(self.0.join(format!("filler-{number}"))).is_ok() {
            number += 1;
        }
    }
}

#[test]
fn a_full_disk_keeps_no_worker_down_and_the_next_medic_finds_it() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    assert!(medic.stop());
    std::fs::remove_dir_all(medic.data_dir()).unwrap();
    let Some(disk) = FullDisk::mounted(&medic.data_dir()) else {
        eprintln!("skipped: only root may mount a file system that can be full");
        return;
    };
    medic.start();
    medic.until_running();
    let first = pid(&medic, 0);
    disk.fill();
    signal("ABRT", first);
    let second = until_replaced(&medic, 0, first);
    assert_eq!(medic.shop("/").status, 200);
    medic.kill();
    medic.start();
    medic.until_running();
    assert_eq!((pid(&medic, 0), medic.shop("/").status), (second, 200));
    assert!(medic.stop());
    until_gone(second);
}

#[test]
fn a_shim_of_the_first_release_is_taken_over_and_its_secrets_go() {
    let mut medic = Medic::with_shop("", "");
    assert!(medic.stop());
    let folder = medic.data_dir().parent().unwrap().to_owned();
    let (program, port) = (lab::shop(), support::free_address().port());
    let hashed = format!("{:?}\0{}\0{{}}", [program.to_str().unwrap()], folder.join(".").display());
    let hash = hex::encode(Sha256::digest(hashed));
    let run_dir = medic.data_dir().join("run/shop/0-1769847300000");
    std::fs::create_dir_all(&run_dir).unwrap();
    let spec = json!({
        "worker": "shop/0/1769847300000", "command": [program], "directory": folder,
        "environment": {"PORT": port.to_string(), "TOKEN": "4711"}, "port": port, "spec_hash": hash,
        "started_at": "2026-01-31T08:15:00Z",
    });
    std::fs::write(run_dir.join("spec.json"), spec.to_string()).unwrap();
    let mut shim = Command::new(lab::first_shim()).arg("shim").arg(&run_dir).spawn().unwrap();
    let address = (std::net::Ipv4Addr::LOCALHOST, port);
    wait_until("the worker", move || std::net::TcpStream::connect(address).is_ok());

    medic.start();
    medic.until_running();
    assert_eq!(shim_of(pid(&medic, 0)), u64::from(shim.id()), "taken over, and not restarted for its hash");
    assert!(!run_dir.join("spec.json").exists());
    assert_eq!(medic.shop("/").status, 200);
    // what this release says to its own shims does not disturb it
    medic.kill();
    medic.start();
    medic.until_running();
    assert_eq!(shim_of(pid(&medic, 0)), u64::from(shim.id()));

    let worker = pid(&medic, 0);
    let _cut_off = medic.shop("/crash/null");
    medic.until("the crash recorded", || (medic.crashes() == 1).then_some(()));
    assert_eq!(medic.json("/api/v1/apps/shop/crashes")[0]["pid"], worker);
    until_replaced(&medic, 0, worker);
    assert!(shim.wait().unwrap().success(), "it went when it was told that it may");
    assert!(!run_dir.exists());
    assert_eq!(medic.shop("/").status, 200);
}
