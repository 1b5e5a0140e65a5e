use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use model::status::MedicHealth;

use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);
const DAY: Duration = Duration::from_hours(24);

/// A wall clock that is set by hand; the other one stands still.
struct Clocks(Mutex<Timestamp>);

impl Clock for Clocks {
    fn wall(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A data folder whose history reaches back 30 days, and its keeper.
struct Ground {
    folder: tempfile::TempDir,
    clocks: Arc<Clocks>,
    files: Files,
    health: watch::Receiver<MedicHealth>,
}

impl Ground {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("logs.kept-from"), (NOW - DAY * 30).to_string()).unwrap();
        let clocks = Arc::new(Clocks(Mutex::new(NOW)));
        let clock: Arc<dyn Clock> = clocks.clone();
        let health = Health::new(Arc::clone(&clock));
        let watched = health.watch();
        let files = Files {
            data_dir: folder.path().to_owned(),
            clock,
            bounds: watch::channel(bounds(1_000, &[])).1,
            health,
            note: Box::new(drop),
        };
        Self { folder, clocks, files, health: watched }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A file that was last written to so many days ago.
    fn file(&self, path: &str, days: u32, bytes: usize) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, vec![b'x'; bytes]).unwrap();
        let ms = u64::try_from((NOW - DAY * days).as_ms()).unwrap();
        let written = UNIX_EPOCH + Duration::from_millis(ms);
        File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
        path
    }

    fn output(&self, app: &str, instance: u16, start: u32, number: u32, days: u32) -> PathBuf {
        let name = shim::OutputName { instance, started_at: NOW - DAY * start, number };
        self.file(&format!("apps/{app}/logfiles/application/{name}"), days, 10)
    }

    fn run_folder(&self, app: &str, instance: u16, start: u32) {
        let start = (NOW - DAY * start).as_ms();
        fs::create_dir_all(self.path(&format!("run/{app}/{instance}-{start}"))).unwrap();
    }

    fn pass(&self, bounds: &FileBounds) -> Passed {
        self.files.pass(bounds, KeptFrom::default()).1
    }
}

fn bounds(quota_bytes: u64, apps: &[(&str, u64)]) -> FileBounds {
    let apps = apps.iter().map(|(name, quota)| (name.parse().unwrap(), *quota)).collect();
    FileBounds { retention: DAY * 30, quota_bytes, apps }
}

fn exist(paths: &[&PathBuf]) -> Vec<bool> {
    paths.iter().map(|path| path.symlink_metadata().is_ok()).collect()
}

#[test]
fn what_a_removed_app_left_waits_for_the_retention_and_goes_with_its_folder() {
    let ground = Ground::new();
    let old = ground.output("gone", 0, 50, 1, 40);
    let message = ground.file("apps/gone/logfiles/crashdumps/20260101T081500.000Z-0-7.log", 31, 5);
    let young = ground.output("left", 0, 50, 1, 20);
    let note = ground.file("apps/noted/logfiles/application/0-notes.log", 90, 5);
    let kept = ground.output("shop", 0, 50, 1, 40);
    ground.run_folder("shop", 0, 50);
    for app in ["gone", "long-gone", "shop-2"] {
        fs::create_dir_all(ground.path("run").join(app)).unwrap();
    }
    let passed = ground.pass(&bounds(1_000, &[("shop", 1_000), ("shop-2", 1_000)]));
    assert!(passed.failed.is_empty(), "{:?}", passed.failed);
    assert_eq!(exist(&[&old, &message, &young, &note, &kept]), [false, false, true, true, true]);
    let run = ["gone", "long-gone", "shop-2", "shop"].map(|app| ground.path("run").join(app));
    assert_eq!(
        exist(&[&ground.path("apps/gone"), &run[0], &run[1], &run[2], &run[3]]),
        [false, false, false, true, true]
    );
    assert_eq!(passed.used.values().sum::<u64>(), 20, "what is not Medic's does not count");
    // its worker is gone, and the app is not: the folder stays
    fs::remove_dir_all(ground.path("run/shop")).unwrap();
    ground.pass(&bounds(1_000, &[("shop", 1_000)]));
    assert_eq!(exist(&[&kept, &ground.path("apps/shop/logfiles/application")]), [false, true]);
}

#[test]
fn a_quota_is_kept_and_what_lives_is_not_touched() {
    let ground = Ground::new();
    let files: Vec<_> = (1..=5).map(|number| ground.output("shop", 0, 9, number, 8 - number)).collect();
    let other = ground.output("shop", 3, 9, 1, 9);
    ground.run_folder("shop", 0, 9);
    let passed = ground.pass(&bounds(1_000, &[("shop", 30)]));
    assert_eq!(
        exist(&[&other, &files[0], &files[1], &files[2], &files[4]]),
        [false, false, false, true, true]
    );
    assert_eq!(passed.used.values().sum::<u64>(), 30);
    let passed = ground.pass(&bounds(0, &[("shop", 30)]));
    assert_eq!((exist(&[&files[3], &files[4]]), passed.used.values().sum::<u64>()), (vec![false, true], 10));
}

#[test]
fn no_link_is_followed_and_nothing_is_deleted_that_is_not_medics() {
    let ground = Ground::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let name = shim::OutputName { instance: 0, started_at: NOW - DAY * 90, number: 1 }.to_string();
    let logs = elsewhere.path().join("logfiles/application");
    fs::create_dir_all(&logs).unwrap();
    let outside = logs.join(&name);
    fs::write(&outside, "theirs").unwrap();
    File::options().write(true).open(&outside).unwrap().set_modified(UNIX_EPOCH).unwrap();
    // a whole app, a folder of one, and a file, all linked
    fs::create_dir_all(ground.path("apps/half/logfiles")).unwrap();
    symlink(elsewhere.path(), ground.path("apps/linked")).unwrap();
    symlink(&logs, ground.path("apps/half/logfiles/application")).unwrap();
    fs::create_dir_all(ground.path("apps/shop/logfiles/application")).unwrap();
    let link = ground.path(&format!("apps/shop/logfiles/application/{name}"));
    symlink(&outside, &link).unwrap();
    let foreign = ["access.log", "0-20251101T081500.000Z-000001.log.gz", "0-20251101T081500.000Z-1.log"]
        .map(|name| ground.file(&format!("apps/shop/logfiles/application/{name}"), 90, 10));
    let plain = ground.file("apps/README", 90, 10);
    let old = ground.output("shop", 1, 90, 1, 90);
    let passed = ground.pass(&bounds(0, &[("shop", 0)]));
    assert_eq!(fs::read_to_string(&outside).unwrap(), "theirs");
    assert!(exist(&[&link, &foreign[0], &foreign[1], &foreign[2], &plain]).iter().all(|is_there| *is_there));
    assert!(!old.exists(), "what cannot be looked into keeps nothing else");
    let failed: Vec<_> = passed.failed.iter().map(|(path, _)| path.clone()).collect();
    let linked = [
        "apps/half/logfiles/application",
        "apps/linked/logfiles/application",
        "apps/linked/logfiles/crashdumps",
    ];
    assert_eq!(failed, linked.map(|path| ground.path(path)));
    assert!(passed.failed.iter().all(|(_, error)| error.to_string().contains("not a folder")));
}

#[test]
fn a_clock_that_is_set_far_ahead_deletes_nothing() {
    let ground = Ground::new();
    let file = ground.output("shop", 0, 20, 1, 10);
    *ground.clocks.0.lock().unwrap() = NOW + DAY * 4_000;
    ground.pass(&bounds(1_000, &[("shop", 1_000)]));
    assert!(file.exists());
    fs::remove_file(ground.path("logs.kept-from")).unwrap();
    ground.pass(&bounds(1_000, &[("shop", 1_000)]));
    assert!(file.exists(), "nor where nothing is known yet");
}

#[test]
fn what_will_be_too_much_is_said_and_taken_back() {
    let ground = Ground::new();
    for number in 1..=8 {
        ground.output("shop", 0, 9, number, 1);
    }
    let roomy = DiskSpace { free_bytes: 1 << 40, total_bytes: 1 << 41, free_inodes: 0, total_inodes: 0 };
    let full = DiskSpace { free_bytes: 0, ..roomy };
    let said = |bounds: &FileBounds, space| {
        ground.files.say(bounds, &ground.pass(bounds), Ok(space));
        let problems = insight::medic::storage(&ground.health.borrow().storage);
        problems.into_iter().map(|problem| problem.title).collect::<Vec<_>>()
    };
    assert!(said(&bounds(101, &[("shop", 101)]), roomy).is_empty());
    assert_eq!(said(&bounds(1_000, &[("shop", 100)]), roomy), ["Log files of shop are near their quota"]);
    assert_eq!(
        said(&bounds(100, &[("shop", 1_000)]), full),
        ["Disk nearly full", "Log files of all apps are near their quota"]
    );
    fs::remove_dir_all(ground.path("apps")).unwrap();
    fs::write(ground.path("apps"), "").unwrap();
    assert_eq!(said(&bounds(100, &[]), roomy), ["Old files cannot be deleted"]);
    fs::remove_file(ground.path("apps")).unwrap();
    assert!(said(&bounds(100, &[]), roomy).is_empty());
}

#[test]
fn the_free_space_of_a_file_system_is_known() {
    let space = folders::space(Path::new("/")).unwrap();
    assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes, "{space:?}");
    assert!(folders::space(Path::new("/no/such/folder")).is_err());
}
