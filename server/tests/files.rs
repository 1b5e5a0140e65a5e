//! Every file that Medic writes is bounded: what the real program deletes, what it leaves alone, and what it says before there is no
//! room left.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use model::{Clock as _, Timestamp};
use shim::{OutputName, SystemClock};
use support::{Medic, wait_until};

const DAY: Duration = Duration::from_hours(24);
const MIB: u64 = 1 << 20;

/// A log file of an app that is not configured: of this size, last written to so many days ago.
fn left_behind(data_dir: &Path, app: &str, number: u32, days: u32, bytes: u64) -> PathBuf {
    let written = SystemClock.wall() - DAY * days;
    let name = OutputName { instance: 0, started_at: Timestamp::from_ms(1_769_847_300_000), number };
    let path = data_dir.join(format!("apps/{app}/logfiles/application/{name}"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(&path).unwrap();
    file.set_len(bytes).unwrap();
    let ms = u64::try_from(written.as_ms()).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_millis(ms)).unwrap();
    path
}

/// Log files are kept from so many days ago on: what a Medic has said that ran until now.
fn kept_from(data_dir: &Path, days: u32) {
    fs::create_dir_all(data_dir).unwrap();
    fs::write(data_dir.join("logs.kept-from"), (SystemClock.wall() - DAY * days).to_string()).unwrap();
}

/// What all files below a folder take. One may go while it is looked at.
fn taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(file) if file.is_dir() => taken(&entry.path()),
        Ok(file) => file.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[test]
fn what_is_past_the_retention_goes_when_medic_starts_and_the_rest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    kept_from(&data, 40);
    let old = left_behind(&data, "gone", 1, 50, 10);
    let young = left_behind(&data, "left", 1, 5, 10);
    let interrupted = data.join("medic.db.restoring");
    let backup = data.join("backup.medic-partial");
    fs::write(&interrupted, "").unwrap();
    fs::write(&backup, "").unwrap();
    fs::create_dir_all(data.join("run/gone")).unwrap();
    let medic = Medic::in_folder(folder, &[lab::shop()], "log_retention = \"30d\"", "");
    let gone = [old.clone(), interrupted, backup, data.join("apps/gone"), data.join("run/gone")];
    wait_until("the end of what is old", move || gone.iter().all(|path| !path.exists()));
    medic.until_running();
    assert_eq!(medic.crash("panic"), 1);
    assert!(young.exists() && taken(&data.join("apps/shop/logfiles/crashdumps")) > 0);
    assert!(
        medic.get("/apps/shop/settings").body.contains("log files"),
        "how much there is, on the settings page"
    );
}

#[test]
fn a_talkative_app_stays_within_its_quota_while_it_writes() {
    let talk = "head -c 30000000 /dev/zero | tr '\\0' x | fold -w 99; exec \"$0\"";
    let command = ["/bin/sh".into(), "-c".into(), talk.into(), lab::shop()];
    let medic = Medic::with_command(&command, "", "log_quota = \"8MiB\"");
    let logs = medic.data_dir().join("apps/shop");
    medic.until("the app running, and never more than the quota", || {
        let taken = taken(&logs);
        assert!(taken <= 6 * MIB, "of 8 MiB, so that nothing warns: {taken}");
        (medic.instances()[0]["state"] == "running").then_some(())
    });
    wait_until("its last lines", move || (4 * MIB..=6 * MIB).contains(&taken(&logs)));
}

#[test]
fn a_quota_of_all_is_said_before_it_is_reached_and_then_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut left: Vec<_> =
        (1..=5).map(|number| left_behind(&data, "gone", number, 9 - number, 17 * MIB / 5)).collect();
    let medic = Medic::in_folder(folder, &[lab::shop()], "log_quota = \"20MiB\"", "");
    medic.until_running();
    let title = "Log files of all apps are near their quota";
    let healthz = medic.until("the warning", || {
        let answer = medic.get("/healthz");
        answer.body.contains(title).then_some(answer)
    });
    assert_eq!(healthz.status, 200, "nothing fails");
    let lines: Vec<_> = healthz.body.lines().collect();
    assert!(lines[0] == "ok" && lines[1].starts_with(&format!("warning: {title} since ")), "{lines:?}");
    assert!(!healthz.body.contains('/'), "no path: {}", healthz.body);
    for page in ["/", "/apps/shop", "/apps/shop/settings"] {
        let body = medic.get(page).body;
        assert!(body.contains(title) && body.contains("Raise server.log_quota"), "{page}");
    }
    assert_eq!(medic.log().matches(title).count(), 1);
    assert!(left.iter().all(|path| path.exists()));

    left.push(left_behind(&data, "gone", 6, 1, 8 * MIB));
    medic.signal("HUP");
    let (apps, oldest) = (data.join("apps"), left[..2].to_vec());
    wait_until("the quota kept", move || {
        taken(&apps) <= 20 * MIB && oldest.iter().all(|path| !path.exists())
    });
    assert!(left[2..].iter().all(|path| path.exists()), "only the oldest went");
    medic.edit(|config| config.replace("20MiB", "100MiB"));
    medic.signal("HUP");
    medic.until("all well", || (medic.get("/healthz").body == "ok\n").then_some(()));
}

/// A small file system of its own, as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"]).arg(&at).stderr(Stdio::null());
        if mount.status().unwrap().success() {
            return Some(Self(at));
        }
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "nothing can be mounted: root is needed");
        eprintln!("skipped: this user may mount nothing");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_fills_up_is_said_and_old_files_still_go() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path().join("disk")) else { return };
    let data = disk.0.join("data");
    kept_from(&data, 40);
    let program = Path::new(env!("CARGO_BIN_EXE_medic"));
    let medic = Medic::with_shop_at(&data, program, &[], "", "");
    medic.until_running();
    let title = "warning: Disk nearly full since ";
    assert!(!medic.get("/healthz").body.contains(title));
    let old = left_behind(&data, "gone", 1, 50, 10);
    let filler = disk.0.join("filler");
    let mut dd = Command::new("dd");
    let _full = dd.args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", filler.display())).output().unwrap();
    medic.signal("HUP");
    medic.until("the full disk said", || medic.get("/healthz").body.contains(title).then_some(()));
    let page = medic.get("/apps/shop").body;
    assert!(page.contains("Disk nearly full") && page.contains(&data.display().to_string()), "{page}");
    assert_eq!(medic.shop("/").status, 200);
    let gone = data.join("apps/gone");
    wait_until("the end of what is old", move || !old.exists() && !gone.exists());
    fs::remove_file(filler).unwrap();
    medic.signal("HUP");
    medic.until("room again", || (!medic.get("/healthz").body.contains(title)).then_some(()));
}
