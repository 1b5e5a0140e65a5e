//! What happens where files that may be open run short: neither clients nor a lowered limit take an app, its worker or the API
//! away.

#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use support::{Medic, PATIENCE, free_address, request};

/// A server with so many apps of the lab under limits of open files (`soft:hard`), and their addresses.
fn serve(apps: usize, open_files: &str) -> (Medic, Vec<SocketAddr>) {
    let folder = tempfile::tempdir().unwrap();
    let doors: Vec<_> = (0..apps).map(|_| free_address()).collect();
    let shop = lab::shop();
    let head = format!("[server]\nlisten = \"{}\"\ndata_dir = \"data\"\n", free_address());
    let app = |(number, door): (usize, &SocketAddr)| {
        let name = if number == 0 { "shop".to_owned() } else { format!("app-{number}") };
        let command = shop.display();
        format!("[[app]]\nname = \"{name}\"\ncommand = [\"{command}\"]\nlisten = \"{door}\"\n")
    };
    let config: String = std::iter::once(head).chain(doors.iter().enumerate().map(app)).collect();
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    (Medic::with_open_files(folder, open_files), doors)
}

fn until_all_run(medic: &Medic) {
    medic.until("every app running", || {
        let apps = medic.json("/api/v1/apps");
        let mut instances =
            apps.as_array().unwrap().iter().flat_map(|app| app["instances"].as_array().unwrap());
        instances.all(|instance| instance["state"] == "running").then_some(())
    });
}

fn limits_of(pid: u64) -> (u64, u64) {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// The server, and whose worker serves the shop.
fn pids(medic: &Medic) -> (u32, u64) {
    (medic.pid(), medic.instances()[0]["pid"].as_u64().unwrap())
}

#[test]
fn medic_takes_what_it_may_and_a_worker_gets_what_medic_was_started_with() {
    let (medic, _) = serve(1, "300:2000");
    until_all_run(&medic);
    let (server, worker) = pids(&medic);
    assert_eq!(limits_of(server.into()), (2_000, 2_000));
    assert_eq!(limits_of(worker), (300, 2_000));
}

#[test]
fn idle_clients_of_one_app_silence_neither_another_nor_the_api() {
    let (medic, doors) = serve(2, "400:400");
    until_all_run(&medic);
    let before = pids(&medic);
    let mut idle: Vec<_> = (0..600).map(|_| TcpStream::connect(doors[0]).unwrap()).collect();
    for door in &doors {
        assert_eq!(request(*door, "GET", "/", &[], "").status, 200);
    }
    medic.until_said("those that have been idle the longest are disconnected");
    assert_eq!(idle[0].read(&mut [0]).unwrap(), 0, "the longest idle has gone");
    let latest = idle.last_mut().unwrap();
    write!(latest, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n").unwrap();
    let mut answer = [0; 15];
    latest.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let page = medic.get("/apps/shop/settings").body;
    assert!(page.contains("open files") && page.contains("idle ones disconnected for others"), "{page}");
    medic.crash("null");
    medic.until_running();
    assert_eq!(request(doors[0], "GET", "/", &[], "").status, 200);
    assert_eq!(pids(&medic).0, before.0);
}

#[test]
fn a_limit_that_is_lowered_in_flight_is_survived_and_said() {
    let (medic, doors) = serve(2, "1000:1000");
    until_all_run(&medic);
    let before = pids(&medic);
    let _idle: Vec<_> = (0..20).map(|_| TcpStream::connect(doors[0]).unwrap()).collect();
    medic.limit_open_files("10:1000");
    medic.until_said("the limit of open files was changed");
    // the kernel takes its connection in, which nobody can accept
    let mut client = TcpStream::connect(doors[0]).unwrap();
    write!(client, "GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").unwrap();
    medic.until_said("cannot open a connection: no file descriptor is free");
    medic.until_said("no file can be opened");
    medic.limit_open_files("1000:1000");
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    medic.until_said("files can be opened again");
    for door in &doors {
        assert_eq!(request(*door, "GET", "/", &[], "").status, 200);
    }
    assert_eq!((pids(&medic), medic.crashes()), (before, 0), "nobody was taken for gone");
    medic.crash("null");
    medic.until_running();
}

#[test]
fn many_apps_share_the_threads_and_fit_into_a_low_limit() {
    let (medic, doors) = serve(30, "400:400");
    until_all_run(&medic);
    for door in &doors {
        assert_eq!(request(*door, "GET", "/", &[], "").status, 200);
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let serving = std::fs::read_dir(format!("/proc/{}/task", medic.pid())).unwrap().filter(|task| {
        let name = task.as_ref().unwrap().path().join("comm");
        std::fs::read_to_string(name).is_ok_and(|name| name.trim() == "serving")
    });
    assert_eq!(serving.count(), cores.min(64));
}
