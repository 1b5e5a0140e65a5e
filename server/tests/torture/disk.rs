//! The disk is full, on a small file system of its own.

use std::path::PathBuf;
use std::process::Command;

use crate::ground::{ALWAYS, Ground};
use crate::random::Random;
use crate::times;

/// A small file system that is unmounted at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).expect("made");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"]).arg(&at);
        if !mount.output().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: this user may mount nothing");
            return None;
        }
        Some(Self(at))
    }

    fn fill(&self) {
        let filler = self.0.join("filler");
        for block in ["64k", "1k"] {
            let of = format!("of={}", filler.display());
            let bs = format!("bs={block}");
            let mut dd = Command::new("dd");
            let _full = dd.args(["if=/dev/zero", &of, &bs, "oflag=append", "conv=notrunc"]).output();
        }
    }

    fn free(&self) {
        let _none = std::fs::remove_file(self.0.join("filler"));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_keeps_no_crashed_app_down_and_loses_no_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(disk) = SmallDisk::mount(folder.path().join("disk")) else { return };
    let mut random = Random::new("full disk");
    let mut ground = Ground::on(&disk.0.join("data"), 2, ALWAYS, "");
    for _ in 0..times(1, 8) {
        disk.fill();
        let running = ground.running();
        if let Some(pid) = random.of(&running).copied() {
            ground.crash(pid, "ABRT");
            ground.medic.until("a replacement on a full disk", || {
                let instances = ground.medic.instances();
                let all = instances.iter().all(|i| i["state"] == "running" && i["pid"].as_u64() != Some(pid));
                all.then_some(())
            });
        }
        disk.free();
        ground.settle();
    }
}
