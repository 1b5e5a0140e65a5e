//! `medic backup` beside a running server, and `medic restore` without one.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::Medic;

fn run(medic: &Medic, word: &str, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_medic"));
    command.arg(word).arg(file).arg("--config").arg(medic.folder().join("medic.toml"));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

#[test]
fn a_backup_of_a_running_server_is_restored_when_it_has_ended() {
    let mut medic = Medic::with_shop("", "back_off = \"0s\"");
    assert_eq!(medic.crash("panic"), 1);
    let file = medic.folder().join("medic.backup");
    let backed_up = run(&medic, "backup", &file);
    assert!(backed_up.status.success(), "{}", said(&backed_up));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&medic, "backup", &file);
    assert!(!again.status.success() && said(&again).contains("exists already"), "{}", said(&again));

    assert_eq!(medic.crash("panic"), 2);
    let refused = run(&medic, "restore", &file);
    assert!(!refused.status.success(), "{}", said(&refused));
    assert!(said(&refused).contains("another Medic is running with the data folder"), "{}", said(&refused));
    assert!(medic.stop());
    let restored = run(&medic, "restore", &file);
    assert!(restored.status.success() && said(&restored).contains(".replaced-"), "{}", said(&restored));
    medic.start();
    assert_eq!(medic.crashes(), 1);
}

#[test]
fn a_backup_removes_what_killed_ones_left_and_leaves_running_ones_alone() {
    let medic = Medic::with_shop("", "");
    let folder = medic.folder().join("backups");
    std::fs::create_dir(&folder).unwrap();
    let left = folder.join("sunday.medic-partial");
    let running = folder.join("monday.medic-partial");
    std::fs::write(&left, "half").unwrap();
    // as a backup holds it
    let held = std::fs::File::create(&running).unwrap();
    held.lock().unwrap();
    let backed_up = run(&medic, "backup", &folder.join("tuesday"));
    assert!(backed_up.status.success(), "{}", said(&backed_up));
    let words = format!("deleted {}, which an interrupted backup left", left.display());
    assert!(said(&backed_up).contains(&words) && !left.exists() && running.exists(), "{}", said(&backed_up));
    let refused = run(&medic, "backup", &folder.join("monday"));
    let words = format!("another backup is writing {}", folder.join("monday").display());
    assert!(!refused.status.success() && said(&refused).contains(&words), "{}", said(&refused));
    drop(held);
    let next = run(&medic, "backup", &folder.join("monday"));
    assert!(next.status.success() && !running.exists(), "{}", said(&next));
}

/// A file system that is full, as long as this lives.
struct FullDisk(std::path::PathBuf);

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_no_file_that_looks_like_a_backup() {
    let medic = Medic::with_shop("", "");
    let folder = medic.folder().join("small");
    std::fs::create_dir(&folder).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&folder).stderr(Stdio::null());
    if !mount.status().unwrap().success() {
        eprintln!("skipped: only root may mount a file system that can be full");
        return;
    }
    let disk = FullDisk(folder);
    let failed = run(&medic, "backup", &disk.0.join("medic.backup"));
    assert!(!failed.status.success() && said(&failed).contains("the disk is full"), "{}", said(&failed));
    assert_eq!(std::fs::read_dir(&disk.0).unwrap().count(), 0);
}
