//! What only a restart of Medic applies is said by whoever looks at the configuration, and `medic reload` looks before the server does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{Medic, free_address, is_alive, processes_below};

/// What `medic check-config` says of the running server, a line each.
fn check(medic: &Medic) -> Vec<String> {
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_medic"));
    check.arg("check-config").arg("--config").arg(medic.folder().join("medic.toml"));
    let said = String::from_utf8(check.output().unwrap().stderr).unwrap();
    said.lines().filter(|line| line.contains("the running Medic")).map(str::to_owned).collect()
}

#[test]
fn what_only_a_restart_of_medic_applies_is_said() {
    let mut medic = Medic::with_shop("[database]\nretention = \"30d\"", "");
    medic.until_running();
    assert_eq!(check(&medic), Vec::<String>::new(), "nothing waits");
    let worker = medic.instances()[0]["pid"].as_u64().unwrap();
    let (old_data, other) = (medic.data_dir(), free_address());
    // the user's own link to the file is the same file
    let link = medic.folder().join("link.toml");
    std::os::unix::fs::symlink("medic.toml", &link).unwrap();
    medic.edit(|config| {
        let config = config.replace(&medic.address.to_string(), &other.to_string());
        let config = config.replace("\"data\"", "\"elsewhere\"");
        config.replace(
            "retention = \"30d\"",
            "retention = \"3d\"\nurl = \"postgres://medic:secret-4711@192.0.2.1/x\"",
        )
    });
    medic.signal("HUP");
    medic.until_said("configuration reloaded");
    let page = medic.get("/apps/shop/settings").body;
    let elsewhere = medic.folder().join("elsewhere");
    let moved = format!("medic stop, mv {} {}, start Medic", old_data.display(), elsewhere.display());
    let said = check(&medic);
    for (key, in_check, in_log) in [
        (
            "server.listen",
            format!("medic.toml:2 server.listen: the running Medic uses {}. Restart Medic", medic.address),
            "restart Medic",
        ),
        ("server.data_dir", moved.clone(), moved.as_str()),
        (
            "database.url",
            "medic.toml:6 database.url: the running Medic uses another database. Restart".to_owned(),
            "restart Medic",
        ),
    ] {
        assert!(said.iter().any(|line| line.contains(&in_check)), "{key}: {said:?}");
        let log = medic.log();
        assert!(
            log.lines().any(|line| line.contains(&format!("{key} changed: ")) && line.contains(in_log)),
            "{key}"
        );
        assert!(page.contains("has another value. Restart Medic to apply it."), "{page}");
    }
    assert!(said.len() == 3 && !said[2].contains("4711") && !medic.log().contains("4711"), "{said:?}");
    assert!(!medic.log().contains("database.retention changed"), "a reload applies it");

    // the next Medic would look for the workers in another folder
    let mut stop = std::process::Command::new(env!("CARGO_BIN_EXE_medic"));
    let stopped = stop.args(["stop", "--keep-apps", "--config"]).arg(link).output().unwrap();
    assert!(String::from_utf8_lossy(&stopped.stdout).contains("and the apps too"), "{stopped:?}");
    assert!(medic.has_ended_well() && medic.log().contains("the apps end too"), "{}", medic.log());
    assert!(!is_alive(worker) && processes_below(&old_data).is_empty());
}

#[test]
fn a_file_that_is_wrong_is_refused_before_the_server_is_asked_to_read_it_and_keeps_nobody_from_stopping() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let ask = || {
        let mut ask = std::process::Command::new(env!("CARGO_BIN_EXE_medic"));
        let output =
            ask.arg("reload").arg("--config").arg(medic.folder().join("medic.toml")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let address = free_address();
    let right = format!(
        "[[app]]\nname = \"till\"\ncommand = [\"{}\"]\nlisten = \"{address}\"\n",
        lab::shop().display()
    );
    medic.edit(|config| format!("{config}{right}colour = \"red\"\n"));
    let (code, said) = ask();
    assert!(code == Some(1) && said.contains("app.colour: unknown setting"), "{code:?} {said}");
    medic.edit(|config| config.replace("colour = \"red\"\n", ""));
    assert_eq!(ask(), (Some(0), String::new()));
    medic.until_said("configuration reloaded");
    assert_eq!(medic.get("/api/v1/apps/till").status, 200);
    assert_eq!(medic.log().matches("configuration reload").count(), 1, "the wrong one was not read");
    let other = medic.folder().join("other.toml");
    std::fs::write(&other, "[server]\nlisten = \"127.0.0.1:0\"\ndata_dir = \"other\"\n").unwrap();
    let mut ask = std::process::Command::new(env!("CARGO_BIN_EXE_medic"));
    let nobody = ask.arg("reload").arg("--config").arg(&other).output().unwrap();
    let said = String::from_utf8(nobody.stderr).unwrap();
    assert!(nobody.status.code() == Some(1) && said.contains("no server is running with"), "{said}");
    medic.edit(|config| format!("{config}colour = \"red\"\n"));
    let mut stop = std::process::Command::new(env!("CARGO_BIN_EXE_medic"));
    let stopped = stop.arg("stop").arg("--config").arg(medic.folder().join("medic.toml")).output().unwrap();
    assert!(stopped.status.success() && medic.has_ended_well(), "{stopped:?}");
}
