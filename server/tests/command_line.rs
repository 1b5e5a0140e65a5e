//! What a person at a terminal meets: good and bad configurations, addresses that are taken.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

fn medic(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_medic")).current_dir(folder).args(arguments).output().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_printed_example_is_a_good_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let example = medic(folder.path(), &["default-config"]);
    assert!(example.status.success());
    std::fs::write(folder.path().join("medic.toml"), example.stdout).unwrap();
    // the example's own address may be taken on this machine
    let checked = Command::new(env!("CARGO_BIN_EXE_medic"))
        .current_dir(folder.path())
        .arg("check-config")
        .env("MEDIC_SERVER_LISTEN", support::free_address().to_string())
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", words(&checked));
}

#[test]
fn what_cannot_work_on_this_machine_is_named_and_what_the_own_server_holds_is_free() {
    let medic_serves = support::Medic::with_shop("", "");
    let folder = medic_serves.folder();
    let checked = medic(&folder, &["check-config"]);
    assert!(checked.status.success(), "{}", words(&checked));
    let other = TcpListener::bind(support::free_address()).unwrap();
    let address = other.local_addr().unwrap();
    let app = format!("\n[[app]]\nname = \"other\"\ncommand = [\"no-such-4711\"]\nlisten = \"{address}\"\n");
    medic_serves.edit(|config| config + &app);
    let refused = medic(&folder, &["check-config"]);
    let words = words(&refused);
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(
        words.contains(&format!("app.listen: address {address} is in use by another program"))
            && words.contains("app.command: the program `no-such-4711` is in none of the folders of PATH")
            && words.matches("app.listen: ").count() + words.matches("app.command: ").count() == 2,
        "{words}"
    );
}

#[test]
fn mistakes_are_told_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[server]\nlisten = \"0.0.0.0:80\"\ncolour = \"red\"\n[auto_heal]\nfuse_restarts = 0\n";
    std::fs::write(folder.path().join("bad.toml"), config).unwrap();
    for command in ["check-config", "serve"] {
        let refused = medic(folder.path(), &[command, "--config", "bad.toml"]);
        assert_eq!(refused.status.code(), Some(1));
        let words = words(&refused);
        assert!(
            words.contains("bad.toml:2 server.listen: ")
                && words.contains("bad.toml:3 server.colour: ")
                && words.contains("bad.toml:5 auto_heal.fuse_restarts: "),
            "{words}"
        );
    }
    assert!(!folder.path().join("data").exists());
    let missing = words(&medic(folder.path(), &["serve"]));
    assert!(missing.contains("medic.toml") && missing.contains("medic default-config"), "{missing}");
    let unknown = medic(folder.path(), &["serv"]);
    assert_eq!(
        (unknown.status.code(), words(&unknown).lines().next()),
        (Some(2), Some("medic: unknown command \"serv\""))
    );
    let nothing = medic(folder.path(), &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(words(&nothing).starts_with("Medic keeps web apps running"), "{}", words(&nothing));
}

#[test]
fn where_nothing_can_be_served_that_is_said_and_no_worker_is_started() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [dashboard, front_door] = [0, 1].map(|number: usize| taken[number].local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = \"{dashboard}\"\n[[app]]\nname = \"shop\"\ncommand = [\"touch\", \"started\"]\nlisten = \"{front_door}\"\n"
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    let refused = medic(folder.path(), &["serve"]);
    assert_eq!(refused.status.code(), Some(1));
    for address in [dashboard, front_door] {
        assert!(words(&refused).contains(&address.to_string()), "{}", words(&refused));
    }
    assert!(!folder.path().join("started").exists() && !folder.path().join("data/run").exists());
}
