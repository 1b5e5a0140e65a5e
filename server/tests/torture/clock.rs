//! The wall clock jumps by days while Medic runs; the monotonic one does not. By libfaketime, which shifts the time of a process
//! that was started with it.

use std::path::{Path, PathBuf};

use crate::support::{Medic, is_alive};

fn libfaketime() -> Option<PathBuf> {
    let found =
        ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1"];
    let found = found.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned);
    if found.is_none() {
        assert!(std::env::var_os("MEDIC_TEST_ALL").is_none(), "libfaketime is not installed");
        eprintln!("skipped: libfaketime is not installed");
    }
    found
}

/// A Medic whose clock is moved by writing into a file.
struct Shifted {
    medic: Medic,
    offset: tempfile::NamedTempFile,
}

impl Shifted {
    fn start(app: &str) -> Option<Self> {
        let library = libfaketime()?;
        let offset = tempfile::NamedTempFile::new().expect("a file for the offset");
        std::fs::write(offset.path(), "+0").expect("written");
        let environment = [
            ("LD_PRELOAD", library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", offset.path().display().to_string()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        let medic = Medic::with_shop_at(
            Path::new("data"),
            Path::new(env!("CARGO_BIN_EXE_medic")),
            &environment,
            "",
            app,
        );
        medic.until_running();
        Some(Self { medic, offset })
    }

    fn shift(&self, offset: &str) {
        std::fs::write(self.offset.path(), offset).expect("written");
    }
}

#[test]
fn days_back_during_a_back_off_keep_no_worker_down() {
    let Some(shifted) = Shifted::start("back_off = \"2s\"") else { return };
    let medic = &shifted.medic;
    for offset in ["-5d", "+0", "+5d", "-10d"] {
        // The second end in a row is followed by a pause.
        for _ in 0..2 {
            medic.until_running();
            let pid = medic.instances()[0]["pid"].as_u64().expect("a running worker has one");
            assert!(crate::ground::kill(pid, "ABRT"));
            medic.until("another worker, or the pause before it", || {
                (medic.instances()[0]["pid"].as_u64() != Some(pid)).then_some(())
            });
        }
        shifted.shift(offset);
        medic.until_running();
        println!("the clock at {offset} during a back-off: running again");
    }
}

#[test]
fn days_back_while_stopping_still_kill_what_does_not_end() {
    let Some(mut shifted) = Shifted::start("stop_grace = \"1s\"") else { return };
    let pid = shifted.medic.instances()[0]["pid"].as_u64().expect("a running worker has one");
    assert!(crate::ground::kill(pid, "STOP"));
    shifted.medic.signal("TERM");
    shifted.shift("-10d");
    assert!(shifted.medic.stop());
    assert!(!is_alive(pid));
}

#[test]
fn a_clock_in_the_future_purges_no_history() {
    let Some(mut shifted) = Shifted::start("") else { return };
    assert_eq!(shifted.medic.crash("abort"), 1);
    shifted.shift("+400d");
    // What is old is deleted at the start, too.
    assert!(shifted.medic.stop());
    shifted.medic.start();
    shifted.medic.until_running();
    shifted.shift("+0");
    assert_eq!(shifted.medic.crashes(), 1);
}
