//! The database is locked by another program, damaged, or removed while workers crash.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::ground::{ALWAYS, Ground};
use crate::random::Random;
use crate::times;

/// Another program in the middle of a transaction.
struct Lock(Child);

impl Lock {
    fn take(database: &std::path::Path) -> Self {
        let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1],timeout=60,isolation_level=None)\nc.execute('BEGIN EXCLUSIVE')\nprint('locked',flush=True)\nsys.stdin.read()";
        let mut python = Command::new("python3");
        python.args(["-c", script]).arg(database).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = python.spawn().expect("python3 locks the database");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("it says that it has the lock");
        assert_eq!(line, "locked\n");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn a_locked_database_loses_no_crash() {
    let mut random = Random::new("locked database");
    let mut ground = Ground::new(2, ALWAYS, "");
    for _ in 0..times(1, 6) {
        let lock = Lock::take(&ground.medic.data_dir().join("medic.db"));
        for _ in 0..3 {
            let running = ground.running();
            if let Some(pid) = random.of(&running) {
                ground.crash(*pid, "ABRT");
            }
            random.pause(2_000);
        }
        if random.below(2) == 0 {
            ground.medic.kill();
            ground.medic.start();
        }
        drop(lock);
        ground.medic.until_running();
    }
    ground.settle();
}

#[test]
fn a_damaged_database_stops_no_app_and_is_said() {
    let mut random = Random::new("damaged database");
    let mut ground = Ground::new(2, ALWAYS, "");
    for _ in 0..times(1, 10) {
        let before = ground.running();
        ground.medic.kill();
        let path = ground.medic.data_dir().join("medic.db");
        let size = std::fs::metadata(&path).map_or(4_096, |file| file.len());
        let mut file = std::fs::File::options().write(true).open(&path).expect("the database is there");
        let at = if random.below(2) == 0 { 0 } else { random.below(size / 2) };
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(at)).expect("within the file");
        file.write_all(&vec![0xA5; usize::try_from(size - at).unwrap_or(4_096)]).expect("damaged");
        for left in ["medic.db-wal", "medic.db-shm"] {
            let _none = std::fs::remove_file(ground.medic.data_dir().join(left));
        }
        ground.medic.start();
        ground.medic.until_running();
        assert_eq!(ground.running(), before, "the workers stay");
        assert_eq!(ground.medic.shop("/").status, 200);
        let health = ground.medic.get("/healthz");
        assert_eq!(health.status, 503, "{}", health.body);
        let kept = std::fs::read_dir(ground.medic.data_dir()).expect("listed").flatten();
        let kept =
            kept.filter(|entry| entry.file_name().to_string_lossy().starts_with("medic.db.damaged-")).count();
        assert!(kept > 0, "the damaged file is kept");
    }
    println!("damaged {} times: the apps were served, and it was said", times(1, 10));
}
