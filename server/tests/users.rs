//! Workers that run as another user than Medic. Where the tests may not change their user, that is said, and nothing is tested.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use support::Medic;

/// A user that every machine has, and that may do nothing.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    if !is_root {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "these tests must run as root");
        eprintln!("skipped: only root may change its user");
    }
    is_root
}

/// A folder that everybody may enter, and one in it that the user may write to.
fn folder_of_nobody() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let own = folder.path().join("own");
    std::fs::create_dir(&own).unwrap();
    std::os::unix::fs::chown(&own, Some(NOBODY), Some(NOBODY)).unwrap();
    folder
}

fn output(medic: &Medic) -> Vec<String> {
    let output = medic.json("/api/v1/apps/shop/instances/0/output");
    output["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_worker_is_its_apps_user_and_its_logs_are_medics() {
    if !is_root() {
        return;
    }
    let line = "id -un; echo $HOME $USER; umask; ulimit -n; ulimit -u; grep CapEff /proc/self/status; touch own/file; \
                echo opened > /dev/stdout; exit 3";
    let app = "back_off = \"1h\"\nuser = \"nobody\"\numask = \"027\"\nlimits = { open_files = 512, processes = 5000 }";
    let folder_of_nobody = folder_of_nobody();
    let folder = folder_of_nobody.path().to_owned();
    let medic = Medic::in_folder(folder_of_nobody, &["/bin/bash".into(), "-c".into(), line.into()], "", app);
    medic.until("the pause, which follows the second end", || {
        medic.instances()[0]["ends"]["count"].as_u64().filter(|count| *count >= 2)
    });
    let home = Command::new("getent").args(["passwd", "nobody"]).output().unwrap();
    let home = String::from_utf8(home.stdout).unwrap().split(':').nth(5).unwrap().to_owned();
    let expected =
        ["nobody", &format!("{home} nobody"), "0027", "512", "5000", "CapEff: 0000000000000000", "opened"];
    assert_eq!(output(&medic), expected);
    let of = |path: &str| std::fs::metadata(folder.join(path)).unwrap();
    assert_eq!((of("own/file").uid(), of("own/file").mode() & 0o777), (NOBODY, 0o640));
    let logs = of("data/apps/shop/logfiles/application");
    assert_eq!((logs.uid(), logs.mode() & 0o777), (0, 0o700));
}

#[test]
fn a_crash_of_another_users_worker_is_captured_and_its_process_is_ended() {
    if !is_root() {
        return;
    }
    let medic = Medic::in_folder(
        folder_of_nobody(),
        &[lab::shop()],
        "[crash_monitoring]\ncrashes = 0",
        "user = \"nobody\"",
    );
    medic.until_running();
    let pid = medic.instances()[0]["pid"].as_u64().unwrap();
    assert_eq!(std::fs::metadata(format!("/proc/{pid}")).unwrap().uid(), NOBODY);
    medic.until("the debugger", || (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(()));
    assert_eq!(medic.crash("null"), 1);
    let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    assert_eq!(crash["audit"]["result"], "analysed", "{crash}");
    assert!(!support::is_alive(pid));
    medic.until_running();
}

#[test]
fn an_ordinary_user_is_told_that_it_may_not_change_users() {
    if !is_root() {
        return;
    }
    let folder = folder_of_nobody();
    let config = folder.path().join("medic.toml");
    let text =
        "[[app]]\nname = \"shop\"\ncommand = [\"true\"]\nlisten = \"127.0.0.1:8080\"\nuser = \"root\"\n";
    std::fs::write(&config, text).unwrap();
    for word in ["check-config", "serve"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medic"));
        let refused = command.args([word, "--config"]).arg(&config).uid(NOBODY).gid(NOBODY).output().unwrap();
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("medic.toml:5 app.user: Medic may not run workers as \"root\""), "{said}");
    }
}

#[test]
fn workers_that_run_as_root_are_a_hint_on_the_page() {
    if !is_root() {
        return;
    }
    let medic = Medic::with_shop("", "");
    let page = medic.get("/apps/shop/settings").body;
    assert!(page.contains("The app's workers run as root, with all rights on this machine."), "{page}");
    let medic = Medic::in_folder(folder_of_nobody(), &[lab::shop()], "", "user = \"nobody\"");
    assert!(!medic.get("/apps/shop/settings").body.contains("run as root"));
}
