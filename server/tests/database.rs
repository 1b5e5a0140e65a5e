//! A database that is damaged, deleted, or on a disk that takes nothing: the apps are served, it is said, and
//! nothing that can be known is lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use model::Clock as _;
use shim::SystemClock;
use store::{Database, Store};
use support::{Answer, Medic, free_address, processes_below, request, wait_until};

const OPTED_OUT: &str = "WEBSITE_PROACTIVE_AUTOHEAL_ENABLED";

/// Does something to a file.
type Damage<'a> = &'a dyn Fn(&Path);

fn database(medic: &Medic) -> PathBuf {
    medic.data_dir().join("medic.db")
}

fn damaged_files(medic: &Medic) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(medic.data_dir()).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("medic.db.damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .collect();
    found.sort();
    found
}

/// Puts everything into the one file, as a Medic does that stops in order.
fn tidy(path: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Store::open(&Database::Sqlite(path.to_owned())).await.unwrap().close().await });
}

fn save(medic: &Medic, value: &str) -> Answer {
    let headers = [("Content-Type", "application/json")];
    let body = format!("{{\"{OPTED_OUT}\": \"{value}\"}}");
    request(medic.address, "PUT", "/api/v1/apps/shop/settings", &headers, &body)
}

fn overwrite(path: &Path, from: u64, until: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&vec![0xa5; usize::try_from(until - from).unwrap()], from).unwrap();
}

/// What is wrong is on every page and in `/healthz`, until `cleared`.
fn until_said(medic: &Medic, what: &str) -> String {
    medic.until(what, || {
        let health = medic.get("/healthz");
        (health.status == 503 && health.body.contains(what)).then_some(health.body)
    })
}

#[test]
fn a_file_that_was_damaged_is_moved_aside_and_the_living_workers_are_served() {
    let cut = |path: &Path, length: u64| {
        OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
    };
    let size = |path: &Path| path.metadata().unwrap().len();
    let ways: [(&str, Damage<'_>); 4] = [
        ("garbage", &|path| overwrite(path, 0, size(path))),
        ("emptied", &|path| cut(path, 0)),
        ("truncated", &|path| cut(path, size(path) / 2)),
        ("pages changed", &|path| overwrite(path, 4_096, size(path))),
    ];
    let mut medic = Medic::with_shop("", "");
    medic.crash("abort");
    medic.until_running();
    let pid = medic.instances()[0]["pid"].clone();
    for (number, (what, damage)) in ways.into_iter().enumerate() {
        medic.kill();
        tidy(&database(&medic));
        damage(&database(&medic));
        let damaged = std::fs::read(database(&medic)).unwrap();
        medic.start();
        let said = until_said(&medic, "New database, history lost since ");
        medic.until_running();
        assert_eq!(medic.instances()[0]["pid"], pid, "{what}: taken over, not restarted");
        assert_eq!(medic.shop("/").status, 200, "{what}");
        assert_eq!(medic.crashes(), 0, "{what}: a new one was begun");
        let kept = damaged_files(&medic);
        assert_eq!(kept.len(), 1, "{what}: {kept:?}");
        assert_eq!(std::fs::read(&kept[0]).unwrap(), damaged, "{what}: nothing of it is changed");
        let name = kept[0].file_name().unwrap().to_string_lossy().into_owned();
        assert!(said.contains(&name), "{what}: {said}");
        for page in ["/", "/apps/shop", "/apps/shop/settings", "/apps/shop/incidents"] {
            assert!(medic.get(page).body.contains(&name), "{what}: {page}");
        }
        std::fs::remove_file(&kept[0]).unwrap();
        medic.until("all is well", || (medic.get("/healthz").status == 200).then_some(number));
    }
    assert_eq!(medic.crash("abort"), 1, "and what happens is recorded");
}

#[test]
fn however_many_damaged_files_are_kept_medic_starts_and_keeps_the_latest() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    medic.kill();
    let first = SystemClock.wall() - Duration::from_hours(1);
    let name = |second| (first + Duration::from_secs(second)).to_string()[..19].replace(['-', ':'], "");
    let old: Vec<_> =
        (0..20).map(|n| medic.data_dir().join(format!("medic.db.damaged-{}Z", name(n)))).collect();
    for file in &old {
        std::fs::write(file, "history").unwrap();
    }
    tidy(&database(&medic));
    overwrite(&database(&medic), 0, 4_096);
    medic.start();
    until_said(&medic, "New database, history lost since ");
    let oldest = format!("deleted {}: the oldest damaged database", old[0].display());
    assert!(medic.log().contains(&oldest), "{}", medic.log());
    assert!(damaged_files(&medic).iter().all(|file| *file != old[0]));
    assert_eq!(medic.crash("abort"), 1, "and what happens is recorded");
}

#[test]
fn damage_found_while_running_loses_neither_settings_nor_the_next_crash() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    assert_eq!(save(&medic, "False").status, 200);
    // One damage after the other on the same running Medic: the file overwritten, then deleted.
    let path = database(&medic);
    let log = PathBuf::from(format!("{}-wal", path.display()));
    OpenOptions::new().write(true).open(log).unwrap().set_len(0).unwrap();
    overwrite(&path, 0, path.metadata().unwrap().len());
    let _cut_off = medic.shop("/crash/abort");
    until_said(&medic, "damaged-");
    assert_eq!(damaged_files(&medic).len(), 1);
    medic.until("the crash in the new one", || {
        (medic.get("/api/v1/apps/shop/crashes").json().as_array()?.len() == 1).then_some(())
    });

    std::fs::remove_file(&path).unwrap();
    until_said(&medic, "The database file was deleted.");
    medic.until("the third database open", || {
        (medic.get("/api/v1/apps/shop/crashes").status == 200).then_some(())
    });
    assert_eq!(medic.crash("abort"), 1, "and what happens is recorded in it");
    assert_eq!(medic.json("/api/v1/apps/shop/settings")[OPTED_OUT], "False");
    assert_eq!(medic.json("/api/v1/apps/shop")["auto_heal_enabled"], false);
    assert!(medic.stop());
    medic.start();
    medic.until_running();
    assert_eq!(medic.json("/api/v1/apps/shop/settings")[OPTED_OUT], "False", "it was written again");
    assert_eq!(medic.crashes(), 1);
}

/// A file system of its own in the data folder; `None` where this user may mount none.
struct Mount(PathBuf);

impl Mount {
    fn new(folder: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let mount = mount(folder, options);
        if mount.is_none() {
            eprintln!("skipped: no right to mount a tmpfs");
        }
        mount.map(|()| Self(folder.to_owned()))
    }

    fn remount(&self, options: &str) {
        let (folder, options) = (self.0.clone(), format!("remount,{options}"));
        // A process that ends loses its command line before its files are closed: until then it is in use.
        wait_until("the mount in another way", move || mount(&folder, &options).is_some());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _in_use = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn mount(folder: &Path, options: &str) -> Option<()> {
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output().ok()?;
    mounted.status.success().then_some(())
}

#[test]
fn a_full_disk_refuses_what_is_to_be_saved_and_loses_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(&folder.path().join("data"), "size=16m") else { return };
    let medic = Medic::in_folder(folder, &[lab::shop()], "", "");
    medic.until_running();
    assert_eq!(save(&medic, "False").status, 200);
    let ballast = medic.data_dir().join("ballast");
    fill(&ballast);
    let mut values = ["True", "False"].into_iter().cycle();
    let refused = medic.until("a refusal", || {
        let answer = save(&medic, values.next().unwrap());
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.body.contains("is full"), "{}", refused.body);
    until_said(&medic, "Database cannot be written since ");
    assert_eq!(medic.shop("/").status, 200);
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(medic.crash("abort"), 1);
    medic.until("all is well", || (medic.get("/healthz").status == 200).then_some(()));
}

fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    for size in [1 << 16, 1 << 12, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// A worker keeps its log open for writing, and so its file system writable: none runs here meanwhile.
#[test]
fn on_a_file_system_that_takes_no_writes_the_dashboard_says_so_and_all_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(&folder.path().join("data"), "size=64m") else { return };
    let mut medic = Medic::in_folder(folder, &[lab::shop()], "", "");
    medic.crash("abort");
    medic.until_running();
    assert!(medic.stop());
    let data_dir = medic.data_dir();
    wait_until("the end of the shims", move || processes_below(&data_dir).is_empty());
    mount.remount("ro");
    medic.start();
    until_said(&medic, "Database unavailable since ");
    for page in ["/", "/apps/shop", "/apps/shop/settings"] {
        let answer = medic.get(page);
        assert!(
            answer.status == 200 && answer.body.contains("Database unavailable"),
            "{page}: {}",
            answer.body
        );
    }
    assert_eq!(save(&medic, "False").status, 503);
    mount.remount("rw");
    medic.until("all is well", || (medic.get("/healthz").status == 200).then_some(()));
    medic.until_running();
    assert_eq!(medic.crashes(), 1, "what was recorded is there");
    assert_eq!(save(&medic, "False").status, 200);
}

#[test]
fn a_database_whose_password_is_wrong_is_told_without_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("medic.toml");
    std::fs::write(&path, "[database]\nurl_file = \"url\"\n").unwrap();
    for url in ["mysql://medic:hunter2@127.0.0.1/db", "postgres://medic:hunter2@127.0.0.1:99999/db"] {
        std::fs::write(folder.path().join("url"), url).unwrap();
        let said = Command::new(env!("CARGO_BIN_EXE_medic"))
            .args(["serve", "--config"])
            .arg(&path)
            .env("PGPASSWORD", "hunter2")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        assert!(said.contains("url") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn a_database_that_is_not_there_is_told_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = free_address();
    let config = format!(
        "[server]\nlisten = \"{}\"\n[database]\nurl = \"postgres://medic:hunter2@{nobody}/medic?password=hunter3\"\n[[app]]\n\
         name = \"shop\"\ncommand = [\"{}\"]\nlisten = \"{}\"\n",
        free_address(),
        lab::shop().display(),
        free_address(),
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    let medic = Medic::at_with(folder, &[("MEDIC_LOG", "debug"), ("PGPASSWORD", "hunter4")]);
    let paths =
        ["/", "/healthz", "/apps/shop", "/apps/shop/settings", "/apps/shop/incidents", "/api/v1/incidents"];
    let mut said = paths.map(|path| medic.get(path)).map(|answer| answer.head + &answer.body).to_vec();
    let log = medic.log();
    assert!(log.contains(&format!("medic@{nobody}")), "it is said which database: {log}");
    said.push(log);
    for text in said {
        assert!(!["hunter2", "hunter3", "hunter4"].iter().any(|secret| text.contains(secret)), "{text}");
    }
}
