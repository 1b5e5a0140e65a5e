//! An address that another program has taken keeps no other one closed, and is opened when it is free.

mod support;

use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use support::{Medic, free_address, request, wait_until};

/// A second app that runs the same program.
fn also(name: &str, address: std::net::SocketAddr) -> String {
    format!("[[app]]\nname = \"{name}\"\ncommand = [\"{}\"]\nlisten = \"{address}\"\n", lab::shop().display())
}

#[test]
fn one_taken_address_leaves_the_other_apps_served_and_is_opened_when_it_is_free() {
    let taken = TcpListener::bind(("127.0.0.1", free_address().port())).unwrap();
    let address = taken.local_addr().unwrap();
    let medic = Medic::with_shop("", &also("other", address));
    medic.until_running();
    assert_eq!(medic.shop("/").status, 200);

    let other = medic.json("/api/v1/apps/other");
    assert_eq!(other["health"], "down", "{other}");
    assert_eq!(other["not_listening"]["reason"], "the address is in use by another program");
    let health = medic.get("/healthz");
    let said = format!("other is not listening on {address} since ");
    assert!(health.status == 503 && health.body.starts_with(&said), "{}", health.body);
    let page = medic.get("/apps/shop");
    assert!(page.body.contains(&format!("other is not listening on {address}")), "{}", page.body);

    drop(taken);
    medic.until("the other address open", || {
        (medic.json("/api/v1/apps/other")["health"] == "healthy").then_some(())
    });
    assert_eq!(request(address, "GET", "/", &[], "").status, 200);
    assert_eq!((medic.get("/healthz").status, medic.get("/healthz").body.as_str()), (200, "ok\n"));
    assert!(!medic.get("/").body.contains("not listening"));
}

#[test]
fn without_the_dashboards_address_the_apps_are_served_and_it_is_opened_when_it_is_free() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let pid = medic.instances()[0]["pid"].clone();
    medic.kill();
    let taken = TcpListener::bind(medic.address).unwrap();
    let mut server = medic.command().stderr(Stdio::null()).spawn().unwrap();
    let front_door = medic.front_door;
    wait_until("the app served", move || {
        TcpStream::connect(front_door).is_ok() && request(front_door, "GET", "/", &[], "").status == 200
    });
    drop(taken);
    let address = medic.address;
    wait_until("the dashboard", move || TcpStream::connect(address).is_ok());
    assert_eq!(medic.instances()[0]["pid"], pid, "taken over, not restarted");
    server.kill().unwrap();
    server.wait().unwrap();
}
