//! SIGHUP: apps and instances come and go and addresses change, while everybody else is served.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;
mod visitors;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use support::{Medic, free_address, is_alive, processes_below, request};
use visitors::{Come, Visitors, ask, connect, until};

/// Another app that runs the same program.
fn app(name: &str, address: SocketAddr, more: &str) -> String {
    let shop = lab::shop();
    format!(
        "[[app]]\nname = \"{name}\"\ncommand = [\"{}\"]\nlisten = \"{address}\"\n{more}\n",
        shop.display()
    )
}

/// Changes the file and waits until it was read again, however that went.
fn reload(medic: &Medic, change: impl FnOnce(String) -> String) {
    let read = || {
        let log = medic.log();
        log.matches("configuration reloaded").count() + log.matches("configuration reload failed").count()
    };
    let before = read();
    medic.edit(change);
    medic.signal("HUP");
    until("the file read again", || read() > before);
}

fn pids(medic: &Medic, app: &str) -> Vec<u64> {
    let status = medic.json(&format!("/api/v1/apps/{app}"));
    status["instances"].as_array().unwrap().iter().filter_map(|instance| instance["pid"].as_u64()).collect()
}

fn until_healthy(medic: &Medic, app: &str, instances: usize) {
    medic.until("the app healthy", || {
        let answer = medic.get(&format!("/api/v1/apps/{app}"));
        let is_healthy = answer.status == 200 && {
            let status = answer.json();
            status["health"] == "healthy" && status["instances"].as_array().unwrap().len() == instances
        };
        is_healthy.then_some(())
    });
}

#[test]
fn an_app_that_is_added_is_served_with_all_its_pages_and_the_others_are_not_disturbed() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let before = pids(&medic, "shop");
    let visitors = Visitors::come(medic.front_door, Come::ToStay);
    let address = free_address();
    assert_eq!(medic.get("/apps/till").status, 404);
    reload(&medic, |config| config + &app("till", address, ""));
    until_healthy(&medic, "till", 1);
    assert_eq!(request(address, "GET", "/", &[], "").status, 200);
    for page in ["/apps/till", "/apps/till/settings", "/api/v1/apps/till/crashes"] {
        assert_eq!(medic.get(page).status, 200, "{page}");
    }
    assert!(medic.get("/").body.contains("/apps/till"), "the list of apps has it");
    let _cut_off = request(address, "GET", "/crash/null", &[], "");
    medic.until("its crash recorded", || {
        let crashes = medic.json("/api/v1/apps/till/crashes");
        (crashes.as_array().unwrap().len() == 1).then_some(())
    });
    visitors.until_served_again();
    assert_eq!((visitors.leave(), pids(&medic, "shop")), (Vec::new(), before));
}

#[test]
fn an_app_that_is_removed_finishes_its_requests_leaves_nothing_and_has_its_history_when_it_comes_back() {
    let address = free_address();
    let till = app("till", address, "stop_grace = \"20s\"");
    let medic = Medic::with_shop("", &till);
    until_healthy(&medic, "till", 1);
    let _cut_off = request(address, "GET", "/crash/null", &[], "");
    medic.until("its crash recorded", || {
        let crashes = medic.json("/api/v1/apps/till/crashes");
        (crashes.as_array().unwrap().len() == 1).then_some(())
    });
    until_healthy(&medic, "till", 1);
    let visitors = Visitors::come(medic.front_door, Come::EachTime);
    let pid = pids(&medic, "till")[0];
    let slow =
        std::thread::spawn(move || connect(address).and_then(|mut stream| ask(&mut stream, "/slow?ms=1500")));
    until("the slow request at its worker", || {
        request(address, "GET", "/in-flight", &[], "").body.trim() == "2"
    });
    let incident = medic.json("/api/v1/apps/till/crashes")[0]["incident"].as_str().unwrap().to_owned();
    reload(&medic, |config| config.replace(&till, ""));
    let (page, of_incident) = (medic.get("/apps/till"), medic.get(&format!("/incidents/{incident}")));
    assert_eq!((page.status, of_incident.status), (404, 200), "what is recorded stays");
    for body in [page.body, of_incident.body] {
        assert!(body.contains("App \"till\" is not in the configuration"), "{body}");
    }
    assert_eq!(medic.get("/api/v1/apps/till").status, 404);
    assert_eq!(medic.get("/api/v1/apps/till/crashes").status, 404);
    assert!(!medic.get("/").body.contains("/apps/till"));
    until("nobody is let in", || TcpStream::connect(address).is_err());
    assert!(slow.join().unwrap().is_ok(), "what was in flight is finished");
    until("its worker gone", || !is_alive(pid));
    let run = medic.data_dir().join("run/till");
    until("its shim and its folder gone", || !run.exists() && processes_below(&run).is_empty());
    assert_eq!(visitors.leave(), Vec::<String>::new());
    reload(&medic, |config| config + &till);
    until_healthy(&medic, "till", 1);
    assert_eq!(medic.json("/api/v1/apps/till/crashes").as_array().unwrap().len(), 1, "its history is there");
    assert_eq!(request(address, "GET", "/", &[], "").status, 200);
}

#[test]
fn an_app_that_is_removed_and_added_again_at_once_goes_on_with_its_worker() {
    let address = free_address();
    let till = app("till", address, "stop_grace = \"60s\"");
    let medic = Medic::with_shop("", &till);
    until_healthy(&medic, "till", 1);
    let before = pids(&medic, "till");
    // a request in flight, so that the worker is not asked to end yet
    let slow =
        std::thread::spawn(move || connect(address).and_then(|mut stream| ask(&mut stream, "/slow?ms=4000")));
    until("the slow request at its worker", || {
        request(address, "GET", "/in-flight", &[], "").body.trim() == "2"
    });
    reload(&medic, |config| config.replace(&till, ""));
    reload(&medic, |config| config + &till);
    until_healthy(&medic, "till", 1);
    assert_eq!(pids(&medic, "till"), before);
    assert_eq!(request(address, "GET", "/", &[], "").status, 200);
    assert!(slow.join().unwrap().is_ok());
}

#[test]
fn instances_come_and_go_and_no_request_fails() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let before = pids(&medic, "shop");
    let visitors = [Come::ToStay, Come::EachTime].map(|come| Visitors::come(medic.front_door, come));
    reload(&medic, |config| config.replace("instances = 2", "instances = 4"));
    until_healthy(&medic, "shop", 4);
    let more = pids(&medic, "shop");
    assert_eq!(more[..2], before);
    visitors.iter().for_each(Visitors::until_served_again);
    reload(&medic, |config| config.replace("instances = 4", "instances = 1"));
    until_healthy(&medic, "shop", 1);
    until("the surplus gone", || more[1..].iter().all(|pid| !is_alive(*pid)));
    assert_eq!(pids(&medic, "shop"), before[..1]);
    visitors.iter().for_each(Visitors::until_served_again);
    for visitors in visitors {
        assert_eq!(visitors.leave(), Vec::<String>::new());
    }
}

#[test]
fn an_app_moves_to_another_address_and_connections_that_are_open_stay() {
    let folder = tempfile::tempdir().unwrap();
    let notify = folder.path().join("notify");
    let (manager, told) = (UnixDatagram::bind(&notify).unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let telling = Arc::clone(&told);
    std::thread::spawn(move || {
        let mut text = [0; 1_024];
        while let Ok(length) = manager.recv(&mut text) {
            telling.lock().unwrap().push(String::from_utf8_lossy(&text[..length]).into_owned());
        }
    });
    let medic = Medic::with_shop_in(&[("NOTIFY_SOCKET", notify.display().to_string())], "", "");
    medic.until_running();
    let (old, new) = (medic.front_door, free_address());
    let visitors = Visitors::come(old, Come::ToStay);
    reload(&medic, |config| config.replace(&old.to_string(), &new.to_string()));
    assert_eq!(medic.json("/api/v1/apps/shop")["listen"], new.to_string());
    assert_eq!(request(new, "GET", "/", &[], "").status, 200);
    until("the old address closed", || TcpStream::connect(old).is_err());
    visitors.until_served_again();
    // to all addresses of this machine on the same port, and back
    let all = SocketAddr::from(([0, 0, 0, 0], new.port()));
    for address in [all, new] {
        let before = told.lock().unwrap().len();
        reload(&medic, |config| {
            let (before, after) = config.rsplit_once("listen = \"").unwrap();
            format!("{before}listen = \"{address}\"{}", after.split_once('"').unwrap().1)
        });
        assert_eq!(request(new, "GET", "/", &[], "").status, 200);
        let elsewhere = SocketAddr::from(([127, 0, 0, 2], new.port()));
        until("only what is configured open", || TcpStream::connect(elsewhere).is_ok() == (address == all));
        let name = |address: SocketAddr| address.to_string().replace(':', "_");
        let gone = if address == all { new } else { all };
        until("the service manager told", || {
            let said = &told.lock().unwrap()[before..];
            said.iter().any(|said| said.starts_with("FDSTORE=1") && said.ends_with(&name(address)))
                && said.contains(&format!("FDSTOREREMOVE=1\nFDNAME={}", name(gone)))
        });
    }
    visitors.until_served_again();
    assert_eq!(visitors.leave(), Vec::<String>::new());
}

#[test]
fn two_apps_exchange_their_addresses_and_nobody_is_refused() {
    let address = free_address();
    let medic = Medic::with_shop("", &app("till", address, ""));
    medic.until_running();
    until_healthy(&medic, "till", 1);
    let (shop, till) = (pids(&medic, "shop")[0], pids(&medic, "till")[0]);
    let front_door = medic.front_door;
    let who = |address: SocketAddr| {
        let answer = connect(address).and_then(|mut stream| ask(&mut stream, "/env")).unwrap();
        serde_json::from_str::<serde_json::Value>(&answer).unwrap()["pid"].as_u64()
    };
    assert_eq!((who(front_door), who(address)), (Some(shop), Some(till)));
    let visitors = [front_door, address].map(|address| Visitors::come(address, Come::EachTime));
    for (first, second) in [(till, shop), (shop, till)] {
        reload(&medic, |config| {
            let (one, other) = (format!("\"{front_door}\""), format!("\"{address}\""));
            config.replace(&one, "\"moving\"").replace(&other, &one).replace("\"moving\"", &other)
        });
        assert_eq!((who(front_door), who(address)), (Some(first), Some(second)));
        visitors.iter().for_each(Visitors::until_served_again);
    }
    for visitors in visitors {
        assert_eq!(visitors.leave(), Vec::<String>::new());
    }
}

#[test]
fn an_address_that_cannot_be_opened_leaves_the_old_one_open_until_it_can() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let taken = TcpListener::bind(("127.0.0.1", free_address().port())).unwrap();
    let (old, new) = (medic.front_door, taken.local_addr().unwrap());
    reload(&medic, |config| config.replace(&old.to_string(), &new.to_string()));
    let status = medic.json("/api/v1/apps/shop");
    assert_eq!(status["health"], "degraded", "{status}");
    assert_eq!(status["not_listening"]["still_listening"], old.to_string());
    let page = medic.get("/apps/shop").body;
    assert!(page.contains(&format!("Medic cannot listen on {new}")), "{page}");
    assert!(page.contains(&format!("still listens on {old}")), "{page}");
    assert_eq!(medic.shop("/").status, 200);
    drop(taken);
    until_healthy(&medic, "shop", 1);
    assert_eq!(request(new, "GET", "/", &[], "").status, 200);
    until("the old address closed", || TcpStream::connect(old).is_err());
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_says_why() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let (before, config) =
        (pids(&medic, "shop"), std::fs::read_to_string(medic.folder().join("medic.toml")).unwrap());
    let any = SocketAddr::from(([0, 0, 0, 0], medic.front_door.port()));
    for (more, why) in [
        ("[[app]]\n".to_owned(), "app.name"),
        (app("shop", free_address(), ""), "duplicate app name \"shop\""),
        (app("till", medic.front_door, ""), "conflicts with"),
        (app("till", any, ""), "conflicts with"),
        (app("till", medic.address, ""), "of the dashboard (server.listen)"),
        ("not toml".to_owned(), "invalid TOML"),
    ] {
        let said = medic.log().len();
        reload(&medic, |_| config.clone() + &more);
        assert!(medic.log()[said..].contains(why), "{why}");
        assert_eq!((pids(&medic, "shop"), medic.shop("/").status), (before.clone(), 200));
        assert_eq!(medic.json("/api/v1/apps").as_array().unwrap().len(), 1);
    }
}

/// As it is for a moment when somebody saves it.
#[test]
fn an_empty_file_removes_nothing() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let worker = pids(&medic, "shop");
    let mut text = String::new();
    reload(&medic, |config| {
        text = config;
        String::new()
    });
    assert!(medic.log().contains("medic.toml is empty"), "{}", medic.log());
    assert_eq!(pids(&medic, "shop"), worker);
    reload(&medic, |_| text);
    assert_eq!(pids(&medic, "shop"), worker);
}

#[test]
fn changed_bounds_of_log_files_say_what_they_do_not_reach() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let words = "shop: log_quota or log_retention changed. Running workers rotate their output as before";
    reload(&medic, |config| format!("{config}memory_limit = \"1GiB\"\n"));
    assert!(!medic.log().contains(words), "another setting");
    reload(&medic, |config| format!("{config}log_quota = \"20MiB\"\n"));
    assert!(medic.log().contains(words), "{}", medic.log());
}

#[test]
fn a_worker_that_drains_is_said_to_be_replaced_once() {
    let medic = Medic::with_shop("", "stop_grace = \"50s\"");
    medic.until_running();
    let (front_door, pid) = (medic.front_door, pids(&medic, "shop")[0]);
    let slow = std::thread::spawn(move || request(front_door, "GET", "/slow?ms=600000", &[], ""));
    until("the slow request at its worker", || medic.shop("/in-flight").body.trim() == "2");
    reload(&medic, |config| format!("{config}environment = {{ COLOR = \"green\" }}\n"));
    medic.until("another worker", || {
        medic.until_running();
        (pids(&medic, "shop")[0] != pid).then_some(())
    });
    reload(&medic, |config| config);
    assert!(is_alive(pid), "it drains");
    assert_eq!(medic.log().matches("Medic replaces it").count(), 1, "{}", medic.log());
    assert!(support::kill(pid, "KILL"));
    slow.join().unwrap();
}
